package bench

import (
	"context"
	"time"
)

const (
	// settleEvery is how often the bench looks whether all has come.
	settleEvery = 50 * time.Millisecond
	// lateQuiet is past the second delay of the provider's retries, which is
	// 5 minutes: what comes later than that counts as lost.
	lateQuiet = 6 * time.Minute
)

// settle waits until every accepted event of the window has come. Those that
// have not when no POST has come for so long count as lost.
func (w window) settle(ctx context.Context, quiet time.Duration) error {
	seen := w.from
	return w.flow.whilePosted(ctx, quiet, func() bool {
		for ; seen < w.to; seen++ {
			c, i := w.flow.at(seen)
			for hook := range w.flow.hooks {
				if c.accepted[i].Load() != 0 && c.first[i*w.flow.hooks+hook].Load() == 0 {
					return false
				}
			}
		}
		return true
	})
}

// whilePosted waits until the condition holds or no POST has come for so long.
func (f *flow) whilePosted(ctx context.Context, quiet time.Duration, holds func() bool) error {
	posts, since := f.posts.Load(), time.Now()
	for !holds() && time.Since(since) < quiet {
		if now := f.posts.Load(); now != posts {
			posts, since = now, time.Now()
		}
		if err := pause(ctx, settleEvery); err != nil {
			return err
		}
	}
	return ctx.Err()
}
