package dashboard

import (
	"strings"
	"testing"
	"time"

	"posthaste/models"
	"posthaste/webhook"

	"github.com/stretchr/testify/require"
)

// TestReplayLooksAsWellAsItWent gives a replay that has ended a colour by what
// it delivered, and shows what became of the rest.
func TestReplayLooksAsWellAsItWent(t *testing.T) {
	t.Parallel()
	replay := func(state string, found, delivered int) models.Replay {
		return models.Replay{State: state, Progress: models.ReplayProgress{Found: found, Delivered: delivered}}
	}
	for want, list := range map[string][]models.Replay{
		"good":  {replay(models.ReplayCompleted, 13, 13), replay(models.ReplayCompleted, 0, 0)},
		"warn":  {replay(models.ReplayCompleted, 13, 0), replay(models.ReplayCompleted, 13, 12), replay(models.ReplayRunning, 13, 0)},
		"bad":   {replay(models.ReplayStopped, 13, 13)},
		"quiet": {replay(models.ReplayCancelled, 13, 5)},
	} {
		for _, one := range list {
			require.Equal(t, want, replayTone(one), "%+v", one)
		}
	}

	one := replay(models.ReplayCompleted, 13, 0)
	one.Count, one.Progress.Failed, one.Progress.Skipped, one.Progress.Cancelled = 13, 5, 7, 1
	var page strings.Builder
	require.NoError(t, replayList(replaysView{Replays: []models.Replay{one}}).Render(t.Context(), &page))
	require.Contains(t, page.String(), `<span class="badge warn">completed</span>`)
	for what, count := range map[string]string{"delivered": "0", "failed": "5", "skipped": "7", "cancelled": "1"} {
		require.Contains(t, page.String(), `<span class="small-label">`+what+` </span>`+count+`</td>`)
	}
}

func TestReplayIsForeseenInASentence(t *testing.T) {
	t.Parallel()
	require.Equal(t, " again, in about 2 seconds.", replaysView{Count: 13, PerSecond: "10"}.againText())
	require.Equal(t, " again.", replaysView{Count: 13}.againText(), "without a rate there is no time")
}

// TestRequestIsSentOnlyWhereItWas goes by what ended the attempt.
func TestRequestIsSentOnlyWhereItWas(t *testing.T) {
	t.Parallel()
	status := 500
	require.Equal(t, "Request, as it was sent", requestTitle(models.Attempt{StatusCode: &status, Reason: string(webhook.ReasonServerError)}))
	require.Equal(t, "Request, as it would have been sent", requestTitle(models.Attempt{Reason: string(webhook.ReasonConnectionRefused)}))
	require.Equal(t, "Request", requestTitle(models.Attempt{Reason: string(webhook.ReasonTimeout)}), "it may have been")
}

func TestEveryMomentSaysItsZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 30, 15, 4, 5, 0, time.FixedZone("", 3600))
	var text strings.Builder
	require.NoError(t, stamp(at).Render(t.Context(), &text))
	require.NoError(t, ago(at).Render(t.Context(), &text))
	require.Equal(t, 4, strings.Count(text.String(), "2026-05-30 14:04:05 UTC"), "as text and under the pointer: %s", text.String())
	text.Reset()
	require.NoError(t, spanFields(spanFilter{}).Render(t.Context(), &text))
	require.Contains(t, text.String(), "From (UTC)")
	require.Contains(t, text.String(), "To (UTC)")
}
