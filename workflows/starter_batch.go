package workflows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"golang.org/x/sync/errgroup"

	"posthaste/activities"
	"posthaste/errs"
)

const (
	// maxSharedEvents is how many events of a batch share a workflow: enough to
	// make Temporal's part of an event small, few enough that a workflow whose
	// events all wait for retries stays easy to read and far from its limits.
	maxSharedEvents = 64
	// maxSharedBytes bounds the data of events that share a workflow. Temporal warns
	// of inputs over 512 KiB and refuses them over 2 MiB; JSON around the data stays
	// well inside the difference.
	maxSharedBytes = 400 << 10
	// batchStarts is how many workflows of one batch are started at once: enough
	// to keep Temporal busy, few enough that other requests get their turn.
	batchStarts = 4
)

// Started is what became of one event of a batch.
type Started struct {
	Accepted
	Err error
}

// DeliverEvents starts as few workflows for the events of one tenant as their
// number and size allow, and says of each event, in its place, how that went.
// What is said of one is what DeliverEvent would say: an event without error is
// durable. Events that share a workflow share its fate.
func (s *Starter) DeliverEvents(ctx context.Context, events []activities.Event) []Started {
	started := make([]Started, len(events))
	var starting errgroup.Group
	starting.SetLimit(batchStarts)
	for _, group := range shares(events) {
		starting.Go(func() error {
			accepted, err := s.startShared(ctx, group.events)
			for _, i := range group.places {
				started[i] = Started{accepted, err}
			}
			return nil
		})
	}
	_ = starting.Wait() // the functions return no error: each event has its own
	return started
}

// share is a part of a batch whose events share a workflow.
type share struct {
	events []activities.Event
	places []int // of the events in the batch
	bytes  int
}

func (s *share) full(size int) bool {
	return len(s.events) == maxSharedEvents || len(s.events) > 0 && s.bytes+size > maxSharedBytes
}

func (s *share) add(event activities.Event, place, size int) {
	s.events, s.places, s.bytes = append(s.events, event), append(s.places, place), s.bytes+size
}

// shares cuts a batch into the parts that share a workflow. It depends on the
// events alone, so that a batch which is sent again is cut in the same places.
// Events with keys share with their like: what holds those up, because an earlier
// batch has them, is nothing to the others.
func shares(events []activities.Event) []*share {
	var groups []*share
	open := map[bool]*share{} // by whether its events have keys
	for i := range events {
		keyed, size := events[i].Keyed(), bytesOf(&events[i])
		if open[keyed] == nil || open[keyed].full(size) {
			open[keyed] = &share{}
			groups = append(groups, open[keyed])
		}
		open[keyed].add(events[i], i, size)
	}
	return groups
}

// bytesOf is about what an event takes in a workflow's input.
func bytesOf(event *activities.Event) int {
	size := len(event.Data) + len(event.CustomData)
	for _, id := range event.Attributes.ListIDs {
		size += len(id)
	}
	return size
}

// startShared starts one workflow for the events.
func (s *Starter) startShared(ctx context.Context, events []activities.Event) (Accepted, error) {
	if len(events) == 1 {
		return s.startAlone(ctx, events[0])
	}
	id := SharedWorkflowID(events[0].Tenant, events[0].ID)
	err := s.start(ctx, id, events)
	if isAlreadyStarted(err) {
		return s.repeatedShare(ctx, id, events)
	}
	if err != nil {
		return Accepted{}, s.unavailable(err, "The event could not be accepted")
	}
	return Accepted{}, nil
}

// repeatedShare compares events with those that hold the id. When they are not
// the same ones, which of them were accepted is known to the ledger alone, as
// soon as it has them.
func (s *Starter) repeatedShare(ctx context.Context, id string, events []activities.Event) (Accepted, error) {
	hash, err := s.hashOf(ctx, id)
	switch {
	case err != nil:
		return Accepted{}, err
	case hash != sharedHash(events):
		return Accepted{}, &errs.Error{
			Code: errs.Unavailable, RetryAfter: s.outage.retryAfter(),
			Message: "An earlier batch that began with the same key is still on its way to the ledger; try again shortly",
		}
	}
	return Accepted{Duplicate: true}, nil
}

// sharedHash tells a repeated batch from another: it covers which events there
// are, and what each holds. Events without keys have none: their ids are new.
func sharedHash(events []activities.Event) string {
	if !events[0].Keyed() {
		return ""
	}
	if len(events) == 1 {
		return events[0].BodyHash
	}
	digest := sha256.New()
	for i := range events {
		digest.Write([]byte(events[i].ID + events[i].BodyHash + "\n"))
	}
	return hex.EncodeToString(digest.Sum(nil))
}
