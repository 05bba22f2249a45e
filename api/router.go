package api

import (
	"net/http"

	"posthaste/api/dashboard"
	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// Paths that the middleware knows too.
const (
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
	pathBatch   = "/api/events/batch"
)

// route is one row of the route table. Nothing is registered outside it.
type route struct {
	Method  string
	Path    string
	Auth    auth
	Handler func(*gin.Context) error
}

// routes is the route table: everything this API answers to. What makes or
// sends something new is for active tenants alone. Reading, taking away and
// rotating a secret are for all; webhooks.update lets all pause.
func (s *server) routes() []route {
	active := s.door.active
	return []route{
		{http.MethodGet, "/api/webhooks/events", authPublic, s.eventTypes.list},

		{http.MethodGet, "/api/webhooks", authTenant, s.webhooks.list},
		{http.MethodPost, "/api/webhooks", authTenant, active(s.webhooks.create)},
		{http.MethodGet, "/api/webhooks/:id", authTenant, s.webhooks.get},
		{http.MethodPatch, "/api/webhooks/:id", authTenant, s.webhooks.update},
		{http.MethodDelete, "/api/webhooks/:id", authTenant, s.webhooks.delete},
		{http.MethodPost, "/api/webhooks/:id/rotate-secret", authTenant, s.webhooks.rotateSecret},
		{http.MethodPost, "/api/webhooks/:id/test", authTenant, active(s.tests.send)},
		{http.MethodGet, "/api/webhooks/:id/history", authTenant, s.history.list},
		{http.MethodGet, "/api/webhooks/:id/deliveries", authTenant, s.deliveries.list},
		{http.MethodGet, "/api/webhooks/:id/stats", authTenant, s.stats.ofWebhook},
		{http.MethodGet, "/api/webhooks/:id/audit", authTenant, s.audits.list},

		{http.MethodPost, "/api/webhooks/:id/replay", authTenant, active(s.replays.create)},
		{http.MethodGet, "/api/webhooks/:id/replays", authTenant, s.replays.list},
		{http.MethodGet, "/api/replays/:id", authTenant, s.replays.get},
		{http.MethodDelete, "/api/replays/:id", authTenant, s.replays.cancel},

		{http.MethodPost, "/api/events", authTenant, active(s.events.create)},
		{http.MethodPost, pathBatch, authTenant, active(s.events.createBatch)},
		{http.MethodGet, "/api/events", authTenant, s.events.list},
		{http.MethodGet, "/api/events/:id", authTenant, s.events.get},

		{http.MethodGet, "/api/stats", authTenant, s.stats.ofTenant},

		{http.MethodGet, "/api/deliveries/:id", authTenant, s.deliveries.get},
		{http.MethodPost, "/api/deliveries/:id/retry", authTenant, active(s.deliveries.retry)},

		{http.MethodGet, "/api/api-keys", authTenant, s.apiKeys.list},
		{http.MethodPost, "/api/api-keys", authToken, s.apiKeys.create},
		{http.MethodDelete, "/api/api-keys/:id", authToken, s.apiKeys.delete},

		{http.MethodGet, "/api/admin/tenants/:id", authAdmin, s.tenants.get},
		{http.MethodPut, "/api/admin/tenants/:id", authAdmin, s.tenants.put},

		{http.MethodGet, PathCodec, authPublic, s.codec.page},
		{http.MethodPost, PathCodec + "/sign-in", authPublic, s.codec.signIn},
		{http.MethodPost, PathCodec + "/sign-out", authPublic, s.codec.signOut},
		{http.MethodOptions, pathDecode, authPublic, s.codec.preflight},
		{http.MethodPost, pathDecode, authOperator, s.codec.decode},

		{http.MethodGet, "/api/openapi.yaml", authPublic, s.docs.specification},
		{http.MethodGet, "/api/docs", authPublic, s.docs.page},
		{http.MethodGet, "/api/docs/:file", authPublic, s.docs.file},
		{http.MethodGet, pathHealth, authPublic, s.health.live},
		{http.MethodGet, pathReady, authPublic, s.health.ready},
		{http.MethodGet, pathMetrics, authPublic, s.health.metrics},
	}
}

// newRouter registers the route table behind the middleware.
func (s *server) newRouter() http.Handler {
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.HandleMethodNotAllowed = true // for the Allow header
	router.Use(withRequestID)
	if s.tracer != nil {
		router.Use(traced(s.tracer))
	}
	router.Use(withSecurityHeaders, accessLog(s.logger, s.now), measured(s.meter, s.now), s.codec.share, recovery)
	s.register(router, s.routes(), handle)
	s.register(router, s.pages(), s.handlePage)
	router.NoRoute(s.unknownPage)
	router.NoMethod(handle(unknownMethod))
	return router
}

// register adds the rows of a table; answer makes one handler of a row's steps.
func (s *server) register(router *gin.Engine, rows []route, answer func(...func(*gin.Context) error) gin.HandlerFunc) {
	for _, row := range rows {
		handler := answer(s.limited(row)...)
		router.Handle(row.Method, row.Path, handler)
		if row.Method == http.MethodGet {
			router.HEAD(row.Path, handler) // RFC 9110, section 9.3.2; net/http sends no body
		}
	}
}

// limited returns the steps of a route within its time and, where it takes a body
// from a known caller or shows one something, within what this process takes in
// and gives out at one time. Strangers are refused before, so that they take no
// room.
func (s *server) limited(row route) []func(*gin.Context) error {
	timeout, maxBody := requestTimeout, max(s.events.maxBytes, maxResourceBytes)
	switch row.Path {
	case pathBatch:
		timeout, maxBody = batchTimeout, maxBatchBytes
	case pathDecode:
		maxBody = maxCodecBytes
	}
	handler, gate := row.Handler, authorise(row.Auth, s.authenticators)
	if row.Auth == authDashboard {
		gate, maxBody = s.enter, dashboard.MaxFormBytes
	}
	switch {
	case row.Method == http.MethodGet && row.Auth != authPublic:
		handler = s.shedReads.boundRead(readWeight(row.Path), handler)
	case !takesBody(row.Method):
	case row.Auth == authPublic:
		handler = hurried(formPatience, handler)
	default:
		handler = s.shed.bound(maxBody, hurried(bodyPatience, handler))
	}
	return []func(*gin.Context) error{timed(timeout, gate, handler)}
}

// handle runs the steps of a request up to the first error and answers that
// one. It is the only place where an error of a handler is written.
func handle(steps ...func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, step := range steps {
			if err := step(c); err != nil {
				c.Set(keyError, err)
				writeError(c, err)
				return
			}
		}
	}
}

func unknownRoute(*gin.Context) error {
	return errs.New(errs.NotFound, "There is no such route; GET /api/openapi.yaml lists them")
}

// unknownMethod is not found too: the closed list of codes has no 405. The
// Allow header, set by the router, names what the path does answer to.
func unknownMethod(c *gin.Context) error {
	return errs.New(errs.NotFound, "This path does not answer to %s", c.Request.Method)
}
