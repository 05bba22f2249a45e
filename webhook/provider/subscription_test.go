package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

func TestCheckSubscription(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	names := make([]string, 257)
	for i := range names {
		names[i] = fmt.Sprint("event.", i)
	}
	secret := func(text string) func(*webhook.Subscription) {
		return func(s *webhook.Subscription) { s.Secrets = []webhook.Secret{webhook.Secret(text)} }
	}
	events := func(list ...string) func(*webhook.Subscription) {
		return func(s *webhook.Subscription) { s.Events = list }
	}
	retry := func(p webhook.RetryPolicy) func(*webhook.Subscription) {
		return func(s *webhook.Subscription) { s.Retry = &p }
	}
	for _, test := range []struct {
		name  string
		by    string
		edit  func(*webhook.Subscription)
		wants []string // the fields at fault; none = accepted
	}{
		{"as is, standard", "standard", func(*webhook.Subscription) {}, nil},
		{"as is, actiwapi", "actiwapi", events("message.received", "campaign.completed"), nil},
		{"as is, acme", "acme", func(s *webhook.Subscription) { s.Name = "Mine" }, nil},
		{"as is, legacy", "legacy", func(*webhook.Subscription) {}, nil},

		{"no events", "standard", events(), []string{"events"}},
		{"too many events", "standard", events(names...), []string{"events"}},
		{"many events", "standard", events(names[1:]...), nil},
		{"malformed event", "standard", events("a", "b c", ""), []string{"events[1]", "events[2]"}},
		{"event twice", "standard", events("a", "b", "a"), []string{"events[2]"}},
		{"star beside another", "standard", events("a", "*"), []string{"events[1]"}},
		{"unknown event", "actiwapi", events("message.received", "message.read"), []string{"events[1]"}},
		{"event of another version", "acme", func(s *webhook.Subscription) { s.Name, s.Events = "x", []string{"dnc.created", "chat.started"} }, []string{"events[1]"}},
		{"event of the named version", "acme", func(s *webhook.Subscription) {
			s.Name, s.Version, s.Events = "x", "v1", []string{"dnc.created", "chat.started"}
		}, nil},
		{"unknown version", "acme", func(s *webhook.Subscription) {
			s.Name, s.Version, s.Events = "x", "v3", []string{"dnc.created", "nope"}
		}, []string{"version", "events[1]"}},
		{"version where there are none", "standard", func(s *webhook.Subscription) { s.Version = "v1" }, []string{"version"}},

		{"name missing", "acme", func(*webhook.Subscription) {}, []string{"name"}},
		{"name of spaces", "acme", func(s *webhook.Subscription) { s.Name = "  " }, []string{"name"}},
		{"name too long", "standard", func(s *webhook.Subscription) { s.Name = strings.Repeat("ü", 201) }, []string{"name"}},
		{"name with a control character", "standard", func(s *webhook.Subscription) { s.Name = "a\x1bb" }, []string{"name"}},
		{"name that is no text", "standard", func(s *webhook.Subscription) { s.Name = "a\xff" }, []string{"name"}},

		{"sources", "legacy", func(s *webhook.Subscription) { s.Sources = webhook.Sources() }, nil},
		{"unknown source and one twice", "legacy", func(s *webhook.Subscription) { s.Sources = []webhook.Source{"api", "robot", "api"} }, []string{"sources[1]", "sources[2]"}},
		{"sources where there are none", "standard", func(s *webhook.Subscription) { s.Sources = []webhook.Source{"api"} }, []string{"sources"}},

		{"filters", "legacy", func(s *webhook.Subscription) { s.Filters = webhook.Filters{ListID: "1", SchemaID: "2"} }, nil},
		{"filter where there is none", "legacy", func(s *webhook.Subscription) { s.Filters = webhook.Filters{CampaignID: "1", ListID: "1"} }, []string{"filters.campaignId"}},
		{"filter too long", "legacy", func(s *webhook.Subscription) { s.Filters.ListID = strings.Repeat("1", 257) }, []string{"filters.listId"}},

		{"timeout", "standard", func(s *webhook.Subscription) { s.TimeoutSeconds = 30 }, nil},
		{"timeout too long", "standard", func(s *webhook.Subscription) { s.TimeoutSeconds = 31 }, []string{"timeoutSeconds"}},
		{"timeout over the provider's", "acme", func(s *webhook.Subscription) { s.Name, s.TimeoutSeconds = "x", 21 }, []string{"timeoutSeconds"}},
		{"timeout below nought", "standard", func(s *webhook.Subscription) { s.TimeoutSeconds = -1 }, []string{"timeoutSeconds"}},

		{"retry never", "legacy", retry(webhook.RetryPolicy{Mode: webhook.RetryNever}), nil},
		{"retry not permitted", "legacy", retry(webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{5}}), []string{"retry.mode"}},
		{"retry permitted", "actiwapi", retry(webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{5}}), []string{"events[0]"}},
		{"retry malformed", "standard", retry(webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{5, 0}}), []string{"retry.delaysSeconds[1]"}},
		{"retry unknown", "standard", retry(webhook.RetryPolicy{Mode: "often"}), []string{"retry.mode"}},

		{"secret given, standard", "standard", secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), nil},
		{"secret of another form, standard", "standard", secret("a-long-enough-secret-of-plain-text"), []string{"secret"}},
		{"secret given, legacy", "legacy", secret("whatever-it-may-be"), []string{"secret"}},
		{"secret too short", "acme", func(s *webhook.Subscription) { s.Name = "x"; secret("fifteen-letters")(s) }, []string{"secret"}},
		{"secret just long enough", "acme", func(s *webhook.Subscription) { s.Name = "x"; secret("sixteen-letters!")(s) }, nil},
		{"secret too long", "acme", func(s *webhook.Subscription) { s.Name = "x"; secret(strings.Repeat("x", 257))(s) }, []string{"secret"}},
		{"secret with a line break", "acme", func(s *webhook.Subscription) { s.Name = "x"; secret("sixteen-letters!\n")(s) }, []string{"secret"}},
		{"secret empty", "actiwapi", secret(""), []string{"secret", "events[0]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := webhook.Subscription{URL: "https://example.com/hooks", Events: []string{"dnc.created"}}
			if test.by == "legacy" {
				s.Events = []string{"*"}
			}
			test.edit(&s)
			faults := profile(t, registry, test.by).CheckSubscription(&s, provider.URLRules{})
			fields := []string{}
			for field, fault := range faults {
				require.NotEmpty(t, fault)
				fields = append(fields, field)
			}
			require.ElementsMatch(t, test.wants, fields, "%v", faults)
		})
	}
}

func TestCheckSubscriptionFills(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	s := webhook.Subscription{URL: "https://example.com:8443/hooks", Events: []string{"*"}, Headers: map[string]string{"x-team": " blue\t", "AUTHORIZATION": "Bearer x"}}
	require.Empty(t, profile(t, registry, "standard").CheckSubscription(&s, provider.URLRules{}))
	require.Equal(t, "example.com", s.Name)
	require.Empty(t, s.Version)
	require.Equal(t, map[string]string{"X-Team": "blue", "Authorization": "Bearer x"}, s.Headers)

	s = webhook.Subscription{URL: "https://example.com/hooks", Events: []string{"*"}, Name: " Mine "}
	require.Empty(t, profile(t, registry, "acme").CheckSubscription(&s, provider.URLRules{}))
	require.Equal(t, "Mine", s.Name)
	require.Equal(t, "v2", s.Version)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	refused := func(name string, headers map[string]string) []string {
		s := webhook.Subscription{Name: "x", URL: "https://example.com/", Events: []string{"*"}, Headers: headers}
		fields := []string{}
		for field := range profile(t, registry, name).CheckSubscription(&s, provider.URLRules{}) {
			fields = append(fields, field)
		}
		return fields
	}
	for _, name := range []string{
		"Host", "host", "Content-Length", "Content-Type", "content-encoding", "User-Agent", "Transfer-Encoding", "Connection",
		"TE", "te", "Trailer", "Upgrade", "Expect", "Keep-Alive", "Accept-Encoding", "Proxy-Authorization", "proxy-connection",
		"webhook-id", "Webhook-Signature", "webhook-anything", "x-delivery-id",
		"HTTP2-Settings", "Content_Length", "transfer_encoding", "WEBHOOK_ID", "webhook-_id", "X_Delivery-Id", "proxy_authorization",
		"", " ", "X Team", "X-Team:", "X-Täam", "X-Team\r\nHost", strings.Repeat("x", 129),
	} {
		for _, by := range []string{"standard", "legacy"} {
			require.Equal(t, []string{"headers." + name}, refused(by, map[string]string{name: "x"}), "%q", name)
		}
	}
	require.Equal(t, []string{"headers.acme-signature"}, refused("acme", map[string]string{"acme-signature": "x"}))
	require.Equal(t, []string{"headers.acme_signature"}, refused("acme", map[string]string{"acme_signature": "x"}))
	require.Equal(t, []string{"headers.X-Acme-Region"}, refused("acme", map[string]string{"X-Acme-Region": "x"}))
	require.Equal(t, []string{"headers.X-Webhook-Signature"}, refused("actiwapi", map[string]string{"X-Webhook-Signature": "x"}))
	require.Empty(t, refused("standard", map[string]string{"X-Webhook-Signature": "x", "Acme-Signature": "y"}))

	for _, value := range []string{"a\nb", "a\r\nX: y", "a\x00", "a\x7f", strings.Repeat("x", 4097)} {
		require.Equal(t, []string{"headers.X-A"}, refused("standard", map[string]string{"X-A": value}), "%q", value)
	}
	require.Empty(t, refused("standard", map[string]string{"X-A": strings.Repeat("x", 4096), "X-B": "", "X-C": "ü"}))
	require.Equal(t, []string{"headers.x-a"}, refused("standard", map[string]string{"X-A": "1", "x-a": "2"}))

	many := map[string]string{}
	for i := range 21 {
		many[fmt.Sprint("X-", i)] = "x"
	}
	require.Equal(t, []string{"headers"}, refused("standard", many))
	delete(many, "X-0")
	require.Empty(t, refused("standard", many))
}

func TestGenerateSecret(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	random := strings.NewReader(strings.Repeat("0123456789abcdef", 8))
	for _, test := range []struct{ by, want string }{
		{"standard", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
		{"acme", "3031323334353637383961626364656630313233"},
	} {
		p := profile(t, registry, test.by)
		secret, err := p.GenerateSecret(random)
		require.NoError(t, err)
		require.Equal(t, test.want, secret.Reveal())
		require.Empty(t, p.CheckSecret(secret))
	}
	_, err := profile(t, registry, "standard").GenerateSecret(strings.NewReader("too little"))
	require.ErrorContains(t, err, "randomness")
	for _, by := range []string{"actiwapi", "legacy"} {
		_, err := profile(t, registry, by).GenerateSecret(random)
		requireField(t, err, "secret")
	}
}
