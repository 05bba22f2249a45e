package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// matchCase is one event beside one webhook of a test profile.
type matchCase struct {
	name    string
	event   func(*webhook.Event)
	webhook func(*webhook.Subscription)
	want    provider.Decision
}

var (
	ignore  = provider.Decision{Verdict: provider.Ignore}
	deliver = provider.Decision{Verdict: provider.Deliver}
)

func skip(reason string) provider.Decision {
	return provider.Decision{Verdict: provider.Skip, Reason: reason}
}

func suppress(reason string) provider.Decision {
	return provider.Decision{Verdict: provider.Suppress, Reason: reason}
}

// runMatches starts each case from an event that its webhook wants.
func runMatches(t *testing.T, name, eventType string, cases []matchCase) {
	t.Helper()
	p := profile(t, load(t, "testdata/operator"), name)
	entry, known := p.Sample(eventType, "")
	require.True(t, known)
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := webhook.Event{
				ID: "e", Tenant: "a", Provider: name, Type: eventType, Source: entry.SampleSource,
				Data: entry.Sample, Attributes: entry.SampleAttributes,
			}
			s := webhook.Subscription{ID: "w", Tenant: "a", Provider: name, Events: []string{eventType}, Status: webhook.StatusActive}
			if test.event != nil {
				test.event(&e)
			}
			if test.webhook != nil {
				test.webhook(&s)
			}
			require.Empty(t, p.CheckEvent(&e))
			require.Equal(t, test.want, p.Match(e, s))
		})
	}
}

func TestMatchVersionsAndCampaigns(t *testing.T) {
	t.Parallel()
	runMatches(t, "acme", "dnc.created", []matchCase{
		{"wanted", nil, nil, deliver},
		{"every event", nil, func(s *webhook.Subscription) { s.Events = []string{"*"} }, deliver},
		{"another event", nil, func(s *webhook.Subscription) { s.Events = []string{"record.created"} }, ignore},
		{"another tenant", nil, func(s *webhook.Subscription) { s.Tenant = "b" }, ignore},
		{"another provider's webhook", nil, func(s *webhook.Subscription) { s.Provider = "standard" }, ignore},
		{"another provider's event", func(e *webhook.Event) { e.Provider = "standard" }, nil, ignore},
		{"the old version", nil, func(s *webhook.Subscription) { s.Version = "v1" }, deliver},
		{"the new version by name", nil, func(s *webhook.Subscription) { s.Version = "v2" }, deliver},
		{"a version that is no more", nil, func(s *webhook.Subscription) { s.Version = "v0" }, ignore},
		{
			"an event of the old version alone",
			func(e *webhook.Event) {
				e.Type, e.Data = "chat.started", webhook.JSON(`{"visitor":{"name":"Ada"}}`)
			},
			func(s *webhook.Subscription) { s.Events = []string{"*"} }, ignore,
		},
		{
			"an event of the new version alone",
			func(e *webhook.Event) { e.Type = "record.created" },
			func(s *webhook.Subscription) { s.Events, s.Version = []string{"*"}, "v1" }, ignore,
		},
		{"its campaign", nil, func(s *webhook.Subscription) { s.Filters.CampaignID = "cmp_1" }, deliver},
		{"another campaign", nil, func(s *webhook.Subscription) { s.Filters.CampaignID = "cmp_2" }, ignore},
		{
			"another campaign, for an event that obeys no filter",
			func(e *webhook.Event) { e.Type = "record.created" },
			func(s *webhook.Subscription) { s.Events, s.Filters.CampaignID = []string{"*"}, "cmp_2" }, deliver,
		},
		{"for this webhook alone", func(e *webhook.Event) { e.WebhookID = "w" }, nil, deliver},
		{"for another webhook alone", func(e *webhook.Event) { e.WebhookID = "x" }, nil, ignore},
		{"paused", nil, func(s *webhook.Subscription) { s.Status = webhook.StatusPaused }, skip("webhook_paused")},
		{"gone", nil, func(s *webhook.Subscription) { s.Status = webhook.StatusGone }, skip("webhook_gone")},
		{"broken", nil, func(s *webhook.Subscription) { s.Status = webhook.StatusBroken }, skip("webhook_broken")},
		{
			"paused, and another campaign", nil,
			func(s *webhook.Subscription) {
				s.Status, s.Filters.CampaignID = webhook.StatusPaused, "cmp_2"
			}, ignore,
		},
		{
			"a test passes filters", func(e *webhook.Event) { e.Test, e.WebhookID = true, "w" },
			func(s *webhook.Subscription) { s.Filters.CampaignID = "cmp_2" }, deliver,
		},
		{
			"a test of a paused webhook", func(e *webhook.Event) { e.Test, e.WebhookID = true, "w" },
			func(s *webhook.Subscription) { s.Status = webhook.StatusPaused }, deliver,
		},
		{
			"a test of a webhook that is gone", func(e *webhook.Event) { e.Test, e.WebhookID = true, "w" },
			func(s *webhook.Subscription) { s.Status = webhook.StatusGone }, skip("webhook_gone"),
		},
	})
}

func TestMatchSourcesListsAndRules(t *testing.T) {
	t.Parallel()
	sources := func(list ...webhook.Source) func(*webhook.Subscription) {
		return func(s *webhook.Subscription) {
			s.Events, s.Sources = []string{"subscribe", "open", "sent"}, list
		}
	}
	sent := func(trigger string) func(*webhook.Event) {
		return func(e *webhook.Event) {
			e.Type, e.Source, e.Attributes.CampaignTrigger = "sent", webhook.SourceAdmin, trigger
		}
	}
	runMatches(t, "legacy", "subscribe", []matchCase{
		{"all sources", nil, nil, deliver},
		{"its source", nil, sources(webhook.SourcePublic, webhook.SourceAPI), deliver},
		{"another source", nil, sources(webhook.SourceAPI), ignore},
		{"its list", nil, func(s *webhook.Subscription) { s.Filters.ListID = "5" }, deliver},
		{"another list", nil, func(s *webhook.Subscription) { s.Filters.ListID = "6" }, ignore},
		{"a list, and an event on none", func(e *webhook.Event) { e.Attributes.ListIDs = nil }, func(s *webhook.Subscription) { s.Filters.ListID = "5" }, ignore},
		{"a list, and an event that lists do not concern", sent(""), func(s *webhook.Subscription) { s.Events, s.Filters.ListID = []string{"sent"}, "5" }, deliver},
		{"a schema, and an event that schemas do not concern", nil, func(s *webhook.Subscription) { s.Filters.SchemaID = "x" }, deliver},
		{"bulk", func(e *webhook.Event) { e.Attributes.Bulk = true }, nil, suppress("bulk_import")},
		{"bulk, and another source", func(e *webhook.Event) { e.Attributes.Bulk = true }, sources(webhook.SourceAPI), ignore},
		{"bulk, of a paused webhook", func(e *webhook.Event) { e.Attributes.Bulk = true }, func(s *webhook.Subscription) { s.Status = webhook.StatusPaused }, suppress("bulk_import")},
		{"bulk, of another type", func(e *webhook.Event) { e.Type, e.Attributes.Bulk = "open", true }, sources(webhook.SourcePublic), deliver},
		{"a test in bulk", func(e *webhook.Event) { e.Attributes.Bulk, e.Test = true, true }, nil, deliver},
		{"sent by hand", sent("manual"), sources(webhook.SourceAdmin), deliver},
		{"sent by an autoresponder", sent("autoresponder"), sources(), suppress("autoresponder")},
		{"sent by an automation, to who wants system", sent("automation"), sources(webhook.SourceSystem), deliver},
		{"sent by an automation, to who wants admin", sent("automation"), sources(webhook.SourceAdmin), ignore},
	})
}

func TestMatchAnyEvent(t *testing.T) {
	t.Parallel()
	standard := profile(t, load(t, ""), "standard")
	e := webhook.Event{Tenant: "a", Provider: "standard", Type: "made.up", Data: webhook.JSON(`{}`)}
	s := webhook.Subscription{Tenant: "a", Provider: "standard", Events: []string{"made.up"}, Status: webhook.StatusActive}
	require.Equal(t, deliver, standard.Match(e, s))
	s.Events = []string{"*"}
	require.Equal(t, deliver, standard.Match(e, s))
	e.Type = "no such name!"
	require.Equal(t, ignore, standard.Match(e, s))
}
