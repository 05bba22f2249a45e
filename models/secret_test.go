package models_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

const canary = "canary-7f3a-hush"

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	hook := models.Webhook{Secret: canary, PreviousSecret: canary}
	encoded, err := json.Marshal(hook)
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "hook", hook, "secret", hook.Secret)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "hook", hook, "secret", hook.Secret)
	printed := []string{string(encoded), log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		printed = append(printed, fmt.Sprintf(verb, hook), fmt.Sprintf(verb, hook.Secret), fmt.Sprintf(verb, &hook.Secret))
	}
	for _, text := range printed {
		require.NotContains(t, text, canary)
		require.NotContains(t, strings.ToLower(text), hex.EncodeToString([]byte(canary)))
	}
	require.Equal(t, canary, hook.Secret.Reveal())
}

// Nothing secret lies in the database: not in a column, not in the file.
func TestNothingSecretAtRest(t *testing.T) {
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			url := modelstest.URL(t, kind)
			w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
			hook := w.webhook("acme", func(h *models.Webhook) {
				h.Secret, h.PreviousSecret, h.Headers = canary, canary, map[string]string{"Authorization": canary}
			})
			a := attempt(200)
			a.RequestHeaders = [][2]string{{"Authorization", canary}}
			d := w.deliveryTo(hook)
			require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepDeliver, Attempt: a}))
			_, attempts := w.reload(d)
			require.Equal(t, a.RequestHeaders, attempts[0].RequestHeaders)

			for _, text := range everything(t, w.store, url) {
				require.NotContains(t, text, canary)
				require.NotContains(t, strings.ToLower(text), hex.EncodeToString([]byte(canary)))
			}
		})
	}
}

// everything returns all that the database holds.
func everything(t *testing.T, store *models.Store, url string) []string {
	t.Helper()
	var found []string
	if path, isFile := strings.CutPrefix(url, "sqlite://"); isFile {
		for _, file := range []string{path, path + "-wal"} {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			found = append(found, string(content))
		}
		require.Contains(t, strings.Join(found, ""), "order.paid", "this is where the rows are")
		return found
	}
	for _, table := range []string{"webhooks", "events", "deliveries", "attempts"} {
		rows, err := store.Texts("SELECT x::text FROM " + table + " x")
		require.NoError(t, err)
		require.NotEmpty(t, rows)
		found = append(found, rows...)
	}
	return found
}

// A sealed value opens only where it was sealed: moved to another row, tenant
// or column it is refused, and so it is under another key.
func TestSealedValuesCannotBeMoved(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, other := w.webhook("acme"), w.webhook("acme")
		for _, column := range []string{"secret", "headers"} {
			require.NoError(t, w.store.Exec("UPDATE webhooks SET "+column+" = (SELECT "+column+
				" FROM webhooks WHERE id = ?) WHERE id = ?", hook.ID, other.ID))
			_, err := w.store.Webhook(t.Context(), "acme", other.ID)
			requireCode(t, errs.Internal, err)
			require.ErrorContains(t, err, "keyset")
		}
		require.NoError(t, w.store.Exec("UPDATE webhooks SET previous_secret = secret WHERE id = ?", hook.ID))
		_, err := w.store.Webhook(t.Context(), "acme", hook.ID)
		requireCode(t, errs.Internal, err)
	})
}

func TestSealContexts(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, place := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"a", "b", "d"}} {
		context := string(models.SealContext(place[0], place[1], place[2]))
		require.False(t, seen[context], place)
		seen[context] = true
	}
}
