package send

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

const canaryWord = "s3cr3t"

// loaded puts the canary wherever a request can hold a secret.
func loaded(r Request) Request {
	r.URL += "/" + canaryWord + "-path/?token=" + canaryWord + "-query#" + canaryWord + "-fragment"
	r.Header = []Header{{"X-Api-Key", canaryWord + "-header"}, {"Authorization", "Bearer " + canaryWord}}
	r.Body = []byte(`{"secret":"` + canaryWord + `-body"}`)
	return r
}

func requireNoLeak(t *testing.T, got Result) {
	t.Helper()
	require.NotEmpty(t, got.Outcome.Detail)
	text := fmt.Sprintf("%+v", got.Outcome)
	require.NotContains(t, text, canaryWord)
	require.NotContains(t, text, "?")
	require.NotContains(t, text, "\n")
}

func TestNoFailureLeaks(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			s, request := sc.start(t)
			request = loaded(request)
			requireNoLeak(t, s.Send(t.Context(), request))
		})
	}
	bad := map[string]Request{
		"control character": loaded(post("http://127.0.0.1\x7f")),
		"credentials":       loaded(post("http://" + canaryWord + ":" + canaryWord + "@127.0.0.1:9")),
		"scheme":            loaded(post(canaryWord + "://127.0.0.1:9")),
		"port":              loaded(post("http://127.0.0.1:99999")),
		"escape":            {URL: "http://127.0.0.1:9/%zz" + canaryWord},
		"header name":       {URL: "http://127.0.0.1:9", Header: []Header{{canaryWord + "\n", "x"}}},
		"header value":      {URL: "http://127.0.0.1:9", Header: []Header{{"X-Api-Key", canaryWord + "\n"}}},
	}
	s := newSender(t)
	for name, request := range bad {
		got := s.Send(t.Context(), request)
		require.Equal(t, webhook.ReasonBadRequest, got.Outcome.Reason, name)
		requireNoLeak(t, got)
	}
}

func TestEveryStatusDetailLeaksNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://elsewhere.test/"+canaryWord)
		w.WriteHeader(map[string]int{"1": 201, "2": 302, "3": 404, "4": 410, "5": 429, "6": 500}[r.Header.Get("X-Case")])
		_, _ = w.Write([]byte(canaryWord))
	}))
	t.Cleanup(server.Close)
	s := newSender(t)
	for number := range 6 {
		request := loaded(post(server.URL))
		request.Header = append(request.Header, Header{"X-Case", fmt.Sprint(number + 1)})
		requireNoLeak(t, s.Send(t.Context(), request))
	}
}

// TestInterrupted cancels every attempt that hangs, in every phase.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ends := map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled before": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
		"cancelled in the middle": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(instant, func() { cancel(fmt.Errorf("shutting down: %s", canaryWord)) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		},
		"the caller's own deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, instant)
		},
	}
	for _, sc := range scenarios() {
		if !sc.hangs {
			continue
		}
		for name, end := range ends {
			t.Run(sc.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				s, request := sc.start(t)
				request = loaded(request)
				request.Timeout = patient
				ctx, cancel := end(t.Context())
				defer cancel()
				got := s.Send(ctx, request)
				require.True(t, got.Interrupted, got.Outcome.Detail)
				require.Equal(t, webhook.Retry, got.Outcome.Kind)
				require.Equal(t, webhook.ReasonWorkerLost, got.Outcome.Reason)
				require.True(t, strings.HasPrefix(got.Outcome.Detail, "we stopped before "), got.Outcome.Detail)
				require.Less(t, got.Duration, patient/2)
				requireNoLeak(t, got)
			})
		}
	}
}
