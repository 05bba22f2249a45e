package activities

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

var (
	silent   = webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonTimeout}
	answered = webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonServerError, StatusCode: 500}
)

func tripped(t *testing.T) *breakers {
	t.Helper()
	b := newBreakers(time.Now)
	for range tripAfter {
		_, wait := b.allow("w")
		require.Zero(t, wait)
		b.note("w", silent)
	}
	return b
}

func TestBreakerOpensAfterAttemptsWithoutAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := tripped(t)
		_, wait := b.allow("w")
		require.Equal(t, openFor, wait)
		_, wait = b.allow("another")
		require.Zero(t, wait, "a breaker is its webhook's own")

		time.Sleep(openFor - time.Second) //nolint:forbidigo // the clock of the bubble
		_, wait = b.allow("w")
		require.Equal(t, time.Second, wait)
	})
}

func TestAnyAnswerKeepsTheBreakerClosed(t *testing.T) {
	t.Parallel()
	b := newBreakers(time.Now)
	for range 100 {
		for range tripAfter - 1 {
			b.note("w", silent)
		}
		b.note("w", answered)
	}
	_, wait := b.allow("w")
	require.Zero(t, wait)
	require.Empty(t, b.webhooks, "a webhook that answers takes no memory")
}

func TestHalfOpenBreakerLetsProbesThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := tripped(t)
		time.Sleep(openFor) //nolint:forbidigo // the clock of the bubble
		for range probesAtOnce {
			probe, wait := b.allow("w")
			require.True(t, probe)
			require.Zero(t, wait)
		}
		_, wait := b.allow("w")
		require.Equal(t, openFor, wait, "no more probes than that")

		b.note("w", silent)
		b.probed("w")
		_, wait = b.allow("w")
		require.Equal(t, openFor, wait, "the first probe was not answered")

		time.Sleep(openFor) //nolint:forbidigo // the clock of the bubble
		probe, _ := b.allow("w")
		require.True(t, probe, "the place of the first probe is free again")
		b.note("w", answered)
		b.probed("w")
		probe, wait = b.allow("w")
		require.False(t, probe)
		require.Zero(t, wait, "an answer closes it")
	})
}

func TestAWebhookThatHangsIsTrippedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreakers(time.Now)
		b.trip("w")
		_, wait := b.allow("w")
		require.Equal(t, openFor, wait)
		time.Sleep(openFor / 2) //nolint:forbidigo // the clock of the bubble
		b.trip("w")
		_, wait = b.allow("w")
		require.Equal(t, openFor/2, wait, "tripping again changes nothing")
	})
}
