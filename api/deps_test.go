package api

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"posthaste/errs"
	"posthaste/models"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// validDeps are the dependencies of an API that answers nothing which needs the
// store.
func validDeps(t *testing.T) Deps {
	t.Helper()
	return Deps{
		Store: &models.Store{}, Starter: &fakeStarter{}, Providers: shippedProviders(t), DefaultProvider: "standard",
		JWTSecret: testSecret, Codec: fakeCodec{}, Sealer: testKeys(t), Random: rand.Reader, Now: clock, Logger: slog.New(slog.DiscardHandler),
		Checks: []Check{{"database", func(context.Context) error { return nil }}},
		Meter:  &tally{}, Metrics: http.NotFoundHandler(),
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want  string
		spoil func(*Deps)
	}{
		{"Store", func(d *Deps) { d.Store = nil }},
		{"Starter", func(d *Deps) { d.Starter = nil }},
		{"Providers", func(d *Deps) { d.Providers = nil }},
		{"DefaultProvider", func(d *Deps) { d.DefaultProvider = "" }},
		{"DefaultProvider", func(d *Deps) { d.DefaultProvider = "nobody" }},
		{"JWTSecret or KeySet", func(d *Deps) { d.JWTSecret = "" }},
		{"Codec", func(d *Deps) { d.Codec = nil }},
		{"Sealer", func(d *Deps) { d.Sealer = nil }},
		{"Checks", func(d *Deps) { d.Checks = nil }},
		{"Meter", func(d *Deps) { d.Meter = nil }},
		{"Metrics", func(d *Deps) { d.Metrics = nil }},
		{"TemporalNamespace", func(d *Deps) { d.TemporalUIURL = "http://ui" }},
		{"Random", func(d *Deps) { d.Random = nil }},
		{"Now", func(d *Deps) { d.Now = nil }},
		{"Logger", func(d *Deps) { d.Logger = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			deps := validDeps(t)
			tt.spoil(&deps)
			_, err := New(deps)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestNewAcceptsAKeySetAlone(t *testing.T) {
	t.Parallel()
	deps := validDeps(t)
	deps.JWTSecret, deps.KeySet = "", func(*jwt.Token) (any, error) { return nil, errs.New(errs.NotFound, "no key") }
	_, err := New(deps)
	require.NoError(t, err)
}

func TestPanicIsA500(t *testing.T) {
	t.Parallel()
	deps := validDeps(t)
	deps.Checks = []Check{{"database", func(context.Context) error { return nil }}}
	deps.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the secret cause") })
	handler, err := New(deps)
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, pathMetrics, nil))
	require.Equal(t, http.StatusInternalServerError, recorder.Code)
	require.Contains(t, recorder.Body.String(), `"code":"INTERNAL_ERROR"`)
	require.NotContains(t, recorder.Body.String(), "secret cause")
}
