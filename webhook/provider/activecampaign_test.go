package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// formTypes are the 30 event types whose bodies are forms.
func formTypes(tb testing.TB) []string {
	tb.Helper()
	names := on(tb, "activecampaign").EventNames()
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "custom_object_") })
}

// TestACT01_EveryKeyOfEveryTable: TestCatalogueFields compares all of them for
// the sample; here the type, the encoding and the content type.
func TestACT01_EveryKeyOfEveryTable(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for _, entry := range tabled(t) {
		e, w := ac.sample(entry.Type, ""), ac.subscribe(webhook.Subscription{URL: "https://receiver.example.com/?a=1&b=[x]"})
		r := ac.request(e, w, goldenTime)
		require.Equal(t, "application/x-www-form-urlencoded; charset=utf-8", header(t, r, "Content-Type"))
		require.Regexp(t, `^[A-Za-z0-9_.%+&=-]+$`, string(r.Body), entry.Type)
		sent := readForm(t, r.Body)
		require.Equal(t, []string{entry.Type}, sent.of("type"))
		require.Equal(t, []string{w.URL}, sent.of("url"))
		require.Equal(t, []string{"2026-05-30T10:00:00+00:00"}, sent.of("date_time"))
		require.Empty(t, entry.missing(ac.everySource(entry)), entry.Type)
	}
}

func TestACT03_OneSource(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	w := ac.subscribe(webhook.Subscription{Sources: []webhook.Source{webhook.SourceAPI}})
	for _, name := range ac.EventNames() {
		e := ac.sample(name, "")
		for source, want := range map[webhook.Source]provider.Decision{webhook.SourceAdmin: ignore, webhook.SourceAPI: deliver} {
			e.Source = source
			require.Equal(t, want, ac.Match(e, w), "%s from %s", name, source)
		}
	}
}

func TestACT04_EightCombinations(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	w := ac.subscribe(webhook.Subscription{Sources: []webhook.Source{webhook.SourcePublic, webhook.SourceSystem}}, "subscribe", "open")
	var sent []string
	for _, name := range []string{"subscribe", "open"} {
		for _, source := range webhook.Sources() {
			e := ac.sample(name, "")
			e.Source = source
			if ac.Match(e, w) == deliver {
				sent = append(sent, name+" "+string(source))
			}
		}
	}
	require.Equal(t, []string{"subscribe public", "subscribe system", "open public", "open system"}, sent)
}

// TestACT05_NoOtherPolicy: what is never retried cannot be asked to be.
func TestACT05_NoOtherPolicy(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for _, policy := range []webhook.RetryPolicy{
		{Mode: webhook.RetryExponential, InitialSeconds: 1, Factor: 2, MaxSeconds: 60, MaxAttempts: 2},
		{Mode: webhook.RetrySchedule, DelaysSeconds: []int{1}},
	} {
		_, faults := ac.create(webhook.Subscription{Retry: &policy})
		require.Equal(t, map[string]string{"retry.mode": "must be never"}, faults)
	}
	w := ac.subscribe(webhook.Subscription{Retry: &webhook.RetryPolicy{Mode: webhook.RetryNever}})
	require.Equal(t, 1, ac.Policy(w).Attempts())
	require.Equal(t, 1, ac.Policy(webhook.Subscription{}).Attempts())
}

// TestACT08_GoneForGood: a webhook that is gone gets nothing, a test included.
func TestACT08_GoneForGood(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	require.Equal(t, provider.GoneFinal, ac.Gone())
	w := ac.subscribe(webhook.Subscription{})
	w.Status = webhook.StatusGone
	e := ac.sample("update", "")
	require.Equal(t, skip("webhook_gone"), ac.Match(e, w))
	e.Test, e.WebhookID = true, w.ID
	require.Equal(t, skip("webhook_gone"), ac.Match(e, w))
}

func TestACT09_BulkImport(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for _, name := range ac.EventNames() {
		e := ac.sample(name, "")
		e.Attributes.Bulk = true
		want := deliver
		if name == "subscribe" {
			want = suppress("bulk_import")
		}
		require.Equal(t, want, ac.Match(e, ac.subscribe(webhook.Subscription{})), name)
	}
	// On record only with those who would have had it.
	e := ac.sample("subscribe", "")
	e.Attributes.Bulk = true
	require.Equal(t, ignore, ac.Match(e, ac.subscribe(webhook.Subscription{}, "open")))
	require.Equal(t, ignore, ac.Match(e, ac.subscribe(webhook.Subscription{Filters: webhook.Filters{ListID: "4"}})))
}

func TestACT10_SentByTrigger(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	admin, system := []webhook.Source{webhook.SourceAdmin}, []webhook.Source{webhook.SourceSystem}
	tests := []struct {
		trigger string
		sources []webhook.Source
		want    provider.Decision
	}{
		{"manual", nil, deliver},
		{"manual", admin, deliver},
		{"manual", system, ignore},
		{"", admin, deliver},
		{"automation", nil, deliver},
		{"automation", admin, ignore},
		{"automation", system, deliver},
		{"autoresponder", nil, suppress("autoresponder")},
		{"autoresponder", admin, suppress("autoresponder")},
		{"autoresponder", system, ignore},
	}
	for _, test := range tests {
		e := ac.sample("sent", "")
		e.Source, e.Attributes.InitiatedBy, e.Attributes.CampaignTrigger = webhook.SourceAdmin, "", test.trigger
		e = ac.accept(e, string(e.Data))
		w := ac.subscribe(webhook.Subscription{Sources: test.sources})
		require.Equal(t, test.want, ac.Match(e, w), "%s to %s", test.trigger, test.sources)
		if test.trigger == "automation" && test.want == deliver {
			sent := ac.form(e, w)
			require.Equal(t, []string{"system"}, sent.of("initiated_from"))
			require.Equal(t, []string{"system"}, sent.of("initiated_by"))
		}
	}
	// Other events of an automation keep their source.
	e := ac.sample("open", "")
	e.Attributes.CampaignTrigger = "automation"
	require.Equal(t, webhook.SourcePublic, ac.accept(e, string(e.Data)).Source)
}

func TestACT11_UnsubscribeFromLists(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	tests := []struct {
		source    webhook.Source
		lists     []string
		data      string
		list, ids []string
	}{
		{webhook.SourceAdmin, []string{"7"}, `{}`, []string{"7"}, nil},
		{webhook.SourceAdmin, []string{"7", "9"}, `{}`, []string{"7,9"}, nil},
		{webhook.SourceAPI, []string{"7"}, `{}`, []string{"7"}, nil},
		{webhook.SourceSystem, []string{"7"}, `{}`, []string{"7"}, nil},
		{webhook.SourcePublic, []string{"7"}, `{}`, nil, []string{"7"}},
		{webhook.SourcePublic, []string{"7", "9"}, `{}`, nil, []string{"7", "9"}},
		{webhook.SourcePublic, nil, `{"list":["7",9]}`, nil, []string{"7", "9"}}, // lists in the data count as well
		{webhook.SourceAdmin, nil, `{"list":"7"}`, []string{"7"}, nil},
		{webhook.SourcePublic, nil, `{"list":[{"id":"7"},{"id":"9"}]}`, nil, []string{"7", "9"}},
		{webhook.SourceAdmin, nil, `{}`, []string{""}, nil},
	}
	for _, test := range tests {
		e := ac.accept(webhook.Event{Type: "unsubscribe", Source: test.source, Attributes: webhook.Attributes{ListIDs: test.lists}}, test.data)
		sent := ac.form(e, ac.subscribe(webhook.Subscription{}))
		require.Equal(t, test.list, sent.of("list"), "%+v", test)
		require.Equal(t, test.ids, sent.of("list[][id]"), "%+v", test)
		for _, pair := range sent {
			require.True(t, !strings.HasPrefix(pair[0], "list[") || pair[0] == "list[][id]", "%+v", test)
		}
	}
}

// TestACT12_ListOfEveryType: the constant 0 or the ids, as the tables have it.
func TestACT12_ListOfEveryType(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	zero := 0
	for _, entry := range catalogue(t)["activecampaign"][:30] {
		e := ac.sample(entry.Type, "")
		e.Source, e.Attributes.ListIDs = webhook.SourceAdmin, []string{"1", "2"}
		want := "1,2"
		if entry.List == "0" {
			want = "0"
			zero++
		}
		require.Equal(t, []string{want}, ac.form(e, ac.subscribe(webhook.Subscription{})).of("list"), entry.Type)
	}
	require.Equal(t, 19+3, zero)
	// A list in the data is known to the filter, and 0 on the wire all the same.
	e := ac.accept(webhook.Event{Type: "subscribe"}, `{"list": 5}`)
	require.Equal(t, []string{"0"}, ac.form(e, ac.subscribe(webhook.Subscription{Filters: webhook.Filters{ListID: "5"}})).of("list"))
	_, faults := ac.enqueue(webhook.Event{Type: "subscribe"}, `{"list":["5"]}`)
	require.Equal(t, map[string]string{"data.list": "must be of type scalar"}, faults)
}

func TestACT13_ListAddKeepsScalarAndArray(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	sent := ac.form(ac.sample("list_add", ""), ac.subscribe(webhook.Subscription{}))
	require.Equal(t, []string{"0"}, sent.of("list"))
	require.Equal(t, []string{"9"}, sent.of("list[id]"))
	require.Less(t, sent.index("list"), sent.index("list[id]"))
}

func TestACT14_DealUpdateListsChangedFields(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	e := ac.accept(webhook.Event{Type: "deal_update"}, `{"deal":{"id":5,"value":"100.00"},"updated_fields":["title","stage"]}`)
	sent := ac.form(e, ac.subscribe(webhook.Subscription{}))
	require.Equal(t, []string{"title"}, sent.of("updated_fields[0]"))
	require.Equal(t, []string{"stage"}, sent.of("updated_fields[1]"))
	require.Equal(t, []string{"100.00"}, sent.of("deal[value]"))
	require.Negative(t, sent.index("updated_fields[2]"))
	require.Negative(t, sent.index("contact[id]"), "the table has no contact")
}

func TestACT15_ContactRemovedFromAccount(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for _, data := range []string{
		`{"contact":{"id":1},"customer_acct_name":"","orgname":"","account":{"id":7}}`,
		`{"contact":{"id":1},"customer_acct_name":null,"account":{"id":7}}`,
	} {
		e := ac.accept(webhook.Event{Type: "account_contact_update", Source: webhook.SourceAdmin}, data)
		sent := ac.form(e, ac.subscribe(webhook.Subscription{}))
		require.Equal(t, []string{""}, sent.of("customer_acct_name"))
		require.Equal(t, []string{""}, sent.of("orgname"))
		require.Equal(t, []string{"7"}, sent.of("account[id]"))
	}
}

func TestACT16_DueDatesAsPrinted(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for name, keys := range map[string][2]string{"contact_task_add": {"task[dueDate]", "task[duedate]"}, "deal_task_add": {"task[duedate]", "task[dueDate]"}} {
		sent := ac.form(ac.sample(name, ""), ac.subscribe(webhook.Subscription{}))
		require.Regexp(t, `^2026-06-`, strings.Join(sent.of(keys[0]), " "), name)
		require.Negative(t, sent.index(keys[1]), name)
	}
}

func TestACT17_NamesOfTheDeveloperPages(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for name, want := range map[string][2]string{
		"contact_tag_added": {"tag", "customer"}, "contact_tag_removed": {"tag", "prospect"},
		"deal_task_complete": {"task[donedate]", "2026-05-30 04:59:58"},
	} {
		sent := ac.form(ac.sample(name, ""), ac.subscribe(webhook.Subscription{}, name))
		require.Equal(t, []string{want[1]}, sent.of(want[0]), name)
		require.Equal(t, []string{"robin@example.com"}, sent.of("contact[email]"), name)
	}
	require.Len(t, formTypes(t), 30)
}

func TestACT18_CustomObjects(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	const record = `{"id":"r1","schemaId":"s1","externalId":"e1","fields":[{"id":"f","value":"12345","oldValue":"45678"},{"oldValue":null,"id":"g","value":{"oldValue":1}},"odd"],` +
		`"relationships":{"primary-contact":["9"]},"createdTimestamp":"2023-11-13T21:45:11.935Z","updatedTimestamp":"2023-11-14T08:00:00.000Z"}`
	const times = `"createdTimestamp":"2023-11-13T21:45:11.935Z","updatedTimestamp":"2023-11-14T08:00:00.000Z"}`
	tests := []struct{ name, data, want string }{
		{"custom_object_create", record, `{"eventType":"create","id":"r1","schemaId":"s1","externalId":"e1","fields":[{"id":"f","value":"12345"},{"id":"g","value":{"oldValue":1}},"odd"],"relationships":{"primary-contact":["9"]},` + times},
		{"custom_object_update", record, `{"eventType":"update",` + record[1:]},
		{"custom_object_delete", record, `{"eventType":"delete","id":"r1","schemaId":"s1","externalId":"e1","fields":[],"relationships":[],` + times},
		{"custom_object_create", `{"id":2,"schemaId":"s1","externalId":null}`, `{"eventType":"create","id":2,"schemaId":"s1","fields":[],"relationships":{},"createdTimestamp":"2026-05-30T10:00:00.000Z","updatedTimestamp":"2026-05-30T10:00:00.000Z"}`},
		{"custom_object_delete", `{"id":"r1","schemaId":"s1"}`, `{"eventType":"delete","id":"r1","schemaId":"s1","fields":[],"relationships":[],"createdTimestamp":"","updatedTimestamp":"2026-05-30T10:00:00.000Z"}`},
	}
	for _, test := range tests {
		e := ac.accept(webhook.Event{Type: test.name, Source: webhook.SourceAPI}, test.data)
		r := ac.request(e, ac.subscribe(webhook.Subscription{Filters: webhook.Filters{SchemaID: "s1", ListID: "5"}}), goldenTime)
		require.Equal(t, test.want, string(r.Body))
		require.Equal(t, "application/json", header(t, r, "Content-Type"))
		require.Equal(t, ignore, ac.Match(e, ac.subscribe(webhook.Subscription{Filters: webhook.Filters{SchemaID: "s2"}})))
	}
	// The schema may be named beside the data, and must be named.
	e := ac.accept(webhook.Event{Type: "custom_object_update", Attributes: webhook.Attributes{SchemaID: "s1"}}, `{"id":"r1"}`)
	require.Contains(t, string(ac.request(e, ac.subscribe(webhook.Subscription{}), goldenTime).Body), `"schemaId":"s1"`)
	_, faults := ac.enqueue(webhook.Event{Type: "custom_object_update"}, `{"schemaId":""}`)
	require.Equal(t, map[string]string{
		"data.id": "is required for custom_object_update", "attributes.schemaId": "is required for custom_object_update",
	}, faults)
}

// TestACT19_ListFilterOfEveryType: a webhook on list 5 hears of no other list,
// and of everything that lists do not concern.
func TestACT19_ListFilterOfEveryType(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	w := ac.subscribe(webhook.Subscription{Filters: webhook.Filters{ListID: "5"}})
	concerned := 0
	for _, entry := range catalogue(t)["activecampaign"] {
		for list, want := range map[string]provider.Decision{"5": deliver, "6": ignore, "": ignore} {
			e := ac.sample(entry.Type, "")
			if e.Attributes.ListIDs = nil; list != "" {
				e.Attributes.ListIDs = []string{"1", list}
			}
			if !entry.ListFilter {
				want = deliver
			}
			require.Equal(t, want, ac.Match(e, w), "%s on list %q", entry.Type, list)
		}
		if entry.ListFilter {
			concerned++
		}
	}
	require.Equal(t, 10, concerned)
}

func TestACT21_NothingIsSigned(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for _, name := range ac.EventNames() {
		var names []string
		for _, h := range ac.request(ac.sample(name, ""), ac.subscribe(webhook.Subscription{}), goldenTime).Header {
			names = append(names, h.Name)
		}
		require.Equal(t, []string{"Content-Type", "User-Agent", "X-Delivery-Id"}, names, name)
	}
	_, faults := ac.create(webhook.Subscription{Secrets: []webhook.Secret{ownSecret}})
	require.Contains(t, faults, "secret")
}

func TestActiveCampaignInitiation(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for source, want := range map[webhook.Source][2]string{
		"": {"system", "system"}, webhook.SourceSystem: {"system", "system"}, webhook.SourcePublic: {"public", "public"},
		webhook.SourceAdmin: {"admin", "admin"}, webhook.SourceAPI: {"admin", "api"},
	} {
		sent := ac.form(ac.accept(webhook.Event{Type: "update", Source: source}, `{}`), ac.subscribe(webhook.Subscription{}))
		require.Equal(t, want, [2]string{sent.of("initiated_from")[0], sent.of("initiated_by")[0]}, "%q", source)
	}
	e := ac.accept(webhook.Event{Type: "update", Source: webhook.SourceAPI, Attributes: webhook.Attributes{InitiatedBy: "importer"}}, `{}`)
	require.Equal(t, []string{"importer"}, ac.form(e, ac.subscribe(webhook.Subscription{})).of("initiated_by"))
}

// TestActiveCampaignValues: tags are one text, custom fields go by id or label,
// closed lists are closed, what the table lacks follows behind.
func TestActiveCampaignValues(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	e := ac.accept(webhook.Event{Type: "account_contact_add"}, `{"contact":{"tags":["a","b"],"fields":{"39":"x","Shoe size":9.50}},"account":{"fields":{"City":"Ulm","77":"y"}},"own":{"deep":[true,null]}}`)
	sent := ac.form(e, ac.subscribe(webhook.Subscription{}))
	for key, want := range map[string]string{
		"contact[tags]": "a, b", "contact[fields][39]": "x", "contact[fields][Shoe size]": "9.5",
		"account[fields][City]": "Ulm", "account[fields][Country]": "", "account[fields][77]": "y", "own[deep][0]": "1", "own[deep][1]": "",
	} {
		require.Equal(t, []string{want}, sent.of(key), key)
	}
	require.Equal(t, len(sent)-2, sent.index("own[deep][0]"))
	for eventType, member := range map[string]string{"reply": `"result":%q`, "bounce": `"bounce":{"type":%q}`, "share": `"share":{"network":%q}`, "sms_sent": `"sms":{"successful":%q}`} {
		_, faults := ac.enqueue(webhook.Event{Type: eventType}, fmt.Sprintf("{"+member+"}", "other"))
		require.Len(t, faults, 1, eventType)
	}
	for value, want := range map[string]string{"1": "1", "true": "1", `"0"`: "0", "false": "0"} {
		e := ac.accept(webhook.Event{Type: "sms_sent"}, `{"sms":{"successful":`+value+`}}`)
		require.Equal(t, []string{want}, ac.form(e, ac.subscribe(webhook.Subscription{})).of("sms[successful]"))
	}
}

func TestActiveCampaignURLs(t *testing.T) {
	t.Parallel()
	ac := on(t, "activecampaign")
	for url, fault := range map[string]string{
		"http://receiver.example.com:8080/": "", "https://receiver.example.com:443/": "",
		"https://receiver.example.com:8443/": "must use port 443 with https", "ftp://receiver.example.com/": "must use https or http",
	} {
		_, faults := ac.create(webhook.Subscription{URL: url})
		require.Equal(t, fault, faults["url"], url)
	}
}
