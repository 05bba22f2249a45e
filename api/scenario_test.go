package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/workflows"

	"github.com/stretchr/testify/require"
)

// scenario is one request and what must come of it, as a literal. In url, body,
// want and mustNot, words in braces such as {webhook} stand for the ids of what
// the scenario's own tenant has (see world.seed).
type scenario struct {
	name    string
	method  string // GET when empty
	url     string
	body    string
	headers map[string]string // "-" takes a header away
	arrange func(t *testing.T, w *world)

	status  int
	want    []string // all in the answer's body
	mustNot []string // none in the answer's body or headers
	header  map[string]string
	after   func(t *testing.T, w *world, answer answer)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// data decodes the answer's data.
func (a answer) data(t *testing.T) map[string]any {
	t.Helper()
	var envelope struct{ Data map[string]any }
	require.NoError(t, json.Unmarshal([]byte(a.body), &envelope), a.body)
	return envelope.Data
}

// list decodes the answer's data where it is a list, and the next cursor.
func (a answer) list(t *testing.T) ([]map[string]any, string) {
	t.Helper()
	var envelope struct {
		Data       []map[string]any
		Pagination struct{ NextCursor string }
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &envelope), a.body)
	return envelope.Data, envelope.Pagination.NextCursor
}

// world is what one scenario sees: a tenant of its own in a store shared with
// others, and the whole API with only the starter faked.
type world struct {
	store   *models.Store
	tenant  string
	starter *fakeStarter
	meter   *tally
	deps    Deps
	handler http.Handler
	logs    *bytes.Buffer
	ids     map[string]string
}

// loadShipped reads the shipped providers once: they are the same in every test.
var loadShipped = sync.OnceValues(func() (*provider.Registry, error) { return provider.Load("") })

func shippedProviders(t *testing.T) *provider.Registry {
	t.Helper()
	registry, err := loadShipped()
	require.NoError(t, err)
	return registry
}

// newWorld seeds a tenant and builds the API over the store.
func newWorld(t *testing.T, store *models.Store, tenant string) *world {
	t.Helper()
	w := &world{store: store, tenant: tenant, starter: &fakeStarter{}, meter: &tally{}, logs: &bytes.Buffer{}, ids: map[string]string{}}
	w.deps = Deps{
		Store: store, Starter: w.starter, Providers: shippedProviders(t), DefaultProvider: "standard",
		JWTSecret: testSecret, Codec: fakeCodec{}, Sealer: testKeys(t), Random: rand.Reader, Now: clock,
		Checks: []Check{{"database", store.Ping}, {"temporal", func(context.Context) error { return nil }}},
		Meter:  w.meter, Metrics: exporter,
		TemporalUIURL: "http://127.0.0.1:8233/", TemporalNamespace: "default",
		Logger: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	w.seed(t)
	w.build(t)
	return w
}

// build makes the API of the dependencies as they are now.
func (w *world) build(t *testing.T) {
	t.Helper()
	handler, err := New(w.deps)
	require.NoError(t, err)
	w.handler = handler
}

// send makes the request as the world's tenant.
func (w *world) send(t *testing.T, method, target, body string, headers map[string]string) answer {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+w.token(t, w.tenant))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
		if value == "-" {
			request.Header.Del(name)
		}
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, request)
	got := answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	checkSpecification(t, request, got)
	return got
}

func (w *world) token(t *testing.T, tenant string) string {
	t.Helper()
	token, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: tenant, Subject: "ann@" + tenant, TTL: time.Hour}, testNow)
	require.NoError(t, err)
	return token
}

// fill puts the world's ids in the place of words in braces.
func (w *world) fill(text string) string {
	for name, id := range w.ids {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

// drawn finds new secrets and keys: random letters, in which any short word comes
// up now and then.
var drawn = regexp.MustCompile(`(whsec_|phk_)[A-Za-z0-9+/=]+`)

// run plays the scenario.
func (s scenario) run(t *testing.T, store *models.Store, tenant string) {
	t.Helper()
	w := newWorld(t, store, tenant)
	if s.arrange != nil {
		s.arrange(t, w)
	}
	method := s.method
	if method == "" {
		method = http.MethodGet
	}
	headers := map[string]string{}
	for name, value := range s.headers {
		headers[name] = w.fill(value)
	}
	got := w.send(t, method, w.fill(s.url), w.fill(s.body), headers)
	require.Equal(t, s.status, got.status, "%s\n%s", got.body, w.logs)
	for _, part := range s.want {
		require.Contains(t, got.body, w.fill(part))
	}
	whole := fmt.Sprint(got.header) + got.body
	for _, part := range []string{"SQL", "gorm", "goroutine"} {
		require.NotContains(t, drawn.ReplaceAllString(whole, "$1"), part)
	}
	for _, part := range s.mustNot {
		require.NotContains(t, whole, w.fill(part))
	}
	for name, value := range s.header {
		require.Equal(t, w.fill(value), got.header.Get(name), name)
	}
	require.NotEmpty(t, got.header.Get("X-Request-Id"))
	require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	require.NotContains(t, w.logs.String(), "eyJ", "no token is logged")
	require.NotContains(t, w.logs.String(), w.ids["key.text"], "no key is logged")
	if got.status >= 400 {
		w.leftNothingBehind(t)
	}
	if s.after != nil {
		s.after(t, w, got)
	}
}

// leftNothingBehind proves that a refused request changed nothing: the tenant
// has what it was seeded with, and Temporal was not asked for anything.
func (w *world) leftNothingBehind(t *testing.T) {
	t.Helper()
	require.Empty(t, w.starter.accepted())
	require.Equal(t, w.ids["fingerprint"], w.fingerprint(t))
}

// fingerprint is all that the tenant has, as text.
func (w *world) fingerprint(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	hooks, err := w.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: w.tenant, Limit: 100})
	require.NoError(t, err)
	for _, hook := range hooks.Items {
		whole, err := w.store.Webhook(t.Context(), w.tenant, hook.ID)
		require.NoError(t, err)
		fmt.Fprintf(&text, "%+v %s\n", whole, whole.Secret.Reveal())
		attempts, err := w.store.History(t.Context(), models.HistoryFilter{Tenant: w.tenant, WebhookID: hook.ID})
		require.NoError(t, err)
		fmt.Fprintf(&text, "%d attempts\n", len(attempts.Items))
	}
	events, err := w.store.Events(t.Context(), models.EventFilter{Tenant: w.tenant})
	require.NoError(t, err)
	fmt.Fprintf(&text, "%d events\n", len(events.Items))
	keys, err := w.store.APIKeys(t.Context(), models.APIKeyFilter{Tenant: w.tenant})
	require.NoError(t, err)
	fmt.Fprintf(&text, "%d keys\n", len(keys.Items))
	return text.String()
}

// fakeStarter stands in for Temporal and remembers what it was asked for.
type fakeStarter struct {
	mutex     sync.Mutex
	events    []webhook.Event
	tests     []webhook.Event
	retries   []string // workflow id and delivery id
	takenOver []string
	resends   []string // delivery ids
	replays   []workflows.ReplayInput
	ended     []string // run ids of replays

	deliver func(webhook.Event) (workflows.Accepted, error)
	retry   func(workflowID string) error
	dead    bool // every workflow has ended
	refuse  error
}

func (f *fakeStarter) DeliverEvent(_ context.Context, event webhook.Event) (workflows.Accepted, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return workflows.Accepted{}, f.refuse
	}
	if f.deliver != nil {
		if accepted, err := f.deliver(event); err != nil || accepted.Duplicate {
			return accepted, err
		}
	}
	f.events = append(f.events, event)
	return workflows.Accepted{}, nil
}

func (f *fakeStarter) DeliverEvents(ctx context.Context, events []webhook.Event) []workflows.Started {
	started := make([]workflows.Started, len(events))
	for i, event := range events {
		started[i].Accepted, started[i].Err = f.DeliverEvent(ctx, event)
	}
	return started
}

func (f *fakeStarter) DeliverTest(_ context.Context, events []webhook.Event) (string, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return "", f.refuse
	}
	f.tests = append(f.tests, events...)
	return workflows.TestWorkflowID(events[0].Tenant, events[0].ID), nil
}

func (f *fakeStarter) RetryNow(_ context.Context, workflowID, deliveryID string) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	if f.retry != nil {
		if err := f.retry(workflowID); err != nil {
			return err
		}
	}
	f.retries = append(f.retries, workflowID+" "+deliveryID)
	return nil
}

func (f *fakeStarter) Ended(context.Context, string) (bool, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.dead, f.refuse
}

func (f *fakeStarter) Resend(_ context.Context, _, deliveryID string, _ time.Time) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.resends = append(f.resends, deliveryID)
	return nil
}

func (f *fakeStarter) TakeOver(_ context.Context, _, deliveryID, from string, _ time.Time) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.takenOver = append(f.takenOver, deliveryID+" of "+from)
	return nil
}

func (f *fakeStarter) Replay(_ context.Context, in workflows.ReplayInput) (string, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return "", f.refuse
	}
	for _, running := range f.replays {
		if running.WebhookID == in.WebhookID {
			return "", errs.New(errs.Conflict, "A replay of this webhook is running; wait for its end, or cancel it")
		}
	}
	f.replays = append(f.replays, in)
	return "run-" + in.ID, nil
}

func (f *fakeStarter) CancelReplay(_ context.Context, _, _, runID string) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.ended = append(f.ended, runID)
	return nil
}

// accepted lists everything that the starter took.
func (f *fakeStarter) accepted() []string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	list := slices.Concat(f.retries, f.resends, f.ended)
	for _, in := range f.replays {
		list = append(list, in.ID)
	}
	for _, event := range slices.Concat(f.events, f.tests) {
		list = append(list, event.ID)
	}
	return list
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		t.Helper()
		for i, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Helper()
				t.Parallel()
				s.run(t, store, fmt.Sprintf("tenant-%d", i))
			})
		}
	})
}

// scenarios lists every scenario of this package.
func scenarios() []scenario {
	return slices.Concat(
		eventTypeScenarios(), webhookScenarios(), webhookRefusals(), updateScenarios(), secretScenarios(),
		sampleScenarios(), historyScenarios(), statsScenarios(), auditScenarios(), rateScenarios(), eventScenarios(), eventRefusals(), batchScenarios(), batchKeyScenarios(),
		readingScenarios(), deliveryScenarios(), waitingScenarios(), replayScenarios(), serviceScenarios(), swaggerScenarios(), tenantScenarios(),
		apiKeyScenarios(), adminScenarios(), codecScenarios(), inactiveScenarios(), limitScenarios(),
	)
}

// pathOf is the path of a scenario's URL as the specification would match it.
func (s scenario) pathOf() string {
	target := strings.NewReplacer("{", "", "}", "").Replace(s.url)
	parsed, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return parsed.Path
}
