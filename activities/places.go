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
	// silentAsksPerSecond is the same for a webhook that does not answer: no more
	// than a probe or two get through, so that nearly every ask is in vain.
	silentAsksPerSecond = 5
	// leastCallsPerSecond is the same for the calls of a tenant that has its share of
	// the fast lane, each of up to 25 deliveries; callsPerSecond is how many come while
	// it is not known yet how many end.
	leastCallsPerSecond = 10
	callsPerSecond      = 80
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
// webhook takes it. Others line up by tenant, in the same way.
type places struct {
	now      func() time.Time
	spread   func() float64
	least    float64 // who come back in a second, at the least
	first    float64 // the same until a line's rate is known; 0 = least
	mu       sync.Mutex
	webhooks map[string]*line
}

// line is the queue of one webhook.
type line struct {
	last      time.Time // the place that was given out last
	turn      time.Time // the turn under a rate limit that was given out last
	counting  time.Time // since when ended counts
	ended     int
	perSecond float64 // what ended, in the window before
	measured  bool    // that window was of late
}

func newPlaces(now func() time.Time, spread func() float64, least float64) *places {
	return &places{now: now, spread: spread, least: least, webhooks: map[string]*line{}}
}

// newFastLines returns the lines of calls that wait for the fast lane, by tenant.
func newFastLines(now func() time.Time, spread func() float64) *places {
	lines := newPlaces(now, spread, leastCallsPerSecond)
	lines.first = callsPerSecond
	return lines
}

// next returns how long the next delivery of the webhook stays away, at least
// for so long: the time for which a webhook that does not answer is left alone.
func (p *places) next(webhookID string, atLeast time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, wait := p.free(webhookID, atLeast)
	if wait > longestDeferral {
		return p.somewhere()
	}
	l.last = p.now().Add(wait)
	return wait
}

// within is next for whoever goes elsewhere if the wait is longer than most: the
// answer then is 0, and no place is taken.
func (p *places) within(key string, most time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, wait := p.free(key, 0)
	if wait > most {
		return 0
	}
	l.last = p.now().Add(wait)
	return wait
}

// free returns a line and the wait of its next free place. The lock is held.
func (p *places) free(key string, atLeast time.Duration) (*line, time.Duration) {
	now := p.now()
	l := p.line(key, now)
	l.roll(now)
	rate := max(p.least, askMore*l.perSecond)
	if !l.measured {
		rate = max(rate, p.first)
	}
	if atLeast > 0 {
		rate = silentAsksPerSecond
	}
	place := l.last.Add(time.Duration(float64(time.Second) / rate))
	return l, max(place.Sub(now), atLeast, shortestDeferral)
}

// paced returns how long it will be until a new delivery's turn under a rate
// limit comes, as far as this process can tell, and false when the line is full.
// Other processes have deliveries of the webhook too: the ledger's slots are what
// holds the limit.
func (p *places) paced(webhookID string, perSecond int) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	l := p.line(webhookID, now)
	turn := l.turn.Add(time.Second / time.Duration(perSecond))
	if turn.Before(now) {
		turn = now
	}
	if turn.Sub(now) > longestDeferral {
		return 0, false
	}
	l.turn = turn
	return turn.Sub(now), true
}

// somewhere is the place of whoever meets a full line: they mix with its second
// half.
func (p *places) somewhere() time.Duration {
	return longestDeferral/2 + time.Duration(p.spread()*float64(longestDeferral/2))
}

// ended notes the end of what had a place in the lane, which is free again.
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
		l.perSecond, l.measured = float64(l.ended)/over.Seconds(), over < 2*rateWindow
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
			if l.last.Before(now) && l.turn.Before(now) {
				delete(p.webhooks, id)
			}
		}
	}
	l = &line{counting: now}
	p.webhooks[webhookID] = l
	return l
}
