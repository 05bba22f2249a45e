package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"
)

const (
	// maxBatchEvents is how many events one request may hold.
	maxBatchEvents = 1000
	// maxBatchBytes bounds the whole batch: 1,000 events of 8 KiB. One event in
	// it has the bound of an event sent alone.
	maxBatchBytes = 8 << 20
	// batchStarts is how many events of one batch are started at once: enough
	// to keep Temporal busy, few enough that other requests get their turn.
	batchStarts = 16
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
// ones. With an Idempotency-Key, each event's key is made of it and the event's
// place.
func (h *events) createBatch(c *gin.Context) error {
	body, err := readBody(c, bodyRule{maxBytes: maxBatchBytes, around: 3})
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
	results := make([]acceptedBody, len(members))
	failures := make([]error, len(members))
	for i := admitted; i < len(members); i++ {
		failures[i] = refusal
	}
	var starting errgroup.Group
	starting.SetLimit(batchStarts)
	for i, member := range members[:admitted] {
		starting.Go(func() error {
			ownKey := ""
			if key != "" {
				ownKey = fmt.Sprintf("%s/%d", key, i)
			}
			results[i], failures[i] = h.acceptMember(c.Request.Context(), member, tenantOf(c), ownKey)
			return nil
		})
	}
	_ = starting.Wait() // the functions return no error: each event has its own
	return h.answerBatch(c, results, failures)
}

// readBatch takes the list of events apart; what each holds is its own matter.
func readBatch(body *object) []rawMember {
	body.require("events")
	var members []rawMember
	readList(body, "events", maxBatchEvents, "must be an object", &members)
	if body.has("events") && len(members) == 0 {
		body.fault("events", "must have between 1 and %d elements", maxBatchEvents)
	}
	return members
}

// rawMember is one event of a batch, not yet looked at.
type rawMember []byte

// UnmarshalJSON keeps the text.
func (m *rawMember) UnmarshalJSON(text []byte) error {
	*m = append((*m)[:0], text...)
	return nil
}

func (h *events) acceptMember(ctx context.Context, text rawMember, tenant, key string) (acceptedBody, error) {
	if int64(len(text)) > h.maxBytes {
		return acceptedBody{}, &http.MaxBytesError{Limit: h.maxBytes}
	}
	body := parseObject(text, "", map[string]string{})
	if body == nil {
		return acceptedBody{}, errs.New(errs.Invalid, "An event must be a JSON object")
	}
	event, err := h.read(body, tenant, key)
	if err != nil {
		return acceptedBody{}, err
	}
	return h.accept(ctx, event)
}

// answerBatch answers 202 with every result. When not one event could be taken
// because a part is down, or for that and the tenant's limit, the whole request
// is answered so.
func (h *events) answerBatch(c *gin.Context, results []acceptedBody, failures []error) error {
	list := make([]batchResult, len(results))
	var down error
	var ours []error
	later := 0
	for i, err := range failures {
		if err == nil {
			list[i] = batchResult{ID: results[i].ID, Status: results[i].Status, Duplicate: &results[i].Duplicate}
			continue
		}
		wire, shown := wireOf(err)
		list[i] = batchResult{Status: "refused", Code: wire.code, Message: shown.Message, Errors: shown.Fields}
		if shown.Code == errs.Unavailable {
			down = err
		}
		if shown.Code == errs.Unavailable || shown.Code == errs.RateLimited {
			later++
		}
		if shown.Code == errs.Unavailable || shown.Code == errs.Internal {
			ours = append(ours, fmt.Errorf("event %d: %w", i, err))
		}
	}
	if down != nil && later == len(results) {
		return down
	}
	if len(ours) > 0 {
		c.Set(keyError, errors.Join(ours...)) // for the access line: a refusal in place is no error of the request
	}
	return respond(c, http.StatusAccepted, list)
}
