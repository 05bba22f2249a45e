package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"posthaste/errs"
	"posthaste/webhook"

	"github.com/gin-gonic/gin"
)

const (
	// maxBatchEvents is how many events one request may hold.
	maxBatchEvents = 1000
	// maxBatchBytes bounds the whole batch: 1,000 events of 8 KiB. One event in
	// it has the bound of an event sent alone.
	maxBatchBytes = 8 << 20
	// maxBatchDepth bounds how deep the batch may nest, so that an event that is
	// too deep is refused alone. It is what encoding/json reads at all, without
	// recursion until each event has been looked at.
	maxBatchDepth = 10_000
)

// batchResult is what became of one event of a batch: accepted with its id, or
// refused with the error that it would have got alone.
type batchResult struct {
	ID        string            `json:"id,omitempty"`
	Status    string            `json:"status"`
	Duplicate *bool             `json:"duplicate,omitempty"`
	Code      string            `json:"code,omitempty"`
	Message   string            `json:"message,omitempty"`
	Errors    map[string]string `json:"errors,omitempty"`
}

// createBatch takes many events: one result for each, in order. A bad one is
// refused alone, and so are those over the tenant's limit, which are the last
// ones. An event may have a key of its own. With an Idempotency-Key, the key of
// each other event is made of it and the event's place.
func (h *events) createBatch(c *gin.Context) error {
	body, err := readBody(c, bodyRule{maxBytes: maxBatchBytes, around: maxBatchDepth - maxDepth})
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c.Request.Header)
	if err != nil {
		return err
	}
	members := readBatch(body)
	if err := body.done(); err != nil {
		return err
	}
	admitted, refusal := h.door.admit(c.Request.Context(), tenantOf(c), len(members))
	if admitted == 0 {
		return refusal
	}
	b := batch{members: make([]batchMember, len(members))}
	for i := admitted; i < len(members); i++ {
		b.members[i].err = refusal
	}
	for i, member := range members[:admitted] {
		b.members[i].event, b.members[i].err = h.readMember(member, tenantOf(c), keyOfMember(key, i))
	}
	h.acceptBatch(c.Request.Context(), &b)
	return b.answer(c)
}

// keyOfMember is the key of one event of a batch that has a key. It can be no key
// of an event sent alone, which has visible characters only.
func keyOfMember(key string, place int) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf("%s\x00%d", key, place)
}

// batch is a request's events and what became of each.
type batch struct{ members []batchMember }

type batchMember struct {
	event  webhook.Event
	answer acceptedBody // without an id until it is accepted
	err    error
	first  *batchMember // the event before it that has the same key, if there is one
}

// open reports whether it is not known yet what becomes of the event.
func (m *batchMember) open() bool { return m.err == nil && m.answer.ID == "" && m.first == nil }

// open returns the places of the events of which it is not known yet what becomes
// of them, and the events, each once.
func (b *batch) open() (places []int, events []webhook.Event) {
	for i := range b.members {
		if m := &b.members[i]; m.open() {
			places, events = append(places, i), append(events, m.event)
		}
	}
	return places, events
}

func (m *batchMember) tell(answer acceptedBody, err error) {
	m.answer, m.err = answer, err
}

// pair finds the events that are not told yet and have the key of one before them.
func (b *batch) pair() {
	first := map[string]*batchMember{}
	for i := range b.members {
		m := &b.members[i]
		if !m.open() || !m.event.Keyed() {
			continue
		}
		if m.first = first[m.event.ID]; m.first == nil {
			first[m.event.ID] = m
		}
	}
}

// tellPairs tells the second of a pair what became of the first, and what that
// means for it.
func (b *batch) tellPairs() {
	for i := range b.members {
		if m := &b.members[i]; m.first != nil && m.first.err != nil {
			m.tell(acceptedBody{}, m.first.err)
		} else if m.first != nil {
			m.tell(repeated(m.event, m.first.event.BodyHash))
		}
	}
}

// acceptBatch hands the events that are good to Temporal, unless they are there
// already.
func (h *events) acceptBatch(ctx context.Context, b *batch) {
	h.recallBatch(ctx, b)
	b.pair()
	if places, events := b.open(); len(events) > 0 {
		for i, started := range h.starter.DeliverEvents(ctx, events) {
			b.members[places[i]].tell(h.accepted(events[i], started.Accepted, started.Err))
		}
	}
	b.tellPairs()
}

// recallBatch tells the events that the ledger knows. While it is away, nobody can
// say of an event with a key whether it is new.
func (h *events) recallBatch(ctx context.Context, b *batch) {
	places, events := b.open()
	earlier, err := h.earlier(ctx, events)
	for _, i := range places {
		m := &b.members[i]
		if before, ok := earlier[m.event.ID]; ok {
			m.tell(repeated(m.event, before.BodyHash))
		} else if err != nil && m.event.Keyed() {
			m.tell(acceptedBody{}, err)
		}
	}
}

// readBatch takes the list of events apart; what each holds is its own matter.
func readBatch(body *object) []json.RawMessage {
	body.require("events")
	members, _ := body.elements("events", maxBatchEvents)
	if body.has("events") && len(members) == 0 {
		body.fault("events", "must have between 1 and %d elements", maxBatchEvents)
	}
	return members
}

// readMember makes an event of one member of a batch, or says what is wrong with
// it. The key is for an event that has none of its own.
func (h *events) readMember(text json.RawMessage, tenant, key string) (webhook.Event, error) {
	if int64(len(text)) > h.maxBytes {
		return webhook.Event{}, &http.MaxBytesError{Limit: h.maxBytes}
	}
	if err := checkDepth(text, 1); err != nil {
		return webhook.Event{}, err
	}
	body := parseObject(text, "", map[string]string{})
	if body == nil {
		return webhook.Event{}, errs.New(errs.Invalid, "An event must be a JSON object")
	}
	if own := ownKey(body); own != "" {
		key = own
	}
	return h.read(body, tenant, key)
}

// answer answers 202 with every result. When not one event could be taken
// because a part is down, or for that and the tenant's limit, the whole request
// is answered so.
func (b *batch) answer(c *gin.Context) error {
	list := make([]batchResult, len(b.members))
	var down error
	var ours []error
	later := 0
	for i := range b.members {
		m := &b.members[i]
		if m.err == nil {
			list[i] = batchResult{ID: m.answer.ID, Status: m.answer.Status, Duplicate: &m.answer.Duplicate}
			continue
		}
		wire, shown := wireOf(m.err)
		list[i] = batchResult{Status: "refused", Code: wire.code, Message: shown.Message, Errors: shown.Fields}
		if shown.Code == errs.Unavailable {
			down = m.err
		}
		if shown.Code == errs.Unavailable || shown.Code == errs.RateLimited {
			later++
		}
		if shown.Code == errs.Unavailable || shown.Code == errs.Internal {
			ours = append(ours, fmt.Errorf("event %d: %w", i, m.err))
		}
	}
	if down != nil && later == len(list) {
		return down
	}
	if len(ours) > 0 {
		c.Set(keyError, errors.Join(ours...)) // for the access line: a refusal in place is no error of the request
	}
	return respond(c, http.StatusAccepted, list)
}
