package dashboard

import (
	"math"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many wrong credentials one address may try: nobody guesses one, but each
// may cost a look into the database. Behind a proxy all share its address.
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

// wait tells how long an address has to wait before it may try another one.
func (s *strikes) wait(address string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, known := s.seen[address]
	if !known {
		return 0
	}
	lacking := 1 - bucket.TokensAt(s.now())
	if lacking <= 0 {
		return 0
	}
	return time.Duration(lacking * float64(strikeEvery))
}

// add counts a wrong one.
func (s *strikes) add(address string) {
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
	bucket.AllowN(s.now(), 1)
}

func retryAfter(wait time.Duration) string { return strconv.Itoa(int(math.Ceil(wait.Seconds()))) }
