// Package api is the HTTP API: it decodes, authorises, calls one thing and
// encodes. Each resource has a file with its own request and response types;
// router.go holds the table of all routes, errors.go the one map from errors to
// HTTP, and openapi.yaml the contract that tests hold both to.
package api

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"posthaste/api/dashboard"
	"posthaste/models"
	"posthaste/webhook/provider"
	"posthaste/workflows"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"go.opentelemetry.io/otel/trace"
)

// DefaultMaxEventBytes is the largest body of one event unless Deps say
// otherwise.
const DefaultMaxEventBytes = 256 << 10

// Store is everything the API asks of the ledger; *models.Store satisfies it.
// Each resource sees only its own part.
type Store interface {
	webhookStore
	eventStore
	recallStore
	deliveryStore
	replayStore
	historyStore
	statsStore
	auditStore
	tenantStore
	apiKeyStore
	dashboard.Store
	keyStore
}

var _ Store = (*models.Store)(nil)

// Starter is everything the API asks of Temporal; *workflows.Starter satisfies
// it. Each resource sees only its own part.
type Starter interface {
	eventStarter
	testStarter
	deliveryStarter
	replayStarter
}

var _ Starter = (*workflows.Starter)(nil)

// Deps are the parts that the API needs. Fields marked optional may be zero;
// New names any other that is missing.
type Deps struct {
	Store           Store
	Starter         Starter
	Providers       *provider.Registry
	DefaultProvider string            // of requests that name none
	URLRules        provider.URLRules // optional: the zero value permits https to public addresses alone

	JWTSecret string // HS256; one of JWTSecret and KeySet is needed, both may be given
	// JWTAudience and JWTIssuer are claims that tokens must have; optional.
	JWTAudience, JWTIssuer string
	KeySet                 jwt.Keyfunc // RS256, ES256, EdDSA; OpenKeySet makes one

	Codec   Codec            // opens what Temporal keeps sealed
	Sealer  dashboard.Sealer // seals the dashboard's cookies
	Checks  []Check          // what GET /readyz asks, in this order
	Meter   Meter            // told of requests and events
	Metrics http.Handler     // answers GET /metrics
	Tracer  trace.Tracer     // optional: makes a span of each request under /api

	TemporalUIURL     string // optional: events carry no link without it
	TemporalNamespace string // needed with TemporalUIURL

	MaxEventBytes int64     // optional: DefaultMaxEventBytes
	Random        io.Reader // where new secrets come from: crypto/rand.Reader
	Now           func() time.Time
	Logger        *slog.Logger
}

// check names every field that is missing.
func (d Deps) check() error {
	var missing []error
	for _, need := range []struct {
		field string
		ok    bool
	}{
		{"Store", d.Store != nil},
		{"Starter", d.Starter != nil},
		{"Providers", d.Providers != nil},
		{"DefaultProvider", d.DefaultProvider != ""},
		{"JWTSecret or KeySet", d.JWTSecret != "" || d.KeySet != nil},
		{"Codec", d.Codec != nil},
		{"Sealer", d.Sealer != nil},
		{"Checks", len(d.Checks) > 0},
		{"Meter", d.Meter != nil},
		{"Metrics", d.Metrics != nil},
		{"TemporalNamespace", d.TemporalUIURL == "" || d.TemporalNamespace != ""},
		{"Random", d.Random != nil},
		{"Now", d.Now != nil},
		{"Logger", d.Logger != nil},
	} {
		if !need.ok {
			missing = append(missing, fmt.Errorf("api.Deps needs %s", need.field))
		}
	}
	return errors.Join(missing...)
}

// server holds one handler struct per resource.
type server struct {
	logger         *slog.Logger
	meter          Meter
	tracer         trace.Tracer
	now            func() time.Time
	authenticators []authenticator
	door           *door
	shed           *shed // of what takes a body
	shedReads      *shed

	eventTypes *eventTypes
	webhooks   *webhooks
	tests      *tests
	history    *history
	stats      *stats
	audits     *audits
	events     *events
	deliveries *deliveries
	replays    *replays
	tenants    *tenants
	apiKeys    *apiKeys
	codec      *codecs
	health     *health
	docs       *docs

	dashboard *dashboard.Dashboard
	inner     http.Handler // the routes, for the dashboard
}

// New returns the API as one handler. It fails when a part is missing or the
// default provider is unknown.
func New(deps Deps) (http.Handler, error) {
	s, err := newServer(deps)
	if err != nil {
		return nil, err
	}
	return s.newRouter(), nil
}

func newServer(deps Deps) (*server, error) {
	if err := deps.check(); err != nil {
		return nil, err
	}
	profiles := profiles{registry: deps.Providers, otherwise: deps.DefaultProvider, rules: deps.URLRules}
	if _, err := profiles.chosen(""); err != nil {
		return nil, fmt.Errorf("api.Deps.DefaultProvider %q: %w", deps.DefaultProvider, err)
	}
	if deps.MaxEventBytes <= 0 {
		deps.MaxEventBytes = DefaultMaxEventBytes
	}
	quietGin()
	links := temporalLinks{base: strings.TrimRight(deps.TemporalUIURL, "/"), namespace: deps.TemporalNamespace}
	keys := newKeyAuthenticator(deps.Store, deps.Now, deps.Logger)
	rules := TokenRules{Secret: deps.JWTSecret, Audience: deps.JWTAudience, Issuer: deps.JWTIssuer}
	door := newDoor(deps.Store, deps.Now, deps.Logger)
	tokens := newJWTAuthenticator(rules, deps.KeySet, deps.Now)
	codec, err := newCodecs(deps, tokens)
	if err != nil {
		return nil, err
	}
	s := &server{
		logger:         deps.Logger,
		meter:          deps.Meter,
		tracer:         deps.Tracer,
		now:            deps.Now,
		authenticators: []authenticator{tokens, keys},
		door:           door,
		shed:           newShed(deps.Meter, maxInFlightBytes),
		shedReads:      newShed(deps.Meter, maxReadBytes),
		eventTypes:     &eventTypes{profiles: profiles},
		webhooks:       &webhooks{store: deps.Store, door: door, profiles: profiles, random: deps.Random, now: deps.Now},
		tests:          &tests{store: deps.Store, starter: deps.Starter, door: door, profiles: profiles, now: deps.Now},
		history:        &history{store: deps.Store},
		stats:          &stats{store: deps.Store},
		audits:         &audits{store: deps.Store},
		events: &events{
			store: deps.Store, known: newRecall(deps.Store), starter: deps.Starter,
			door: door, profiles: profiles, meter: deps.Meter, links: links, maxBytes: deps.MaxEventBytes, now: deps.Now,
		},
		deliveries: &deliveries{store: deps.Store, starter: deps.Starter, door: door, asked: newAsked(deps.Now)},
		replays:    &replays{store: deps.Store, starter: deps.Starter, door: door, now: deps.Now},
		tenants:    &tenants{store: deps.Store, door: door},
		apiKeys:    &apiKeys{store: deps.Store, authenticator: keys, random: deps.Random, now: deps.Now},
		codec:      codec,
		health:     &health{checks: deps.Checks, exporter: deps.Metrics, logger: deps.Logger},
		docs:       &docs{},
	}
	s.inner = s.newInner()
	return s, s.newDashboard(deps)
}

// quietGin keeps Gin from printing its route list on every start; it knows no
// other way than a mode of the whole process.
func quietGin() {
	if gin.Mode() == gin.DebugMode {
		gin.SetMode(gin.ReleaseMode)
	}
}
