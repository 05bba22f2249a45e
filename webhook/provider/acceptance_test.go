package provider_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/payload"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
)

// ownSecret is the secret of every webhook in the acceptance tests that has one.
const ownSecret = webhook.Secret("a-secret-of-our-own-making")

// stage is one provider as an acceptance test meets it.
type stage struct {
	t testing.TB
	*provider.Profile
}

// shipped reads the profiles once for all acceptance tests.
var shipped = sync.OnceValues(func() (*provider.Registry, error) { return provider.Load("") })

func on(tb testing.TB, name string) stage {
	tb.Helper()
	registry, err := shipped()
	require.NoError(tb, err)
	return stage{tb, profile(tb, registry, name)}
}

// accept is the door: the event of that data as it is after every check.
func (s stage) accept(e webhook.Event, data string) webhook.Event {
	s.t.Helper()
	e, faults := s.enqueue(e, data)
	require.Empty(s.t, faults)
	return e
}

// enqueue is accept for events that may be refused.
func (s stage) enqueue(e webhook.Event, data string) (webhook.Event, map[string]string) {
	s.t.Helper()
	text, err := payload.CanonicalObject("data", []byte(data))
	require.NoError(s.t, err)
	e.ID, e.Tenant, e.Provider, e.Data = "event-1", "acme", s.Name(), text
	e.OccurredAt, e.AcceptedAt = goldenTime, goldenTime
	return e, s.CheckEvent(&e)
}

// sample is the event that the profile shows for a type, accepted.
func (s stage) sample(eventType, version string) webhook.Event {
	s.t.Helper()
	entry, known := s.Sample(eventType, version)
	require.True(s.t, known, eventType)
	return s.accept(webhook.Event{
		Type: eventType, Source: entry.SampleSource, CustomData: entry.SampleCustomData, Attributes: entry.SampleAttributes,
	}, string(entry.Sample))
}

// subscribe creates a webhook for the events ("*" when none is named).
func (s stage) subscribe(w webhook.Subscription, events ...string) webhook.Subscription {
	s.t.Helper()
	w, faults := s.create(w, events...)
	require.Empty(s.t, faults)
	return w
}

// create is subscribe for webhooks that may be refused.
func (s stage) create(w webhook.Subscription, events ...string) (webhook.Subscription, map[string]string) {
	s.t.Helper()
	w.ID, w.Tenant, w.Provider, w.Status = "webhook-1", "acme", s.Name(), webhook.StatusActive
	w.URL, w.Name = cmp.Or(w.URL, "https://receiver.example.com/hooks"), cmp.Or(w.Name, "Acceptance")
	if w.Events = events; len(events) == 0 {
		w.Events = []string{"*"}
	}
	faults := s.CheckSubscription(&w, provider.URLRules{})
	if len(w.Secrets) == 0 && s.SecretRule().Rule != provider.SecretNone {
		w.Secrets = []webhook.Secret{ownSecret}
	}
	return w, faults
}

// request is what goes out for an event that the webhook gets.
func (s stage) request(e webhook.Event, w webhook.Subscription, now time.Time) send.Request {
	s.t.Helper()
	require.Equal(s.t, deliver, s.Match(e, w))
	r, err := s.Request(provider.RequestInput{Event: e, Subscription: w, DeliveryID: "delivery-1", Now: now, UserAgent: "Posthaste/test"})
	require.NoError(s.t, err)
	return r
}

// form is request for bodies that are forms.
func (s stage) form(e webhook.Event, w webhook.Subscription) pairs {
	s.t.Helper()
	return readForm(s.t, s.request(e, w, goldenTime).Body)
}

// pairs is a form body in its order.
type pairs [][2]string

func readForm(tb testing.TB, body []byte) pairs {
	tb.Helper()
	var list pairs
	for pair := range strings.SplitSeq(string(body), "&") {
		key, value, found := strings.Cut(pair, "=")
		require.True(tb, found, pair)
		key, err := url.QueryUnescape(key)
		require.NoError(tb, err)
		value, err = url.QueryUnescape(value)
		require.NoError(tb, err)
		list = append(list, [2]string{key, value})
	}
	return list
}

// of returns every value that was sent under the key.
func (p pairs) of(key string) []string {
	var values []string
	for _, pair := range p {
		if pair[0] == key {
			values = append(values, pair[1])
		}
	}
	return values
}

// index returns where the key stands first, -1 when it is not there.
func (p pairs) index(key string) int {
	return slices.IndexFunc(p, func(pair [2]string) bool { return pair[0] == key })
}

// header returns the one value of a header, "" when it is not there.
func header(tb testing.TB, r send.Request, name string) string {
	tb.Helper()
	values := toHeader(r).Values(name)
	require.LessOrEqual(tb, len(values), 1)
	return strings.Join(values, "")
}

// hmacHex is HMAC-SHA256 in lowercase hex, without our own signing code.
func hmacHex(secret webhook.Secret, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	for _, part := range parts {
		mac.Write([]byte(part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// requireTool returns the path of a program. Where it is missing the test is
// skipped, or fails when POSTHASTE_TEST_REQUIRE names it.
func requireTool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("POSTHASTE_TEST_REQUIRE"), ","), name) {
		require.NoError(tb, err)
	}
	tb.Skipf("needs %s", name)
	return ""
}

// TestProviderTable holds the three big providers to the table of the product.
func TestProviderTable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		retry   webhook.RetryMode
		modes   int
		tries   int
		gone    provider.GoneRule
		broken  provider.BrokenRule
		secret  provider.SecretMode
		sources bool
		filters []provider.Filter
	}{
		{"aktify", webhook.RetryExponential, 3, 5, provider.GoneFailure, provider.BrokenRule{AfterFailedAttempts: 5, HealedBy: "edit"}, provider.SecretEither, false, []provider.Filter{provider.FilterCampaign}},
		{"activecampaign", webhook.RetryNever, 1, 1, provider.GoneFinal, provider.BrokenRule{}, provider.SecretNone, true, []provider.Filter{provider.FilterList, provider.FilterSchema}},
		{"akol", webhook.RetryNever, 3, 1, provider.GoneFailure, provider.BrokenRule{}, provider.SecretGenerated, false, nil},
	}
	for _, test := range tests {
		p := on(t, test.name)
		policy := p.Policy(webhook.Subscription{})
		require.Equal(t, test.retry, policy.Mode, test.name)
		require.Equal(t, test.tries, policy.Attempts(), test.name)
		require.Len(t, p.RetryModes(), test.modes, test.name)
		require.Equal(t, test.gone, p.Gone(), test.name)
		require.Equal(t, test.broken, p.Broken(), test.name)
		require.Equal(t, test.secret, p.SecretRule().Rule, test.name)
		require.Equal(t, test.sources, p.HasSources(), test.name)
		require.Equal(t, test.filters, p.Filters(), test.name)
		require.False(t, p.SeveralSignatures() && test.secret != provider.SecretNone, test.name)
		require.Equal(t, 30*time.Second, p.Timeout(webhook.Subscription{}), test.name)
		require.False(t, p.AnyEvent(), test.name)
	}
}

// TestSYS06_EventsBelongToTheirProvider: the same name under another provider
// reaches no webhook of this one.
func TestSYS06_EventsBelongToTheirProvider(t *testing.T) {
	t.Parallel()
	registry, err := shipped()
	require.NoError(t, err)
	for _, name := range registry.Names() {
		p := stage{t, profile(t, registry, name)}
		for _, entry := range p.EventTypes() {
			e := webhook.Event{Tenant: "acme", Type: entry.Type, Source: webhook.SourceAdmin, Attributes: entry.SampleAttributes, Data: entry.Sample}
			w := webhook.Subscription{ID: "w", Tenant: "acme", Provider: name, Events: []string{"*"}, Version: entry.Version, Status: webhook.StatusActive}
			for _, other := range registry.Names() {
				e.Provider = other
				require.Equal(t, other == name, p.Match(e, w) == deliver, "%s of %s to a webhook of %s", entry.Type, other, name)
			}
		}
	}
}
