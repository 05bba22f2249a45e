package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// CheckTimeout bounds one readiness check: a part that takes longer to say that
// it is well is not well.
const CheckTimeout = 2 * time.Second

// Check is one part that has to work before this process should get requests.
// Run returns nil when it does; it must heed its context.
type Check struct {
	Name string // as GET /readyz shows it: database, temporal, worker
	Run  func(ctx context.Context) error
}

// health answers probes and the metrics scraper.
type health struct {
	checks   []Check
	exporter http.Handler
	logger   *slog.Logger
}

type statusBody struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

// live says that the process answers; it asks nothing else, so that an outage
// of the database never makes an orchestrator restart everything.
func (h *health) live(c *gin.Context) error {
	return respond(c, http.StatusOK, statusBody{Status: "ok"})
}

// ready says whether every part works, and names those that do not.
func (h *health) ready(c *gin.Context) error {
	failures := RunChecks(c.Request.Context(), h.checks)
	checks := map[string]string{}
	var failed []string
	for i, check := range h.checks {
		checks[check.Name] = "ok"
		if failures[i] != nil {
			failed = append(failed, check.Name)
			h.logger.WarnContext(c.Request.Context(), "not ready", "check", check.Name, "error", failures[i])
		}
	}
	if len(failed) > 0 {
		return errs.New(errs.Unavailable, "Not ready: %s", strings.Join(failed, ", "))
	}
	return respond(c, http.StatusOK, statusBody{Status: "ready", Checks: checks})
}

// RunChecks makes all checks side by side, so that none is given what another left
// of the time, and returns what each came to.
func RunChecks(ctx context.Context, checks []Check) []error {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	failures := make([]error, len(checks))
	var running sync.WaitGroup
	for i, check := range checks {
		running.Go(func() { failures[i] = check.Run(ctx) })
	}
	running.Wait()
	return failures
}

// metrics hands over to the exporter.
func (h *health) metrics(c *gin.Context) error {
	h.exporter.ServeHTTP(c.Writer, c.Request)
	return nil
}
