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
	mu   sync.Mutex
	seen []measured
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
		})
	}
}

func TestAttemptOfALostWorkerIsMeasuredAsUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(`{"mode":"never","onCrash":"unknown"}`)
	p := b.one()
	delivery, _ := b.ledger(p)
	require.NoError(t, b.store.Claim(t.Context(), delivery))
	got, err := b.deliver(p, activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateUnknown, got.State)
	require.Equal(t, []measured{{"standard", webhook.Unknown, false}}, b.meter.seen)
}
