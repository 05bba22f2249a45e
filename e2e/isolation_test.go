package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// isolationChecks is how many worlds of two tenants are played through, unless
// -rapid.checks says otherwise.
const isolationChecks = "12"

// party is one tenant of a world: what it owns, by the model.
type party struct {
	name       string
	token      string
	mark       string // in everything that the tenant makes, and in nothing else
	webhooks   map[string]string
	gone       map[string]bool   // webhooks that were deleted
	events     map[string]bool   // true once the ledger was seen to have it
	deliveries map[string]string // and the webhook of each
	keys       map[string]string // API keys, by id
	replays    map[string]string // and the webhook of each
	operations string            // the webhook that is told what becomes of the others
	made       int
}

// ids lists everything of a party that a stranger could name.
func (p *party) ids() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, set := range []map[string]string{p.webhooks, p.deliveries, p.keys, p.replays} {
			for id := range set {
				if !yield(id) {
					return
				}
			}
		}
		if p.operations != "" && !yield(p.operations) {
			return
		}
		for _, set := range []map[string]bool{p.events, p.gone} {
			for id := range set {
				if !yield(id) {
					return
				}
			}
		}
	})
}

// neighbours is one world: two tenants of one installation and what each owns.
type neighbours struct {
	*isolation
	parties [2]*party
}

// isolation is the installation, and how often each route was called for one's
// own things and for another's.
type isolation struct {
	sys    *system
	target string
	admin  string
	worlds atomic.Int64
	own    map[string]int
	others map[string]int
}

func (i *isolation) sign(tenant, scope string) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"tenant": tenant, "scope": scope, "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte("e2e-secret-of-at-least-32-bytes-long"))
	require.NoError(i.sys.t, err)
	return token
}

// begin makes two new tenants, each with a webhook, a delivered event and a key.
func (i *isolation) begin(t *rapid.T) *neighbours {
	n := &neighbours{isolation: i}
	world := i.worlds.Add(1)
	for side := range n.parties {
		name := fmt.Sprintf("world-%d-%d", world, side)
		p := &party{
			name: name, token: i.sign(name, ""), mark: "mark-" + uuid.NewString(),
			webhooks: map[string]string{}, gone: map[string]bool{}, events: map[string]bool{},
			deliveries: map[string]string{}, keys: map[string]string{}, replays: map[string]string{},
		}
		n.parties[side] = p
	}
	for side := range n.parties {
		c := n.as(t, side, false)
		c.createWebhook()
		c.createOperations()
		c.createKey()
		id := c.createEvent("")
		require.Eventually(t, func() bool { return c.readEvent(id, true) && len(c.party.deliveries) > 0 }, 20*time.Second, 5*time.Millisecond)
		c.kind = "own"
		c.replay()
	}
	return n
}

// caller is one tenant making one call.
type caller struct {
	*neighbours
	t     *rapid.T
	party *party
	other *party
	token string
	key   string // an API key instead of the token
	kind  string // of ids: drawn unless set
}

func (n *neighbours) as(t *rapid.T, side int, maybeKey bool) *caller {
	c := &caller{neighbours: n, t: t, party: n.parties[side], other: n.parties[1-side], token: n.parties[side].token}
	if keys := slices.Sorted(maps.Keys(c.party.keys)); maybeKey && len(keys) > 0 && rapid.Bool().Draw(t, "by API key") {
		c.token, c.key = "", c.party.keys[rapid.SampledFrom(keys).Draw(t, "key")]
	}
	return c
}

// call makes a request and holds the answer to what must hold for every one: it
// is no fault of ours, and it shows nothing of the other tenant.
func (c *caller) call(route, id, body string, headers ...string) (int, answer) {
	method, path, _ := strings.Cut(route, " ")
	path = strings.Replace(path, "{id}", id, 1)
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.sys.api+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if c.key != "" {
		request.Header.Set("X-Api-Key", c.key)
	} else {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	a := answer{raw: string(text), header: response.Header}
	require.NoError(c.t, json.Unmarshal(text, &a), "%s %s: %s", method, path, text)
	require.Less(c.t, response.StatusCode, 500, "%s %s: %s", method, path, text)
	whole := a.raw + fmt.Sprint(a.header)
	require.NotContains(c.t, whole, c.other.mark, "%s %s", method, path)
	require.NotContains(c.t, whole, c.other.name, "%s %s", method, path)
	for _, foreign := range c.other.ids() {
		if foreign != id && !strings.Contains(body+path, foreign) {
			require.NotContains(c.t, whole, foreign, "%s %s", method, path)
		}
	}
	return response.StatusCode, a
}

// pick draws an id for a route: one of the caller's own, one of the other's, one
// of another kind, or one that nobody has.
func (c *caller) pick(route string, own, foreign []string) (id string, isOwn bool) {
	kind := c.kind
	if kind == "" {
		kind = rapid.SampledFrom([]string{"foreign", "own", "other kind", "foreign", "own", "nobody's"}).Draw(c.t, "id")
	}
	switch {
	case kind == "own" && len(own) > 0:
		c.own[route]++
		return rapid.SampledFrom(own).Draw(c.t, "which"), true
	case kind == "foreign" && len(foreign) > 0:
		c.others[route]++
		return rapid.SampledFrom(foreign).Draw(c.t, "which"), false
	case kind == "other kind":
		mixed := slices.DeleteFunc(append(c.party.ids(), c.other.ids()...), func(id string) bool { return slices.Contains(own, id) || c.party.gone[id] || id == c.party.operations })
		return rapid.SampledFrom(mixed).Draw(c.t, "which"), false
	}
	return uuid.Must(uuid.NewV7()).String(), false
}

// reach calls a route with an id of any kind. What is not the caller's own is
// not found, whatever it is.
func (c *caller) reach(route string, own, foreign []string, body string, headers ...string) (id string, a answer, isOwn bool) {
	id, isOwn = c.pick(route, own, foreign)
	code, a := c.call(route, id, body, headers...)
	if !isOwn {
		require.Equal(c.t, http.StatusNotFound, code, "%s with %s: %s", route, id, a.raw)
		require.Equal(c.t, "NOT_FOUND", a.Code)
		return id, a, false
	}
	require.Less(c.t, code, 300, "%s with one's own %s: %s", route, id, a.raw)
	return id, a, true
}

func (c *caller) hooks() (own, foreign []string) {
	return slices.Sorted(maps.Keys(c.party.webhooks)), slices.Sorted(maps.Keys(c.other.webhooks))
}

func (c *caller) dead() (own, foreign []string) {
	own, foreign = c.hooks()
	return append(own, slices.Sorted(maps.Keys(c.party.gone))...), append(foreign, slices.Sorted(maps.Keys(c.other.gone))...)
}

func (c *caller) createWebhook() {
	c.party.made++
	body := fmt.Sprintf(`{"name":"%s","url":"%s/%s/%d","events":["*"],"headers":{"X-Mark":"%s"},"retry":{"mode":"never"}}`,
		c.party.mark, c.target, c.party.mark, c.party.made, c.party.mark)
	code, a := c.call("POST /api/webhooks", "", body)
	require.Equal(c.t, http.StatusCreated, code, a.raw)
	c.remember(into[hook](c.sys.t, a).ID)
}

// createOperations makes the webhook that is told what becomes of the others, by
// their marked names.
func (c *caller) createOperations() {
	body := fmt.Sprintf(`{"provider":"operations","name":"%s","url":"%s/%s/operations","events":["*"]}`, c.party.mark, c.target, c.party.mark)
	code, a := c.call("POST /api/webhooks", "", body)
	require.Equal(c.t, http.StatusCreated, code, a.raw)
	c.party.operations = into[hook](c.sys.t, a).ID
}

// remember reads a webhook as it is now, for later comparison.
func (c *caller) remember(id string) {
	code, a := c.call("GET /api/webhooks/{id}", id, "")
	require.Equal(c.t, http.StatusOK, code, a.raw)
	c.party.webhooks[id] = string(a.Data)
}

func (c *caller) createKey() {
	if c.key != "" {
		return
	}
	code, a := c.call("POST /api/api-keys", "", fmt.Sprintf(`{"name":%q}`, c.party.mark))
	require.Equal(c.t, http.StatusCreated, code, a.raw)
	made := into[struct{ ID, Key string }](c.sys.t, a)
	c.party.keys[made.ID] = made.Key
}

// replay starts a replay, if it may.
func (c *caller) replay() {
	const route = "POST /api/webhooks/{id}/replay"
	own, foreign := c.hooks()
	id, isOwn := c.pick(route, own, foreign)
	code, a := c.call(route, id, `{"since":"2026-01-01T00:00:00Z","status":"all","perSecond":100}`)
	want := []int{http.StatusNotFound}
	if isOwn { // one may be running, or the webhook may be paused
		want = []int{http.StatusAccepted, http.StatusConflict}
	}
	require.Contains(c.t, want, code, a.raw)
	if code == http.StatusAccepted {
		c.party.replays[into[struct{ ID string }](c.sys.t, a).ID] = id
	}
}

func (c *caller) event() string {
	return fmt.Sprintf(`{"type":"order.paid","data":{"mark":%q}}`, c.party.mark)
}

func (c *caller) createEvent(key string) string {
	var headers []string
	if key != "" {
		headers = []string{"Idempotency-Key", key}
	}
	code, a := c.call("POST /api/events", "", c.event(), headers...)
	require.Contains(c.t, []int{http.StatusAccepted, http.StatusOK}, code, a.raw)
	taken := into[accepted](c.sys.t, a)
	if code == http.StatusOK {
		require.Contains(c.t, c.party.events, taken.ID, "a key is a tenant's own")
	}
	if !c.party.events[taken.ID] {
		c.party.events[taken.ID] = false // known to the model, not seen in the ledger yet
	}
	return taken.ID
}

// readEvent reads one event and learns of its deliveries.
func (c *caller) readEvent(id string, isOwn bool) bool {
	code, a := c.call("GET /api/events/{id}", id, "")
	if !isOwn || code == http.StatusNotFound && !c.party.events[id] { // it may not be in the ledger yet
		require.Equal(c.t, http.StatusNotFound, code, a.raw)
		return false
	}
	require.Equal(c.t, http.StatusOK, code, a.raw)
	c.party.events[id] = true
	for _, d := range into[seenEvent](c.sys.t, a).Deliveries {
		if _, there := c.party.webhooks[d.WebhookID]; there {
			c.party.deliveries[d.ID] = d.WebhookID
		}
	}
	return true
}

// list reads a list to its end, with cursors, and returns the ids in it. Begun
// with another tenant's cursor, it may show less, but nothing of theirs.
func (c *caller) list(route, id string) []string {
	if narrow := filters()[route]; len(narrow) > 0 {
		filter := rapid.SampledFrom(narrow).Draw(c.t, "filter")
		code, a := c.call(route+"?limit=3&"+filter, id, "")
		require.Equal(c.t, http.StatusOK, code, "%s?%s: %s", route, filter, a.raw)
	}
	var ids []string
	cursor := ""
	for range 50 {
		code, a := c.call(route+"?limit=3&cursor="+cursor, id, "")
		require.Equal(c.t, http.StatusOK, code, "%s: %s", route, a.raw)
		for _, item := range into[[]struct{ ID string }](c.sys.t, a) {
			ids = append(ids, item.ID)
		}
		if a.Pagination.NextCursor == nil {
			return ids
		}
		cursor = *a.Pagination.NextCursor
		foreign := c.neighbours.as(c.t, c.side(c.other), false)
		code, a = foreign.call(route+"?limit=3&cursor="+cursor, id, "")
		require.Contains(c.t, []int{http.StatusOK, http.StatusBadRequest, http.StatusNotFound}, code, a.raw)
	}
	return ids
}

func (n *neighbours) side(p *party) int {
	if n.parties[0] == p {
		return 0
	}
	return 1
}

// actions has one for each route that needs a credential of a tenant, or of an
// operator.
func (n *neighbours) actions() map[string]func(*caller) {
	return map[string]func(*caller){
		"POST /api/webhooks": (*caller).createWebhook,
		"GET /api/webhooks": func(c *caller) {
			own, _ := c.hooks()
			require.ElementsMatch(c.t, append(own, c.party.operations), c.list("GET /api/webhooks", ""))
		},
		"GET /api/webhooks/{id}": func(c *caller) {
			own, foreign := c.hooks()
			if id, a, isOwn := c.reach("GET /api/webhooks/{id}", own, foreign, ""); isOwn {
				require.Equal(c.t, c.party.webhooks[id], string(a.Data), "nobody else changed it")
			}
		},
		"PATCH /api/webhooks/{id}": func(c *caller) {
			own, foreign := c.hooks()
			body := fmt.Sprintf(`{"name":"%s %d","isActive":%v}`, c.party.mark, rapid.IntRange(0, 9).Draw(c.t, "n"), rapid.IntRange(0, 3).Draw(c.t, "active") > 0)
			if id, _, isOwn := c.reach("PATCH /api/webhooks/{id}", own, foreign, body); isOwn {
				c.remember(id)
			}
		},
		"DELETE /api/webhooks/{id}": func(c *caller) {
			if len(c.party.webhooks) == 1 {
				c.createWebhook() // one stays, so that there is something to see
			}
			own, foreign := c.hooks()
			id, _, isOwn := c.reach("DELETE /api/webhooks/{id}", own, foreign, "")
			if isOwn {
				delete(c.party.webhooks, id)
				c.party.gone[id] = true
				maps.DeleteFunc(c.party.deliveries, func(_, webhook string) bool { return webhook == id })
				maps.DeleteFunc(c.party.replays, func(_, webhook string) bool { return webhook == id })
			}
		},
		"POST /api/webhooks/{id}/rotate-secret": func(c *caller) {
			own, foreign := c.hooks()
			if id, _, isOwn := c.reach("POST /api/webhooks/{id}/rotate-secret", own, foreign, ""); isOwn {
				c.remember(id)
			}
		},
		"POST /api/webhooks/{id}/test": func(c *caller) {
			own, foreign := c.hooks()
			c.reach("POST /api/webhooks/{id}/test", own, foreign, `{"event":"order.paid"}`)
		},
		"GET /api/webhooks/{id}/history": func(c *caller) {
			own, foreign := c.hooks()
			if id, _, isOwn := c.reach("GET /api/webhooks/{id}/history", own, foreign, ""); isOwn {
				c.list("GET /api/webhooks/{id}/history", id)
			}
		},
		"GET /api/webhooks/{id}/deliveries": func(c *caller) {
			own, foreign := c.hooks()
			if id, _, isOwn := c.reach("GET /api/webhooks/{id}/deliveries", own, foreign, ""); isOwn {
				c.list("GET /api/webhooks/{id}/deliveries", id)
			}
		},
		"GET /api/webhooks/{id}/stats": func(c *caller) {
			own, foreign := c.hooks()
			if _, a, isOwn := c.reach("GET /api/webhooks/{id}/stats", own, foreign, ""); isOwn {
				c.atMostOwn(a)
			}
		},
		"GET /api/stats": func(c *caller) {
			code, a := c.call("GET /api/stats", "", "")
			require.Equal(c.t, http.StatusOK, code, a.raw)
			c.atMostOwn(a)
		},
		"GET /api/webhooks/{id}/audit": func(c *caller) {
			own, foreign := c.dead()
			if id, _, isOwn := c.reach("GET /api/webhooks/{id}/audit", own, foreign, ""); isOwn {
				require.NotEmpty(c.t, c.list("GET /api/webhooks/{id}/audit", id))
			}
		},
		"POST /api/webhooks/{id}/replay": (*caller).replay,
		"GET /api/webhooks/{id}/replays": func(c *caller) {
			own, foreign := c.hooks()
			if id, _, isOwn := c.reach("GET /api/webhooks/{id}/replays", own, foreign, ""); isOwn {
				for _, replay := range c.list("GET /api/webhooks/{id}/replays", id) {
					require.Equal(c.t, id, c.party.replays[replay])
				}
			}
		},
		"GET /api/replays/{id}": func(c *caller) {
			c.reach("GET /api/replays/{id}", slices.Sorted(maps.Keys(c.party.replays)), slices.Sorted(maps.Keys(c.other.replays)), "")
		},
		"DELETE /api/replays/{id}": func(c *caller) {
			const route = "DELETE /api/replays/{id}"
			id, isOwn := c.pick(route, slices.Sorted(maps.Keys(c.party.replays)), slices.Sorted(maps.Keys(c.other.replays)))
			code, a := c.call(route, id, "")
			want := []int{http.StatusNotFound}
			if isOwn { // it may have ended
				want = []int{http.StatusAccepted, http.StatusConflict}
			}
			require.Contains(c.t, want, code, a.raw)
		},
		"POST /api/events": func(c *caller) {
			c.createEvent(rapid.SampledFrom([]string{"", "same-key", "another"}).Draw(c.t, "key"))
		},
		"POST /api/events/batch": func(c *caller) {
			code, a := c.call("POST /api/events/batch", "", fmt.Sprintf(`{"events":[%s,{"type":"x"},%s]}`, c.event(), c.event()))
			require.Equal(c.t, http.StatusAccepted, code, a.raw)
			for i, result := range into[[]accepted](c.sys.t, a) {
				if i != 1 {
					c.party.events[result.ID] = false
				}
			}
		},
		"GET /api/events": func(c *caller) {
			for _, id := range c.list("GET /api/events", "") {
				if _, known := c.party.events[id]; known {
					c.party.events[id] = true
				} // the others are test sends
			}
		},
		"GET /api/events/{id}": func(c *caller) {
			id, isOwn := c.pick("GET /api/events/{id}", slices.Sorted(maps.Keys(c.party.events)), slices.Sorted(maps.Keys(c.other.events)))
			c.readEvent(id, isOwn)
		},
		"GET /api/deliveries/{id}": func(c *caller) {
			own, foreign := slices.Sorted(maps.Keys(c.party.deliveries)), slices.Sorted(maps.Keys(c.other.deliveries))
			c.reach("GET /api/deliveries/{id}", own, foreign, "")
		},
		"POST /api/deliveries/{id}/retry": func(c *caller) {
			const route = "POST /api/deliveries/{id}/retry"
			id, isOwn := c.pick(route, slices.Sorted(maps.Keys(c.party.deliveries)), slices.Sorted(maps.Keys(c.other.deliveries)))
			code, a := c.call(route, id, "")
			want := []int{http.StatusNotFound}
			if isOwn { // it may be under way, or its webhook may be paused
				want = []int{http.StatusAccepted, http.StatusConflict}
			}
			require.Contains(c.t, want, code, a.raw)
		},
		"GET /api/api-keys": func(c *caller) {
			require.ElementsMatch(c.t, slices.Collect(maps.Keys(c.party.keys)), c.list("GET /api/api-keys", ""))
		},
		"POST /api/api-keys": func(c *caller) {
			if c.key != "" {
				code, a := c.call("POST /api/api-keys", "", fmt.Sprintf(`{"name":%q}`, c.party.mark))
				require.Equal(c.t, http.StatusForbidden, code, a.raw)
			}
			c.createKey()
		},
		"DELETE /api/api-keys/{id}": func(c *caller) {
			c.token, c.key = c.party.token, ""
			own, foreign := slices.Sorted(maps.Keys(c.party.keys)), slices.Sorted(maps.Keys(c.other.keys))
			id, _, isOwn := c.reach("DELETE /api/api-keys/{id}", own, foreign, "")
			if isOwn {
				c.key = c.party.keys[id]
				delete(c.party.keys, id)
				code, a := c.call("GET /api/webhooks", "", "")
				require.Equal(c.t, http.StatusUnauthorized, code, "a revoked key: %s", a.raw)
			}
		},
		"GET /api/admin/tenants/{id}": func(c *caller) { c.forOperators("GET /api/admin/tenants/{id}", "") },
		"PUT /api/admin/tenants/{id}": func(c *caller) {
			c.forOperators("PUT /api/admin/tenants/{id}", `{"status":"active","limits":{"webhooks":0,"eventsPerMinute":0}}`)
		},
		"POST /api/temporal/codec/decode": func(c *caller) { c.forOperators("POST /api/temporal/codec/decode", `{"payloads":[]}`) },
	}
}

// atMostOwn holds sums against what the caller's own webhooks were sent.
func (c *caller) atMostOwn(a answer) {
	var summed, sent int
	for _, hour := range into[[]struct{ Attempts int }](c.sys.t, a) {
		summed += hour.Attempts
	}
	own, _ := c.hooks()
	for _, id := range append(own, c.party.operations) {
		sent += len(c.list("GET /api/webhooks/{id}/history", id)) // read later, so it has at least what was summed up
	}
	require.LessOrEqual(c.t, summed, sent, a.raw)
}

// tour calls every route once more for each tenant, with ids of both: chance
// alone may leave one out.
func (n *neighbours) tour(t *rapid.T) {
	actions := n.actions()
	for side := range n.parties {
		c := n.as(t, side, false)
		c.createWebhook()
		c.createKey()
		for _, route := range slices.Sorted(maps.Keys(actions)) {
			for _, kind := range []string{"foreign", "own"} {
				c := n.as(t, side, false)
				c.kind = kind
				n.count(route)
				actions[route](c)
			}
		}
	}
}

// count notes a call of a route that names nothing.
func (i *isolation) count(route string) {
	if !strings.Contains(route, "{id}") {
		i.own[route]++
	}
}

// forOperators calls a route of operators for both tenants: a tenant may not,
// not even for itself, and an operator may.
func (c *caller) forOperators(route, body string) {
	for _, p := range c.parties {
		method, path, _ := strings.Cut(route, " ")
		own := strings.Replace(path, "{id}", p.name, 1)
		c.own[route]++
		c.others[route]++
		code, a := c.sys.callAs(c.party.token, method, own, body)
		require.Equal(c.t, http.StatusForbidden, code, a.raw)
		require.Equal(c.t, "FORBIDDEN", a.Code)
		code, a = c.sys.callAs(c.admin, method, own, body)
		require.Equal(c.t, http.StatusOK, code, a.raw)
	}
}

// TestTenantsAreIsolated plays two tenants of one installation against each
// other, over the whole API: whatever each does, with ids of its own and of the
// other, it sees and changes only what is its own. On PostgreSQL, where
// row-level security is the second lock.
func TestTenantsAreIsolated(t *testing.T) {
	t.Parallel()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		require.NoError(t, flag.Set("rapid.checks", isolationChecks))
	}
	sys, rec := up(t, settings{postgres: true}), newReceiver(t, nil)
	i := &isolation{sys: sys, target: rec.URL, own: map[string]int{}, others: map[string]int{}}
	i.admin = i.sign("operators", "admin")

	rapid.Check(t, func(t *rapid.T) {
		n := i.begin(t)
		steps := map[string]func(*rapid.T){}
		for route, act := range n.actions() {
			steps[route] = func(t *rapid.T) {
				c := n.as(t, rapid.IntRange(0, 1).Draw(t, "tenant"), true)
				i.count(route)
				act(c)
			}
		}
		t.Repeat(steps)
		n.tour(t)
		for side := range n.parties { // whatever the other did, it is all there
			c := n.as(t, side, false)
			for id, want := range c.party.webhooks {
				_, a := c.call("GET /api/webhooks/{id}", id, "")
				require.Equal(t, want, string(a.Data))
			}
		}
	})

	for _, route := range credentialRoutes(t, sys) {
		require.Contains(t, (&neighbours{}).actions(), route, "a route without an action in this test")
		require.Positive(t, i.own[route], "%s was never called for one's own", route)
		if strings.Contains(route, "{id}") {
			require.Positive(t, i.others[route], "%s was never called for another's", route)
		}
	}
	marks := regexp.MustCompile(`mark-[0-9a-f-]{36}`)
	for _, a := range rec.all() {
		for _, mark := range marks.FindAllString(a.body+fmt.Sprint(a.header), -1) {
			require.Contains(t, a.path, mark, "an event reached another tenant's webhook")
		}
	}
	require.NotEmpty(t, rec.all())
	require.True(t, slices.ContainsFunc(rec.all(), func(a arrival) bool { return strings.HasSuffix(a.path, "/operations") }),
		"nobody was told what became of a webhook")
}

// credentialRoutes lists the routes of the specification that a running server
// shows which are not open to everybody.
func credentialRoutes(t *testing.T, sys *system) []string {
	t.Helper()
	response, err := http.Get(sys.api + "/api/openapi.yaml")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var specification struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(text, &specification))
	var routes []string
	for path, operations := range specification.Paths {
		for method, operation := range operations {
			members, isOperation := operation.(map[string]any)
			if !isOperation {
				continue // the path's parameters
			}
			if security, given := members["security"].([]any); given && len(security) == 0 {
				continue
			}
			routes = append(routes, strings.ToUpper(method)+" "+path)
		}
	}
	require.Greater(t, len(routes), 18)
	slices.Sort(routes)
	return routes
}
