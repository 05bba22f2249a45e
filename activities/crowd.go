package activities

import (
	"sync"
	"time"
)

const (
	// crowdWindow is how long a deferral counts towards its webhook's crowd.
	crowdWindow = 10 * time.Second
	// shortestDeferral and longestDeferral bound how long a delivery is sent
	// away because its webhook has its share in flight.
	shortestDeferral = time.Second
	longestDeferral  = time.Minute
)

// crowd counts, per webhook, the deliveries that were sent away lately. The more
// there are, the longer each stays away, so that a backlog of any size asks
// about as often as the webhook can take.
type crowd struct {
	share    int // POSTs of one webhook that may be in flight
	now      func() time.Time
	spread   func() float64
	mu       sync.Mutex
	webhooks map[string]*window
}

// window is the deferrals of one webhook since it began.
type window struct {
	began     time.Time
	deferrals int
}

func newCrowd(share int, now func() time.Time, spread func() float64) *crowd {
	return &crowd{share: share, now: now, spread: spread, webhooks: map[string]*window{}}
}

// deferral returns how long the next delivery of a crowded webhook stays away:
// a second for every share's worth that was sent away lately, spread by jitter.
func (c *crowd) deferral(webhookID string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	w, known := c.webhooks[webhookID]
	if !known || now.Sub(w.began) > crowdWindow {
		c.forget(now)
		w = &window{began: now}
		c.webhooks[webhookID] = w
	}
	w.deferrals++
	wait := shortestDeferral * time.Duration(1+w.deferrals/c.share)
	return time.Duration(float64(min(wait, longestDeferral)) * (0.8 + 0.4*c.spread()))
}

// forget drops windows that are over. The lock is held.
func (c *crowd) forget(now time.Time) {
	for id, w := range c.webhooks {
		if now.Sub(w.began) > crowdWindow {
			delete(c.webhooks, id)
		}
	}
}
