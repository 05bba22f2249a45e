package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/config"
)

// demoAPI is a stand-in for the API; that the real one takes these requests is
// for the whole-system tests to show.
type demoAPI struct {
	calls    []string
	webhooks []map[string]any
}

func (a *demoAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.calls = append(a.calls, r.Method+" "+r.URL.Path)
	if r.Header.Get("Authorization") != "Bearer token" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"no","errors":{"url":"must use https","events":"is required"}}`))
		return
	}
	var body map[string]any
	if r.Method != http.MethodGet {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	switch {
	case r.URL.Path == "/api/webhooks/w1/rotate-secret":
		a.webhooks[0]["secret"] = body["secret"]
	case r.Method == http.MethodPost:
		body["id"], body["status"] = "w1", "active"
		a.webhooks = append(a.webhooks, body)
	case r.Method == http.MethodPatch:
		if url, ok := body["url"]; ok {
			a.webhooks[0]["url"] = url
		}
		if body["isActive"] == true {
			a.webhooks[0]["status"] = "active"
		}
	case r.URL.Query().Get("cursor") == "": // the webhook is on the second page
		_, _ = w.Write([]byte(`{"data":[{"id":"w0","name":"other"}],"pagination":{"nextCursor":"2"}}`))
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"data": a.webhooks})
	}
}

func (a *demoAPI) stored(context.Context, string) (config.Secret, error) {
	return config.Secret(a.webhooks[0]["secret"].(string)), nil
}

// newDemo returns a demo whose webhook is there, on a stand-in that has
// forgotten how it came about.
func newDemo(t *testing.T) (demo, *demoAPI) {
	t.Helper()
	api := &demoAPI{}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	d := demo{api: server.URL, token: "token", target: "http://127.0.0.1:8090/webhooks", secret: demoSecret, stored: api.stored}
	repairs, err := d.ensure(t.Context())
	require.NoError(t, err)
	require.Empty(t, repairs)
	require.Equal(t, []string{"GET /api/webhooks", "GET /api/webhooks", "POST /api/webhooks"}, api.calls)
	api.calls = nil
	return d, api
}

func TestDemoWebhookIsMadeOnceAndRepaired(t *testing.T) {
	t.Parallel()
	const moved = "http://127.0.0.1:9090/webhooks"
	tests := []struct {
		name  string
		spoil func(d *demo, webhook map[string]any)
		calls []string // after those that find it
		want  []string
	}{
		{"as it was", func(*demo, map[string]any) {}, nil, nil},
		{"other ports", func(d *demo, _ map[string]any) { d.target = moved }, []string{"PATCH /api/webhooks/w1"}, nil},
		{"paused", func(_ *demo, w map[string]any) { w["status"] = "paused" },
			[]string{"PATCH /api/webhooks/w1"}, []string{"was paused and is active again"}},
		{"secret rotated", func(_ *demo, w map[string]any) { w["secret"] = "whsec_b3RoZXI=" },
			[]string{"POST /api/webhooks/w1/rotate-secret"}, []string{"signed with another secret than the receiver knows and was given the receiver's"}},
		{"all at once", func(d *demo, w map[string]any) { d.target, w["status"], w["secret"] = moved, "gone", "" },
			[]string{"PATCH /api/webhooks/w1", "POST /api/webhooks/w1/rotate-secret"},
			[]string{"was gone and is active again", "signed with another secret than the receiver knows and was given the receiver's"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, api := newDemo(t)
			tt.spoil(&d, api.webhooks[0])
			repairs, err := d.ensure(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.want, repairs)
			require.Equal(t, append([]string{"GET /api/webhooks", "GET /api/webhooks"}, tt.calls...), api.calls)
			require.Equal(t, []map[string]any{{
				"id": "w1", "provider": "standard", "name": demoName, "url": d.target,
				"events": []any{"*"}, "secret": demoSecret, "status": "active",
			}}, api.webhooks)
		})
	}
}

func TestDemoWebhookRefusedIsToldInOneSentence(t *testing.T) {
	t.Parallel()
	d, _ := newDemo(t)
	d.token = "another"
	_, err := d.ensure(t.Context())
	require.EqualError(t, err, "the demo webhook cannot be set up: GET /api/webhooks?limit=100&provider=standard&cursor= answered 401: no; events is required; url must use https (--demo=false starts without it)")
}
