package bench

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// refusedPause keeps a caller from asking again at once.
	refusedPause = 100 * time.Millisecond
	// nothingAccepted is past the longest wait for one answer: a load that has had
	// none but refusals for so long measures nothing any more.
	nothingAccepted = 90 * time.Second
	// nearlyAll is the part of a load's events that makes it one of refusals.
	nearlyAll = 0.9
)

// patience is what a load has with refusals: some are counted, and only where
// nearly all is refused does the run end.
type patience struct {
	flow  *flow
	since int64 // when the load began
	first atomic.Pointer[error]
}

func newPatience(f *flow) *patience { return &patience{flow: f, since: f.now()} }

// bears returns nil for a refusal after which the load goes on.
func (p *patience) bears(err error) error {
	if !isRefused(err) {
		return err
	}
	p.first.CompareAndSwap(nil, &err)
	if p.flow.now()-max(p.since, p.flow.accepted.Load()) > int64(nothingAccepted) {
		return fmt.Errorf("no event was accepted for %v: %w", nothingAccepted, err)
	}
	return nil
}

// judge returns an error where nearly all of a load was refused: what is left says
// nothing of anything.
func (p *patience) judge(w window) error {
	first := p.first.Load()
	if refused, all := w.refused(), w.to-w.from; first != nil && float64(refused) >= nearlyAll*float64(all) {
		return fmt.Errorf("%d of %d events were refused: %w", refused, all, *first)
	}
	return nil
}

// isRefused tells an answer that asks to try again later, and no answer at all.
// Any other says that the request was wrong, as all others would be.
func isRefused(err error) bool {
	var refused *refusal
	return errors.As(err, &refused) &&
		(refused.status == 0 || refused.status == http.StatusTooManyRequests || refused.status >= http.StatusInternalServerError)
}
