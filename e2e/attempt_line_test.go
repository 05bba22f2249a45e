package e2e

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEachAttemptIsOneLine(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, statuses(500, 204))
	sys := install(t, settings{})
	process := sys.start("all").awaitReady()
	w := sys.createWebhook(rec.URL+"/hooks?token=secret-of-the-query", `"retry":{"mode":"schedule","delaysSeconds":[1]}`)
	event := sys.enqueue(paid)
	delivery := sys.awaitStates(event.ID, 20*time.Second, "delivered")[0]

	lines := process.lines("attempt")
	require.Len(t, lines, 2)
	always := []string{
		"time", "level", "msg", "tenant", "provider", "event", "type", "webhook", "host", "delivery", "attempt", "lane",
		"outcome", "status", "reason", "ms", "test",
	}
	first, second := lines[0], lines[1]
	require.ElementsMatch(t, append(slices.Clone(always), "nextAttemptAt"), slices.Collect(maps.Keys(first)))
	require.ElementsMatch(t, always, slices.Collect(maps.Keys(second)), "nothing follows")
	for _, line := range lines {
		require.Equal(t, "INFO", line["level"])
		require.Equal(t, "acme", line["tenant"])
		require.Equal(t, "standard", line["provider"])
		require.Equal(t, event.ID, line["event"])
		require.Equal(t, "order.paid", line["type"])
		require.Equal(t, w.ID, line["webhook"])
		require.Equal(t, rec.Listener.Addr().String(), line["host"], "neither path nor query")
		require.Equal(t, delivery.ID, line["delivery"])
		require.Equal(t, false, line["test"])
		require.GreaterOrEqual(t, line["ms"], 0.0)
	}
	require.Equal(t, []any{1.0, "fast", "retry", 500.0, "server_error"},
		[]any{first["attempt"], first["lane"], first["outcome"], first["status"], first["reason"]})
	require.Equal(t, []any{2.0, "durable", "delivered", 204.0, ""},
		[]any{second["attempt"], second["lane"], second["outcome"], second["status"], second["reason"]})
	next, err := time.Parse(time.RFC3339Nano, first["nextAttemptAt"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), next, time.Minute)
}
