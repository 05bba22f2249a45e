package activities

import (
	"sync"
	"time"
)

const (
	// asksPerSecond is how many deliveries of one webhook that were sent away
	// come back and ask again, at the least. Each costs the Temporal server two
	// writes, and every webhook in trouble adds its own.
	asksPerSecond = 20
	// askMore is how much faster they ask than the webhook's attempts end, so
	// that a slow receiver which answers never waits for us.
	askMore = 1.25
	// shortestDeferral and longestDeferral bound how long a delivery stays away.
	// The longest is also how late the last of a large backlog may come once its
	// receiver is well again: 100,000 deliveries then come back at 28 a second,
	// and not all at once.
	shortestDeferral = time.Second
	longestDeferral  = time.Hour
	// rateWindow is over how long the ends of attempts are counted.
	rateWindow = 5 * time.Second
	// linesKept bounds the memory: past this many webhooks, those in whose line
	// nobody stands are forgotten.
	linesKept = 10_000
)

// places lines up, for each webhook, the deliveries that were sent away because
// it has its share in flight or does not answer. Each gets the next free place,
// so that a backlog of any size comes back one by one and no faster than the
// webhook takes it.
type places struct {
	now      func() time.Time
	spread   func() float64
	mu       sync.Mutex
	webhooks map[string]*line
}

// line is the queue of one webhook.
type line struct {
	last      time.Time // the place that was given out last
	counting  time.Time // since when ended counts
	ended     int
	perSecond float64 // attempts that ended, in the window before
}

func newPlaces(now func() time.Time, spread func() float64) *places {
	return &places{now: now, spread: spread, webhooks: map[string]*line{}}
}

// next returns how long the next delivery of the webhook stays away, at least
// for so long.
func (p *places) next(webhookID string, atLeast time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	l := p.line(webhookID, now)
	l.roll(now)
	first := now.Add(max(atLeast, shortestDeferral))
	place := l.last.Add(time.Duration(float64(time.Second) / max(asksPerSecond, askMore*l.perSecond)))
	if place.Before(first) {
		place = first
	}
	if place.Sub(now) > longestDeferral {
		// The line is full. Whoever comes now mixes with its second half.
		return longestDeferral/2 + time.Duration(p.spread()*float64(longestDeferral/2))
	}
	l.last = place
	return place.Sub(now)
}

// ended notes the end of an attempt: a place in the lane is free again.
func (p *places) ended(webhookID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, known := p.webhooks[webhookID]; known {
		l.roll(p.now())
		l.ended++
	}
}

// roll takes over the count of a window that is past.
func (l *line) roll(now time.Time) {
	if over := now.Sub(l.counting); over >= rateWindow {
		l.perSecond = float64(l.ended) / over.Seconds()
		l.counting, l.ended = now, 0
	}
}

// line returns the webhook's line, which may be new. The lock is held.
func (p *places) line(webhookID string, now time.Time) *line {
	l, known := p.webhooks[webhookID]
	if known {
		return l
	}
	if len(p.webhooks) >= linesKept {
		for id, l := range p.webhooks {
			if l.last.Before(now) {
				delete(p.webhooks, id)
			}
		}
	}
	l = &line{counting: now}
	p.webhooks[webhookID] = l
	return l
}
