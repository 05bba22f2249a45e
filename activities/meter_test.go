package activities_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/models"
	"posthaste/webhook"
)

// tally is a meter that remembers what it was told.
type tally struct {
	mu       sync.Mutex
	seen     []measured
	posts    map[activities.Lane]int // begun
	inFlight map[activities.Lane]int
	deferred []string // lane and reason
	waits    int
	breakers int // open
}

// measured is one attempt; sent says whether it took any time.
type measured struct {
	provider string
	outcome  webhook.OutcomeKind
	sent     bool
}

// Attempted remembers one attempt.
func (m *tally) Attempted(provider string, outcome webhook.OutcomeKind, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, measured{provider, outcome, took > 0})
}

// Posting remembers a POST under way.
func (m *tally) Posting(lane activities.Lane) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.posts == nil {
		m.posts, m.inFlight = map[activities.Lane]int{}, map[activities.Lane]int{}
	}
	m.posts[lane]++
	m.inFlight[lane]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.inFlight[lane]--
	}
}

// Deferred remembers a delivery that was sent away.
func (m *tally) Deferred(lane activities.Lane, why activities.Deferral) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deferred = append(m.deferred, string(lane)+" "+string(why))
}

// WaitedFast counts.
func (m *tally) WaitedFast(time.Duration) { m.mu.Lock(); m.waits++; m.mu.Unlock() }

// BreakerOpened counts.
func (m *tally) BreakerOpened() { m.mu.Lock(); m.breakers++; m.mu.Unlock() }

// BreakerClosed counts.
func (m *tally) BreakerClosed() { m.mu.Lock(); m.breakers--; m.mu.Unlock() }

func TestEachAttemptIsMeasuredOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		give    http.HandlerFunc
		policy  string
		outcome webhook.OutcomeKind
	}{
		{"delivered", answers(204), once, webhook.Delivered},
		{"to be tried again", answers(500), hourly, webhook.Retry},
		{"the last one, failed", answers(500), once, webhook.Retry},
		{"gone", answers(410), once, webhook.Gone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.give)
			b.webhook(tt.policy)
			p := b.one()
			for range 2 { // the second run finds nothing that is due
				_, err := b.deliver(p, activities.LaneFast, false)
				require.NoError(t, err)
			}
			require.Equal(t, []measured{{"standard", tt.outcome, true}}, b.meter.seen)
			require.Equal(t, map[activities.Lane]int{activities.LaneFast: 1}, b.meter.posts)
			require.Equal(t, map[activities.Lane]int{activities.LaneFast: 0}, b.meter.inFlight, "what began has ended")
			require.Equal(t, 1, b.meter.waits)
			require.Empty(t, b.meter.deferred)
		})
	}
}

func TestAttemptOfALostWorkerIsMeasuredAsUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(`{"mode":"never","onCrash":"unknown"}`)
	p := b.one()
	delivery, _ := b.ledger(p)
	require.NoError(t, b.store.Claim(t.Context(), delivery, 0))
	got, err := b.deliver(p, activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateUnknown, got.State)
	require.Equal(t, []measured{{"standard", webhook.Unknown, false}}, b.meter.seen)
}

func TestADeliveryLeftToTheDurableLaneIsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(500))
	b.webhook(hourly)
	first, second := b.one(), b.one()
	_, err := b.deliver(first, activities.LaneFast, false)
	require.NoError(t, err)
	_, err = b.deliver(second, activities.LaneFast, false)
	require.NoError(t, err)
	require.Equal(t, []string{"fast fitness"}, b.meter.deferred, "it failed a moment ago")
	require.Equal(t, map[activities.Lane]int{activities.LaneFast: 1}, b.meter.posts, "nothing was sent")
}
