package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

func TestCheckEvent(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	long := strings.Repeat("x", 257)
	for _, test := range []struct {
		name  string
		by    string
		give  webhook.Event
		wants []string // the fields at fault; none = accepted
	}{
		{"any name", "standard", webhook.Event{Type: "a/b:c.d-e_F9", Data: webhook.JSON(`{}`)}, nil},
		{"no name", "standard", webhook.Event{Data: webhook.JSON(`{}`)}, []string{"type"}},
		{"name with a space", "standard", webhook.Event{Type: "a b", Data: webhook.JSON(`{}`)}, []string{"type"}},
		{"star", "standard", webhook.Event{Type: "*", Data: webhook.JSON(`{}`)}, []string{"type"}},
		{"name too long", "standard", webhook.Event{Type: strings.Repeat("a", 129), Data: webhook.JSON(`{}`)}, []string{"type"}},
		{"customData without a place", "standard", webhook.Event{Type: "a", Data: webhook.JSON(`{}`), CustomData: webhook.JSON(`{"a":"b"}`)}, []string{"customData"}},
		{"unknown event", "actiwapi", webhook.Event{Type: "message.read", Data: webhook.JSON(`{}`)}, []string{"type"}},
		{"name of another provider", "actiwapi", webhook.Event{Type: "order.paid", Data: webhook.JSON(`{}`)}, []string{"type"}},
		{"unknown source", "actiwapi", webhook.Event{Type: "message.sent", Source: "robot", Data: webhook.JSON(`{}`)}, []string{"source"}},
		{"broken data", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{`)}, []string{"data"}},
		{"attributes too long", "actiwapi", webhook.Event{Type: "message.sent", Attributes: webhook.Attributes{
			CampaignID: long, SchemaID: long, InitiatedBy: "a\nb", CampaignTrigger: "robot", ListIDs: []string{"1", "", long},
		}}, []string{
			"attributes.campaignId", "attributes.schemaId", "attributes.initiatedBy", "attributes.campaignTrigger",
			"attributes.listIds[1]", "attributes.listIds[2]",
		}},
		{"too many lists", "actiwapi", webhook.Event{Type: "message.sent", Attributes: webhook.Attributes{ListIDs: strings.Split(strings.Repeat("1,", 101), ",")}}, []string{"attributes.listIds"}},
		{"required data and attribute", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{}`)}, []string{"data.phone", "attributes.campaignId"}},
		{"data that is no object", "acme", webhook.Event{Type: "record.deleted", Data: webhook.JSON(`[1]`), Attributes: webhook.Attributes{CampaignID: "c"}}, nil},
		{"member of a wrong type", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phone":1,"attempts":1.5,"campaignId":7}`)}, []string{"data.phone", "data.attempts"}},
		{"integer with an exponent", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phone":"1","attempts":1e21,"campaignId":7}`)}, nil},
		{"the name of the new version", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phone":"1","campaignId":"c"}`)}, nil},
		{"the name of the old version", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phoneNumber":"1","campaignId":"c"}`)}, nil},
		{"null is absent", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phone":null,"campaignId":"c"}`)}, []string{"data.phone"}},
		{"nested member absent", "acme", webhook.Event{Type: "chat.started", Data: webhook.JSON(`{"visitor":{},"campaignId":"c"}`)}, []string{"data.visitor.name"}},
		{"nested member of no object", "acme", webhook.Event{Type: "chat.started", Data: webhook.JSON(`{"visitor":"Ada","campaignId":"c"}`)}, []string{"data.visitor.name"}},
		{"value that is not listed", "acme", webhook.Event{Type: "chat.started", Data: webhook.JSON(`{"visitor":{"name":"Ada","kind":"old"},"campaignId":"c"}`)}, []string{"data.visitor.kind"}},
		{"customData of no object", "acme", webhook.Event{Type: "chat.started", Data: webhook.JSON(`{"visitor":{"name":"Ada"},"campaignId":"c"}`), CustomData: webhook.JSON(`["a"]`)}, []string{"customData"}},
		{"customData of another event", "acme", webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phone":"1","campaignId":"c"}`), CustomData: webhook.JSON(`{}`)}, []string{"customData"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := test.give
			faults := profile(t, registry, test.by).CheckEvent(&e)
			fields := []string{}
			for field := range faults {
				fields = append(fields, field)
			}
			require.ElementsMatch(t, test.wants, fields, "%v", faults)
		})
	}
}

func TestCheckEventFills(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	acme, legacy := profile(t, registry, "acme"), profile(t, registry, "legacy")

	e := webhook.Event{Type: "dnc.created", Data: webhook.JSON(`{"phone":"1","campaignId":42}`)}
	require.Empty(t, acme.CheckEvent(&e))
	require.Equal(t, webhook.SourceSystem, e.Source)
	require.Equal(t, "42", e.Attributes.CampaignID)

	e.Attributes.CampaignID = "given"
	require.Empty(t, acme.CheckEvent(&e))
	require.Equal(t, "given", e.Attributes.CampaignID)

	e = webhook.Event{Type: "subscribe", Source: webhook.SourceAPI}
	require.Empty(t, legacy.CheckEvent(&e))
	require.Equal(t, "api", e.Attributes.InitiatedBy)

	e = webhook.Event{Type: "sent", Source: webhook.SourceAdmin, Attributes: webhook.Attributes{CampaignTrigger: "automation"}}
	require.Empty(t, legacy.CheckEvent(&e))
	require.Equal(t, webhook.SourceSystem, e.Source)
	require.Equal(t, "system", e.Attributes.InitiatedBy)
}

func TestCustomDataLimits(t *testing.T) {
	t.Parallel()
	acme := profile(t, load(t, "testdata/operator"), "acme")
	for _, test := range []struct {
		give string
		kept bool
	}{
		{`{}`, true},
		{`{"a":"b"}`, true},
		{`{"a":"1","b":"2","c":"3"}`, true},
		{`{"a":"1","b":"2","c":"3","d":"4"}`, false},
		{`{"12345678":"x"}`, true},
		{`{"123456789":"x"}`, false},
		{`{"üüüüüüüü":"x"}`, true},
		{`{"a":"1234567890123456"}`, true},
		{`{"a":"12345678901234567"}`, false},
		{`{"a":1}`, false},
		{`{"a":{"b":"c"}}`, false},
		{`{"a":null}`, false},
	} {
		e := webhook.Event{
			Type: "chat.started", Data: webhook.JSON(`{"visitor":{"name":"Ada"},"campaignId":"c"}`), CustomData: webhook.JSON(test.give),
		}
		require.Empty(t, acme.CheckEvent(&e))
		if test.kept {
			require.Equal(t, test.give, string(e.CustomData))
		} else {
			require.Empty(t, e.CustomData, test.give)
		}
	}
}
