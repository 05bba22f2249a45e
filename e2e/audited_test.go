package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"posthaste/e2e/audit"
)

// audited is one tenant's events, webhooks and receiver under an audit: it
// remembers what was accepted, so that the auditor can join it with what arrived
// and with the ledger.
type audited struct {
	t      *testing.T
	sys    *system
	rec    *receiver
	client *http.Client
	door   func() string // where the next request goes

	// unkeyed events are sent without an Idempotency-Key, and burst of them at
	// once: no others share a workflow.
	unkeyed bool
	burst   int

	mu         sync.Mutex
	hooks      []*watched
	accepted   []audit.Accepted
	begun      map[string]time.Time // when an event was handed over first, by id
	refusals   map[string]int       // answers that were not 2xx, by status; "none" for a broken connection
	declined   map[string]bool      // paths at which the receiver answered something else than 2xx, or nothing
	unanswered []string             // marks of what may have been accepted, see sendNew
	crashes    []audit.Crash
	sent       atomic.Int64
	sending    sync.WaitGroup
}

// watched is a webhook under audit. It is told apart at the receiver by its
// path.
type watched struct {
	audit.Webhook
	path      string
	eventType string // "" for all
	secrets   []string
	direct    bool // nothing lies between the processes and the receiver
}

// newAudited watches a tenant of an installation. Its receiver answers as answer
// says.
func newAudited(sys *system, answer func(n int, w http.ResponseWriter, r *http.Request)) *audited {
	au := &audited{
		t: sys.t, sys: sys, door: func() string { return sys.api },
		refusals: map[string]int{}, begun: map[string]time.Time{}, declined: map[string]bool{},
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
	}
	if answer == nil {
		answer = status(http.StatusNoContent)
	}
	au.rec = newReceiver(sys.t, func(n int, w http.ResponseWriter, r *http.Request) {
		said := &spoken{ResponseWriter: w}
		answer(n, said, r)
		if said.status < 200 || said.status > 299 {
			au.mu.Lock()
			defer au.mu.Unlock()
			au.declined[firstOf(r.URL.Path)] = true
		}
	})
	sys.t.Cleanup(au.client.CloseIdleConnections)
	return au
}

// spoken remembers the status that a receiver answered with; 0 when it said none
// itself.
type spoken struct {
	http.ResponseWriter
	status int
}

func (s *spoken) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// firstOf is the part of a request's path that tells webhooks apart.
func firstOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + first
}

// watch makes a webhook at the receiver for one event type, or for all with "".
// Retry is a policy as JSON. Extra is more JSON members.
func (au *audited) watch(eventType, retry string, extra ...string) *watched {
	au.t.Helper()
	return au.watchAt(au.rec.URL, eventType, retry, extra...)
}

// watchAt is watch with another way to the receiver.
func (au *audited) watchAt(base, eventType, retry string, extra ...string) *watched {
	au.t.Helper()
	au.mu.Lock()
	path := fmt.Sprintf("/w%d", len(au.hooks)+1)
	au.mu.Unlock()
	members := append([]string{`"retry":` + retry}, extra...)
	if eventType != "" {
		members = append(members, fmt.Sprintf(`"events":[%q]`, eventType))
	}
	made := au.sys.createWebhook(base+path, members...)
	promised, err := audit.Watch(made.ID, au.sys.tenant, retry)
	require.NoError(au.t, err)
	w := &watched{Webhook: promised, path: path, eventType: eventType, secrets: []string{made.Secret}, direct: base == au.rec.URL}
	au.mu.Lock()
	defer au.mu.Unlock()
	au.hooks = append(au.hooks, w)
	return w
}

// crash kills a process and notes how many POSTs it may have had under way.
func (au *audited) crash(p *process) {
	p.kill()
	au.crashed(time.Now())
}

// recordTime is how long after its answer a POST may still not be on record, on
// a machine that is busy with other tests.
var recordTime = time.Second

// crashed notes that a process died: each POST that was not yet answered, or had
// been just before, may come again.
func (au *audited) crashed(at time.Time) {
	inFlight := 0
	for _, a := range au.rec.all() {
		if a.at.Before(at) && (a.done.IsZero() || a.done.After(at.Add(-recordTime))) {
			inFlight++
		}
	}
	au.mu.Lock()
	defer au.mu.Unlock()
	au.crashes = append(au.crashes, audit.Crash{At: at, InFlight: inFlight})
}

// settle waits until every event has an answer and every delivery has settled,
// or the time is up: then the audit says what has not.
func (au *audited) settle(within time.Duration) {
	au.t.Helper()
	au.sending.Wait()
	deadline := time.Now().Add(within)
	open := au.ids()
	for len(open) > 0 && time.Now().Before(deadline) {
		deliveries, err := au.ledger().Read(au.t.Context(), open, nil)
		if err == nil {
			open = unsettled(open, deliveries)
		}
		if len(open) > 0 {
			<-time.After(250 * time.Millisecond)
		}
	}
}

// unsettled returns the events that have a delivery which has not settled, or
// none at all.
func unsettled(ids []string, deliveries []audit.Delivery) []string {
	states := map[string][]string{}
	for _, d := range deliveries {
		states[d.EventID] = append(states[d.EventID], d.State)
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return len(states[id]) > 0 && !slices.ContainsFunc(states[id], func(s string) bool {
			return s == "pending" || s == "sending" || s == "retrying"
		})
	})
}

func (au *audited) ids() []string {
	au.mu.Lock()
	defer au.mu.Unlock()
	ids := make([]string, len(au.accepted))
	for i, a := range au.accepted {
		ids[i] = a.ID
	}
	return ids
}

func (au *audited) ledger() audit.Ledger {
	return audit.Ledger{Base: au.door(), Token: au.sys.token, Client: au.client}
}

// input is all that the auditor wants to know.
func (au *audited) input() audit.Input {
	au.t.Helper()
	in := audit.Input{Arrivals: au.arrivals(), MustShare: au.burst > 1}
	au.mu.Lock()
	in.Accepted, in.Crashes, in.Unanswered = slices.Clone(au.accepted), slices.Clone(au.crashes), slices.Clone(au.unanswered)
	webhookIDs := make([]string, 0, len(au.hooks))
	for _, w := range au.hooks {
		hook := w.Webhook
		hook.Accepts = w.direct && !au.declined[w.path]
		in.Webhooks = append(in.Webhooks, hook)
		webhookIDs = append(webhookIDs, w.ID)
	}
	au.mu.Unlock()
	deliveries, err := au.ledger().Read(au.t.Context(), au.ids(), webhookIDs)
	require.NoError(au.t, err)
	in.Deliveries = deliveries
	return in
}

// audit joins what there is now.
func (au *audited) audit() audit.Report {
	au.t.Helper()
	return audit.Audit(au.input())
}

// arrivals are the receiver's requests as the auditor wants them.
func (au *audited) arrivals() []audit.Arrival {
	au.mu.Lock()
	defer au.mu.Unlock()
	byPath := map[string]*watched{}
	for _, w := range au.hooks {
		byPath[w.path] = w
	}
	var all []audit.Arrival
	for _, a := range au.rec.all() {
		w := byPath[firstOf(a.path)]
		if w == nil {
			continue
		}
		signed := slices.ContainsFunc(w.secrets, func(secret string) bool {
			verifier, err := standardwebhooks.NewWebhook(secret)
			return err == nil && verifier.Verify([]byte(a.body), a.header) == nil
		})
		all = append(all, audit.Arrival{
			WebhookID: w.ID, EventID: a.header.Get("webhook-id"), DeliveryID: a.header.Get("X-Delivery-Id"), At: a.at,
			Mark: markOf(a.body), Signed: signed,
		})
	}
	return all
}

// fate is what became of a webhook's deliveries, in words: each state with the
// attempts on record and the arrivals.
func fate(in audit.Input, webhookID string) string {
	var words []string
	for _, d := range in.Deliveries {
		if d.WebhookID != webhookID {
			continue
		}
		arrived := 0
		for _, a := range in.Arrivals {
			if a.DeliveryID == d.ID {
				arrived++
			}
		}
		words = append(words, fmt.Sprintf("%s, %d on record, arrived %d", d.State, len(d.Attempts), arrived))
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}
