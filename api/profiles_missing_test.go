package api

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// The profile of a stored webhook may be missing, after a restart without
// POSTHASTE_PROVIDERS_DIR: then its provider, parcels, is known to nobody here.

// loseProfile makes {webhook} one of a provider without a profile.
func loseProfile(status string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		hook := w.addWebhook(t, w.tenant, models.Webhook{
			Provider: "parcels", Status: status, StatusReason: "answered 410", URL: "https://hooks.acme.dev/parcels", Secret: seededSecret,
		})
		w.ids["webhook"] = hook.ID
		w.ids["fingerprint"] = w.fingerprint(t)
	}
}

func missingProfileScenarios() []scenario {
	const said = `"code":"UNAVAILABLE","message":"This process does not know the provider \"parcels\" of this webhook: its profile is missing from POSTHASTE_PROVIDERS_DIR"`
	one := "/api/webhooks/{webhook}"
	works := func(name, method, url, body string, status string, want ...string) scenario {
		return scenario{name: name, method: method, url: url, body: body, status: 200, want: want, arrange: loseProfile(status)}
	}
	fails := func(name, method, url, body string, status string) scenario {
		return scenario{
			name: name, method: method, url: url, body: body, status: 503, want: []string{said}, mustNot: []string{`"errors"`},
			arrange: loseProfile(status),
		}
	}
	invalid := func(name, method, url, body string) scenario {
		return scenario{name: name, method: method, url: url, body: body, status: 400, want: []string{`"errors":{"provider":"must be one of standard, `}}
	}
	return []scenario{
		works("get", "GET", one, "", models.StatusActive, `"provider":"parcels"`, `"timeoutSeconds":null`),
		works("list", "GET", "/api/webhooks", "", models.StatusActive, `"provider":"parcels"`),
		works("pause", "PATCH", one, `{"isActive":false}`, models.StatusActive, `"isActive":false`, `"status":"paused"`),
		works("pause what is broken", "PATCH", one, `{"isActive":false}`, models.StatusBroken, `"status":"paused"`),
		works("resume", "PATCH", one, `{"isActive":true}`, models.StatusPaused, `"isActive":true`, `"status":"active"`, `"statusReason":null`),
		works("resume what is broken", "PATCH", one, `{"isActive":true}`, models.StatusBroken, `"status":"active"`),
		works("pause what is gone", "PATCH", one, `{"isActive":false}`, models.StatusGone, `"status":"gone"`),
		works("delete", "DELETE", one, "", models.StatusActive, `"deleted":true`),

		fails("resume what is gone, perhaps for good", "PATCH", one, `{"isActive":true}`, models.StatusGone),
		fails("edit", "PATCH", one, `{"name":"Other"}`, models.StatusActive),
		fails("edit and pause", "PATCH", one, `{"isActive":false,"name":"Other"}`, models.StatusActive),
		fails("change nothing", "PATCH", one, `{}`, models.StatusActive),
		fails("rotate the secret", "POST", one+"/rotate-secret", "", models.StatusActive),
		fails("test", "POST", one+"/test", "", models.StatusActive),
		fails("test with one event", "POST", one+"/test", `{"event":"order.paid"}`, models.StatusPaused),
		{
			name: "a switch that is none", method: "PATCH", url: one, body: `{"isActive":"yes"}`, status: 400,
			arrange: loseProfile(models.StatusActive), want: []string{`"errors":{"isActive":"must be true or false"}`},
		},

		invalid("create one", "POST", "/api/webhooks", `{"provider":"parcels","url":"https://a.dev","events":["order.paid"]}`),
		invalid("send it an event", "POST", "/api/events", `{"provider":"parcels","type":"order.paid","data":{}}`),
		invalid("its catalogue", "GET", "/api/webhooks/events?provider=parcels", ""),
	}
}

func TestWebhooksWhoseProfileIsMissing(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		t.Helper()
		for i, s := range missingProfileScenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Helper()
				t.Parallel()
				s.run(t, store, fmt.Sprintf("profileless-%d", i))
			})
		}
	})
}

func TestPagesOfAWebhookWhoseProfileIsMissing(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		const said = "This process has no profile of the provider parcels."
		loseProfile(models.StatusActive)(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]
		shown := b.get(t, path)
		require.Equal(t, http.StatusOK, shown.status)
		for _, part := range []string{said, "POSTHASTE_PROVIDERS_DIR", "not known: the provider's profile is missing", "Pause", "/delete"} {
			require.Contains(t, shown.body, part)
		}
		for _, part := range []string{"0\u00a0s", "Send a test", path + "/edit", path + "/rotate", "the provider's policy"} {
			require.NotContains(t, shown.body, part)
		}
		for _, beneath := range []string{"/edit", "/rotate", "/test"} {
			for _, got := range []answer{b.get(t, path+beneath), b.post(t, path+beneath, url.Values{"name": {"Other"}})} {
				require.Equal(t, http.StatusServiceUnavailable, got.status, beneath)
				require.Contains(t, got.body, "parcels", beneath)
				require.Contains(t, got.body, "POSTHASTE_PROVIDERS_DIR", beneath)
				require.NotContains(t, got.body, "must be one of", beneath)
			}
		}
		for _, tab := range []string{"/attempts", "/deliveries", "/charts", "/replays", "/audit"} {
			require.Equal(t, http.StatusOK, b.get(t, path+tab).status, tab)
		}
		b.get(t, path)
		require.Contains(t, b.follow(t, b.post(t, path+"/pause", nil)).body, "is paused")
		require.Contains(t, b.follow(t, b.post(t, path+"/resume", nil)).body, "is active again")
		require.Contains(t, b.follow(t, b.post(t, path+"/delete", nil)).body, "was deleted")
	})
}

// TestPageShowsWhatAWebhookSaysItself has a webhook that needs no profile to tell
// its policy and time limit, and one that is gone, for good or not.
func TestPageShowsWhatAWebhookSaysItself(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		own := w.addWebhook(t, w.tenant, models.Webhook{
			Provider: "parcels", Status: models.StatusGone, URL: "https://hooks.acme.dev/own", Retry: []byte(`{"mode":"never"}`), TimeoutSeconds: 7,
		})
		shown := signedIn(t, w).get(t, "/webhooks/"+own.ID)
		for _, part := range []string{"Never: one attempt", "7\u00a0s per attempt", "answered 410 Gone"} {
			require.Contains(t, shown.body, part)
		}
		for _, part := range []string{"not known", "Resume", "that is final"} {
			require.NotContains(t, shown.body, part)
		}
	})
}
