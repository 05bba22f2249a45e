package dashboard

import (
	"math"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many wrong credentials from one address are answered as that, before the
// answer is to wait. Behind a proxy all share its address, so a good one is never
// made to wait; and nobody guesses one.
const (
	strikesAtOnce = 10
	strikeEvery   = 6 * time.Second
	// strikesKept bounds the addresses that are remembered.
	strikesKept = 10_000
)

// strikes counts wrong credentials by address, in this process.
type strikes struct {
	now  func() time.Time
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

func newStrikes(now func() time.Time) *strikes {
	return &strikes{now: now, seen: map[string]*rate.Limiter{}}
}

// add counts a wrong one, or tells how long its address has to wait before the
// next, where there were too many.
func (s *strikes) add(address string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, known := s.seen[address]
	if !known {
		if len(s.seen) >= strikesKept { // more addresses than people: begin anew
			clear(s.seen)
		}
		bucket = rate.NewLimiter(rate.Every(strikeEvery), strikesAtOnce)
		s.seen[address] = bucket
	}
	now := s.now()
	if bucket.AllowN(now, 1) {
		return 0
	}
	return time.Duration((1 - bucket.TokensAt(now)) * float64(strikeEvery))
}

func retryAfter(wait time.Duration) string { return strconv.Itoa(int(math.Ceil(wait.Seconds()))) }
