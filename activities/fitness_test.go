package activities

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

func TestFitness(t *testing.T) {
	t.Parallel()
	// attempt makes one that takes so long and ends so.
	attempt := func(f *fitness, took time.Duration, ok bool) {
		end := f.begin("acme", "w")
		time.Sleep(took) //nolint:forbidigo // the clock of a synctest bubble
		end(map[bool]webhook.Outcome{true: {Kind: webhook.Delivered}, false: answered}[ok])
	}
	for _, tc := range []struct {
		name string
		give func(f *fitness)
		want bool
	}{
		{"never tried", func(*fitness) {}, true},
		{"good", func(f *fitness) { attempt(f, 50*time.Millisecond, true) }, true},
		{"failed last", func(f *fitness) { attempt(f, time.Millisecond, true); attempt(f, time.Millisecond, false) }, false},
		{"good again", func(f *fitness) { attempt(f, time.Millisecond, false); attempt(f, time.Millisecond, true) }, true},
		{"slow", func(f *fitness) { attempt(f, 2*time.Second, true) }, false},
		{"one slow of twenty", func(f *fitness) {
			attempt(f, 2*time.Second, true)
			for range fitnessSample - 1 {
				attempt(f, time.Millisecond, true)
			}
		}, true},
		{"two slow of twenty", func(f *fitness) {
			attempt(f, 2*time.Second, true)
			attempt(f, 2*time.Second, true)
			for range fitnessSample - 2 {
				attempt(f, time.Millisecond, true)
			}
		}, false},
		{"slow long ago", func(f *fitness) {
			for range 5 {
				attempt(f, 2*time.Second, true)
			}
			for range fitnessSample {
				attempt(f, time.Millisecond, true)
			}
		}, true},
		{"in flight for long", func(f *fitness) {
			f.begin("acme", "w")
			time.Sleep(slowAfter + time.Millisecond) //nolint:forbidigo // the clock of a synctest bubble
		}, false},
		{"in flight for a moment", func(f *fitness) { f.begin("acme", "w") }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFitness(time.Now)
				tc.give(f)
				require.Equal(t, tc.want, f.fit("w"))
				require.True(t, f.fit("another"))
			})
		})
	}
}

func TestFitnessForgetsIdleWebhooksWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	f := newFitness(time.Now)
	f.begin("acme", "busy")
	for i := range fitnessKept + 10 {
		f.begin("acme", fmt.Sprint(i))(answered)
	}
	require.LessOrEqual(t, len(f.webhooks), fitnessKept)
	require.Contains(t, f.webhooks, "busy")
}

func TestManyPostsWithoutAnyAnswerHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFitness(time.Now)
		end := f.begin("acme", "slow")
		for range hangingPosts {
			f.begin("acme", "slow")
			f.begin("acme", "silent")
		}
		for range hangingPosts - 1 {
			f.begin("acme", "few")
		}
		require.False(t, f.hangs("silent"), "they have only begun")
		time.Sleep(hangingFor + time.Millisecond) //nolint:forbidigo // the clock of the bubble
		end(answered)
		require.True(t, f.hangs("silent"))
		require.False(t, f.hangs("slow"), "it answers, if slowly")
		require.False(t, f.hangs("few"), "a few may wait for their timeouts")
		require.False(t, f.hangs("unknown"))
		time.Sleep(hangingFor) //nolint:forbidigo // the clock of the bubble
		require.True(t, f.hangs("slow"), "it has stopped to answer")
	})
}

// A tenant with many webhooks that do not answer has few POSTs in flight to each,
// those that do answer apart.
func TestATenantOfSilentWebhooksIsCrowded(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now()}
	f := newFitness(c.now)
	var ends []func(webhook.Outcome)
	for i := range unansweredOfTenant / 4 {
		for range 4 {
			ends = append(ends, f.begin("acme", fmt.Sprint("silent", i)))
		}
	}
	f.begin("acme", "one")
	require.True(t, f.crowded("acme", "silent7"))
	require.False(t, f.crowded("acme", "one"), "it may have another")
	require.False(t, f.crowded("acme", "new"))
	f.begin("zeta", "hers")
	f.begin("zeta", "hers")
	require.False(t, f.crowded("zeta", "hers"), "another tenant has its own")

	ends[0](webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonServerError})
	require.False(t, f.crowded("acme", "silent0"), "it has answered")
	for _, end := range ends[1:] {
		end(webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonTimeout})
	}
	require.Equal(t, map[string]int{"acme": 1, "zeta": 2}, f.unanswered)
}
