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
		end := f.begin("w")
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
			f.begin("w")
			time.Sleep(slowAfter + time.Millisecond) //nolint:forbidigo // the clock of a synctest bubble
		}, false},
		{"in flight for a moment", func(f *fitness) { f.begin("w") }, true},
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
	f.begin("busy")
	for i := range fitnessKept + 10 {
		f.begin(fmt.Sprint(i))(answered)
	}
	require.LessOrEqual(t, len(f.webhooks), fitnessKept)
	require.Contains(t, f.webhooks, "busy")
}

func TestManyPostsWithoutAnyAnswerHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFitness(time.Now)
		end := f.begin("slow")
		for range hangingPosts {
			f.begin("slow")
			f.begin("silent")
		}
		for range hangingPosts - 1 {
			f.begin("few")
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
