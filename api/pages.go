package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"posthaste/api/dashboard"
	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// newDashboard joins the dashboard to this API, which it asks for everything
// that changes anything.
func (s *server) newDashboard(deps Deps) error {
	var err error
	s.dashboard, err = dashboard.New(dashboard.Deps{
		Store: deps.Store, Providers: deps.Providers, DefaultProvider: deps.DefaultProvider, Sealer: deps.Sealer,
		Identify: s.identity, Ask: s.ask, WorkflowLink: s.events.links.workflow, Random: deps.Random, Now: deps.Now,
	})
	return err
}

// identity tells the dashboard whose a credential is.
func (s *server) identity(ctx context.Context, header http.Header) (dashboard.Identity, error) {
	who, err := identify(ctx, header, s.authenticators)
	return dashboard.Identity{
		Tenant: who.Tenant, Admin: who.Admin, Key: who.Key, Subject: who.Subject, ExpiresAt: who.ExpiresAt,
	}, err
}

// pages is the route table of the dashboard, as rows of this one.
func (s *server) pages() []route {
	kinds := map[bool]auth{true: authPublic, false: authDashboard}
	rows := []route{}
	for _, page := range s.dashboard.Routes() {
		rows = append(rows, route{page.Method, page.Path, kinds[page.Public], page.Handler})
	}
	return rows
}

// enter is the gate of the dashboard: it goes by the session's cookie and by no
// header.
func (s *server) enter(c *gin.Context) error {
	who, err := s.dashboard.Enter(c)
	if err != nil {
		return err
	}
	c.Set(keyTenant, who.Tenant)
	c.Set(keyAPIKey, who.Key)
	c.Set(keySubject, who.Subject)
	return nil
}

// handlePage runs the steps of a page up to the first error and shows that one
// as a page. A panic is shown as one too; if that cannot be, the middleware
// answers it.
func (s *server) handlePage(steps ...func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer recovered(c, s.failPage)
		for _, step := range steps {
			if err := step(c); err != nil {
				c.Set(keyError, err)
				s.failPage(c, err)
				return
			}
		}
	}
}

// failPage answers with the page of an error.
func (s *server) failPage(c *gin.Context, err error) {
	wire, coded := wireOf(err)
	if wire.status == http.StatusTooManyRequests || wire.status == http.StatusServiceUnavailable {
		c.Header("Retry-After", retryAfterSeconds(coded.RetryAfter))
	}
	s.dashboard.Fail(c, wire.status, coded)
}

// unknownPage answers a browser with a page where there is no route; everybody
// else gets the envelope.
func (s *server) unknownPage(c *gin.Context) {
	if strings.HasPrefix(c.Request.URL.Path, "/api") || !strings.Contains(c.GetHeader("Accept"), "text/html") {
		handle(unknownRoute)(c)
		return
	}
	s.handlePage(s.visited, func(*gin.Context) error { return notFound("page") })(c)
}

// visited notes who is signed in, if anybody is.
func (s *server) visited(c *gin.Context) error {
	if err := s.enter(c); err != nil && !errs.Is(err, errs.Unauthorized) {
		return err
	}
	return nil
}

// innerError is where a request that the dashboard makes leaves its error.
type innerError struct{}

// ask answers a request of the dashboard as if it had come over the network,
// with all that a route does; only the access log and the meter are those of
// the page.
func (s *server) ask(ctx context.Context, r dashboard.Request) (json.RawMessage, error) {
	var failure error
	ctx = context.WithValue(ctx, innerError{}, &failure)
	var body bytes.Buffer
	if r.Body != nil {
		if err := json.NewEncoder(&body).Encode(r.Body); err != nil {
			return nil, fmt.Errorf("encode a request of the dashboard: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, r.Path, &body)
	if err != nil {
		return nil, fmt.Errorf("make a request of the dashboard: %w", err)
	}
	for name, values := range r.Credential {
		request.Header[name] = values
	}
	request.Header.Set(headerRequestID, r.RequestID)
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer := &memory{header: http.Header{}}
	s.inner.ServeHTTP(answer, request)
	if failure != nil {
		return nil, failure
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(answer.body.Bytes(), &envelope); err != nil || answer.status >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s %s answered the dashboard %d: %w", r.Method, r.Path, answer.status, err)
	}
	return envelope.Data, nil
}

// newInner is the route table for requests of the dashboard.
func (s *server) newInner() http.Handler {
	router := gin.New()
	router.Use(withRequestID, leaveError, recovery)
	s.register(router, s.routes(), handle)
	return router
}

// leaveError hands an error to ask as it is: nothing of it is lost on the way
// through an answer.
func leaveError(c *gin.Context) {
	into, asked := c.Request.Context().Value(innerError{}).(*error)
	c.Next()
	if found, failed := c.Get(keyError); failed && asked {
		*into, _ = found.(error)
	}
}

// memory keeps an answer.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (m *memory) Header() http.Header { return m.header }

// WriteHeader implements http.ResponseWriter.
func (m *memory) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
	}
}

// Write implements http.ResponseWriter.
func (m *memory) Write(text []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	return m.body.Write(text)
}
