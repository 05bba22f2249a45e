package api

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"posthaste/models"
	"posthaste/models/modelstest"

	"github.com/stretchr/testify/require"
)

// refusing are bodies that get far enough to be refused for who sends them.
var refusing = map[string]string{
	"PATCH /api/webhooks/:id": `{"name":"x"}`,
	"POST /api/events":        orderPaid,
	"POST /api/events/batch":  `{"events":[` + orderPaid + `]}`,
}

// TestSpecificationListsTheRefusals asks every route that knows its caller for
// what it refuses, and holds the statuses to those that the specification lists,
// none too few and none too many.
func TestSpecificationListsTheRefusals(t *testing.T) {
	t.Parallel()
	store := modelstest.Open(t, modelstest.SQLite)
	for i, row := range table(t) {
		if row.Auth == authPublic {
			continue
		}
		what := row.Method + " " + row.Path
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			given := map[int]bool{http.StatusUnauthorized: true, http.StatusInternalServerError: true, http.StatusServiceUnavailable: true}
			for why, refused := range refusals(t, row, what) {
				w := newWorld(t, store, fmt.Sprintf("%s-%d", why, i))
				given[refused.status] = given[refused.status] || refused.by(w) == refused.status
			}
			operation := readContract(t).document.Paths.Value(specificationPath(row.Path)).GetOperation(row.Method)
			for _, status := range []int{400, 401, 403, 404, 413, 415, 429, 500, 503} {
				require.Equal(t, given[status], operation.Responses.Status(status) != nil, "%s: %d", what, status)
			}
		})
	}
}

// refusedRequest is a request that some routes refuse, with one status.
type refusedRequest struct {
	status int
	by     func(w *world) int
}

func refusals(t *testing.T, row route, what string) map[string]refusedRequest {
	t.Helper()
	body, takes := refusing[what], takesBody(row.Method)
	if body == "" && takes {
		body = "{}"
	}
	send := func(w *world, query, text string, headers map[string]string) int {
		return w.send(t, row.Method, replaceID(row.Path, w.idFor(row.Path))+query, text, headers).status
	}
	all := map[string]refusedRequest{
		"query": {http.StatusBadRequest, func(w *world) int { return send(w, "?%zz", body, w.asks(row)) }},
		"inactive": {http.StatusForbidden, func(w *world) int {
			setTenant(models.TenantInactive, models.Limits{})(t, w)
			return send(w, "", body, nil)
		}},
		"scope": {http.StatusForbidden, func(w *world) int {
			return send(w, "", body, map[string]string{"Authorization": "-", "X-API-Key": w.ids["key.text"]})
		}},
		"limit": {http.StatusTooManyRequests, func(w *world) int {
			setTenant(models.TenantActive, models.Limits{EventsPerMinute: 1})(t, w)
			w.send(t, http.MethodPost, "/api/events", orderPaid, nil)
			return send(w, "", body, w.asks(row))
		}},
	}
	if strings.Contains(row.Path, ":id") {
		all["nobody"] = refusedRequest{http.StatusNotFound, func(w *world) int {
			return w.send(t, row.Method, replaceID(row.Path, "~"), body, w.asks(row)).status
		}}
	}
	if takes {
		maps.Copy(all, map[string]refusedRequest{
			"syntax": {http.StatusBadRequest, func(w *world) int { return send(w, "", "{bad", w.asks(row)) }},
			"length": {http.StatusRequestEntityTooLarge, func(w *world) int {
				return send(w, "", strings.Repeat(" ", maxBatchBytes+1), w.asks(row))
			}},
			"media": {http.StatusUnsupportedMediaType, func(w *world) int {
				headers := w.asks(row)
				headers["Content-Type"] = "text/plain"
				return send(w, "", body, headers)
			}},
		})
	}
	return all
}

// idFor is an id that the route finds something under.
func (w *world) idFor(path string) string {
	switch {
	case strings.HasPrefix(path, "/api/events/"):
		return w.ids["event"]
	case strings.HasPrefix(path, "/api/deliveries/"):
		return w.ids["delivery"]
	case strings.HasPrefix(path, "/api/api-keys/"):
		return w.ids["key"]
	case strings.HasPrefix(path, "/api/admin/"):
		return w.tenant
	}
	return w.ids["webhook"]
}

// asks are the headers of whoever may call the route.
func (w *world) asks(row route) map[string]string {
	if row.Auth == authAdmin || row.Auth == authOperator {
		return map[string]string{"Authorization": "Bearer " + w.ids["operator"]}
	}
	return map[string]string{}
}
