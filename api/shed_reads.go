package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// How much this process gives out at one time. What a request reads is held from
// the ledger until the caller has taken the last of the answer, which may be the
// 60 s that the server gives it, and several times over while it is encoded. It
// has room of its own: whoever only reads must not keep events out.
//
// One tenant's part, a quarter, is 64 ordinary reads at once, or 21 of the heavy
// ones.
const (
	maxReadBytes   = 256 << 20
	ordinaryWeight = 1 << 20
	// heavyWeight is for what shows the bodies that went to a webhook or came from
	// it: a page of the history comes to 1 MiB of them as JSON, at most 2, and is
	// that in rows, as text and encoded.
	heavyWeight = 3 << 20
)

// readWeights are the routes whose answers weigh more than the ordinary ones, of
// the API and of the dashboard.
var readWeights = map[string]int64{
	"/api/webhooks/:id/history": heavyWeight,
	"/api/deliveries/:id":       heavyWeight,
	"/webhooks/:id/attempts":    heavyWeight,
	"/deliveries/:id":           heavyWeight,
}

// readWeight is the room that one request of a route takes.
func readWeight(path string) int64 { return max(ordinaryWeight, readWeights[path]) }

// boundRead lets requests through to a handler while there is room for so much. An
// answer that turns out to be longer takes the rest of its room before it is
// written.
func (s *shed) boundRead(weight int64, next func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		tenant := tenantOf(c)
		return s.within(tenant, weight, func() error {
			answer := &weighedAnswer{ResponseWriter: c.Writer, shed: s, tenant: tenant, weight: weight}
			c.Writer = answer
			defer func() {
				c.Writer = answer.ResponseWriter
				s.leave(tenant, answer.more)
			}()
			if err := next(c); err != nil {
				return err
			}
			return answer.refused
		})
	}
}

// weighedAnswer is an answer that is written in one piece, as all of this API are.
type weighedAnswer struct {
	gin.ResponseWriter
	shed    *shed
	tenant  string
	weight  int64 // that was taken before
	more    load  // that was taken for the answer itself
	refused error
}

// Write implements io.Writer. An answer that there is no room for is not begun, so
// that it can still become a refusal.
func (a *weighedAnswer) Write(text []byte) (int, error) {
	if more := (load{bytes: int64(len(text)) - a.weight}); more.bytes > 0 && !a.Written() {
		if a.refused = a.shed.enter(a.tenant, more); a.refused != nil {
			return 0, a.refused
		}
		a.more = more
	}
	return a.ResponseWriter.Write(text)
}

// Unwrap is what http.ResponseController looks for.
func (a *weighedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
