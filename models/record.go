package models

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"posthaste/errs"
)

// Record is what happened to a delivery: an attempt, or the decision that there
// is none.
type Record struct {
	// Delivery is the delivery as it was loaded. The record is refused when the
	// ledger's State or Attempts have moved on since.
	Delivery Delivery
	// Step is what happened: StepDeliver, StepFailRetry, StepFailFinal,
	// StepSkip, StepCancel, StepLose or StepClaim.
	Step Step
	// Attempt is what was sent and answered; nil where nothing was (skip,
	// cancel, claim). Tenant, webhook, event and number are set from the ledger.
	Attempt *Attempt
	// NextAttemptAt is when a retrying delivery is tried again.
	NextAttemptAt *time.Time
	// HeldFor keeps a claimed delivery in the claimer's hand for so long (see
	// Hold); any other step lets it go.
	HeldFor time.Duration
	// Reason says why it failed or was not sent.
	Reason string

	// WebhookFailed counts towards the webhook's health: false resets its
	// FailedInARow, true adds one. nil leaves the webhook alone, its status
	// included (a test send, a step without an attempt).
	WebhookFailed *bool
	// WebhookStatus is what the webhook becomes now, such as StatusGone; "" = no
	// change.
	WebhookStatus string
	// StatusReason goes with WebhookStatus, or with StatusBroken.
	StatusReason string
	// BrokenAfter makes an active webhook StatusBroken once that many attempts
	// in a row have failed; 0 = never.
	BrokenAfter int
	// BrokenAfterSpan makes an active webhook StatusBroken once its attempts have
	// done nothing but fail for so long, at least two of them; 0 = never.
	BrokenAfterSpan time.Duration
}

// Record stores what happened and returns when that is durable. Calls that are
// made while another commit is under way share the next one.
//
// Conflict: the delivery has moved on since it was loaded; nothing is stored. A
// repeat of a record that is stored already (same attempt id, or the claim that
// this very call made) is no conflict.
// NotFound: the delivery is gone, with its webhook. While the database is away
// the call keeps trying until the context ends, then it is Unavailable: the
// record may be stored or not, and may be given again.
func (s *Store) Record(ctx context.Context, r Record) error {
	e, err := s.prepare(r)
	if err != nil {
		return err
	}
	return s.recorder.record(ctx, e)
}

// Claim marks a delivery as being sent by a worker that sends at most once, and
// that has it in hand for so long: one that finds it claimed meanwhile has no
// reason to call it lost. The caller goes on with State = StateSending. Conflict
// when another worker claimed it first.
func (s *Store) Claim(ctx context.Context, d Delivery, span time.Duration) error {
	return s.Record(ctx, Record{Delivery: d, Step: StepClaim, HeldFor: span})
}

// entry is a record on its way to the ledger.
type entry struct {
	record  Record
	attempt *Attempt // a copy with an id and storable text; nil = none
	headers []byte   // the attempt's request headers, sealed
	to      State
	now     time.Time
	// claimed is the held_until that the last try to claim wrote, whether or not
	// it was committed: nobody else writes the same, so it tells a claim of ours
	// from another's.
	claimed *moment
	result  chan error // takes exactly one value
}

// prepare checks a record and does all that needs no database, so that the
// grouped commit is nothing but statements.
func (s *Store) prepare(r Record) (*entry, error) {
	to, err := s.checkStep(&r)
	if err != nil {
		return nil, err
	}
	if !couldExist(r.Delivery.Tenant, r.Delivery.ID) {
		return nil, noDelivery()
	}
	if r.WebhookFailed != nil && r.Delivery.WebhookID == "" {
		return nil, errs.New(errs.Internal, "A record that counts for a webhook must name it")
	}
	r.Reason, r.StatusReason = cleanText(r.Reason), cleanText(r.StatusReason)
	e := &entry{record: r, to: to, now: s.now(), result: make(chan error, 1)}
	if r.Attempt == nil {
		return e, nil
	}
	a := *r.Attempt
	if a.ID == "" {
		a.ID = NewID(a.StartedAt)
	}
	if !isUUID(a.ID) || uuid.MustParse(a.ID).Version() != 7 {
		return nil, errs.New(errs.Internal, "The attempt id %q is no UUIDv7: the history is ordered by it", a.ID)
	}
	if off := timeOf(a.ID).Sub(a.StartedAt).Abs(); off >= idSlack {
		return nil, errs.New(errs.Internal, "The attempt id %s is %s away from the attempt's start: the history is searched by it", a.ID, off)
	}
	a.Reason, a.Detail, a.RequestURL = cleanText(a.Reason), cleanText(a.Detail), cleanText(a.RequestURL)
	e.attempt = &a
	if len(a.RequestHeaders) > 0 {
		e.headers, err = s.sealJSON(a.RequestHeaders, r.Delivery.Tenant, a.ID, sealedRequestHeaders)
	}
	return e, err
}

// checkStep returns the state after the step. Resolve makes deliveries and
// Reopen opens them again, so those steps are no records.
func (s *Store) checkStep(r *Record) (State, error) {
	withAttempt := r.Attempt != nil
	switch r.Step {
	case StepDeliver:
		if !withAttempt {
			return "", errs.New(errs.Internal, "The step %s needs an attempt", r.Step)
		}
	case StepClaim, StepSkip, StepCancel:
		if withAttempt {
			return "", errs.New(errs.Internal, "The step %s has no attempt", r.Step)
		}
	case StepFailRetry, StepFailFinal, StepLose:
	case StepResolvePending, StepResolveSkipped, StepResolveSuppressed, StepReopen:
		return "", errs.New(errs.Internal, "The step %s is not recorded", r.Step)
	}
	return Advance(r.Delivery.State, r.Step)
}

// cleanText drops what no TEXT column takes: a receiver or a resolver may have
// had a hand in a reason, and a record must not be lost for it.
func cleanText(text string) string {
	if storable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
