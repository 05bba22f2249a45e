package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// The acceptance cases about what an ActiveCampaign form holds.

// tabled is one of the 27 event types that have a payload table, with what a
// producer knows of it.
type tabled struct {
	provider.EventType
	documented []string
}

// tables reads the documented keys of the provider's catalogue; see its head.
func tables(t *testing.T) []tabled {
	t.Helper()
	text, err := os.ReadFile("../webhook/provider/testdata/catalogue.yaml")
	require.NoError(t, err)
	var catalogue map[string][]struct {
		Type       string   `yaml:"type"`
		Documented []string `yaml:"documented"`
	}
	require.NoError(t, yaml.Unmarshal(text, &catalogue))
	registry, err := provider.Load("")
	require.NoError(t, err)
	profile, err := registry.Profile("activecampaign")
	require.NoError(t, err)
	samples := map[string]provider.EventType{}
	for _, entry := range profile.EventTypes() {
		samples[entry.Type] = entry
	}
	var list []tabled
	keys := 0
	for _, entry := range catalogue["activecampaign"][:27] {
		require.NotEmpty(t, samples[entry.Type].Sample, entry.Type)
		list = append(list, tabled{samples[entry.Type], entry.Documented})
		keys += len(entry.Documented)
	}
	require.Equal(t, 499, keys, "all the tables' lines")
	return list
}

// sample is the data that the provider's catalogue has for an event.
func sample(t *testing.T, eventType string) string {
	t.Helper()
	list := tables(t)
	at := slices.IndexFunc(list, func(entry tabled) bool { return entry.Type == eventType })
	require.GreaterOrEqual(t, at, 0, eventType)
	return string(list[at].Sample)
}

// post hands over an event and returns the one form that came of it.
func (sys *system) post(rec *receiver, eventType, data string, extra ...string) url.Values {
	sys.t.Helper()
	before := len(rec.all())
	event := sys.emit(eventType, data, extra...)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), eventType)
	got := rec.all()
	require.Len(sys.t, got, before+1, eventType)
	form := formOf(sys.t, got[before])
	require.Equal(sys.t, []string{eventType}, form["type"])
	return form
}

// act01 sends every table's sample twice, from two sources, because unsubscribe
// has keys that exclude each other.
func act01(sys *system) {
	t := sys.t
	rec := newReceiver(t, nil)
	sys.createWebhook(rec.URL + "/?a=1&b=[x]")
	for _, entry := range tables(t) {
		attributes, err := json.Marshal(entry.SampleAttributes)
		require.NoError(t, err)
		var forms []url.Values
		for _, source := range []webhook.Source{webhook.SourcePublic, webhook.SourceAdmin} {
			form := sys.post(rec, entry.Type, string(entry.Sample), fmt.Sprintf(`"source":%q`, source), `"attributes":`+string(attributes),
				`"occurredAt":"2026-05-30T10:00:00Z"`)
			require.Regexp(t, `^[A-Za-z0-9_.%+&=-]+$`, rec.all()[len(rec.all())-1].body, entry.Type)
			require.Equal(t, []string{rec.URL + "/?a=1&b=[x]"}, form["url"])
			require.Equal(t, []string{"2026-05-30T10:00:00+00:00"}, form["date_time"])
			require.Equal(t, []string{string(source)}, form["initiated_from"])
			for key, want := range leaves(t, entry.Sample) {
				require.Equal(t, []string{want}, form[key], "%s: %s", entry.Type, key)
			}
			forms = append(forms, form)
		}
		for _, key := range entry.documented {
			requireKey(t, entry.Type, key, forms)
		}
	}
	require.Len(t, rec.all(), 2*27)
}

// requireKey expects a value under a documented key in every form; in one of
// them if it is marked as sent at times only.
func requireKey(t *testing.T, eventType, key string, forms []url.Values) {
	t.Helper()
	name, atTimes := strings.CutSuffix(key, "?")
	sent := 0
	for _, form := range forms {
		for sentKey, values := range form {
			if prefix, spread := strings.CutSuffix(name, "[*]"); sentKey == name || spread && strings.HasPrefix(sentKey, prefix+"[") {
				require.NotContains(t, values, "", "%s: %s", eventType, sentKey)
				sent++
				break
			}
		}
	}
	if atTimes {
		require.Positive(t, sent, "%s: %s", eventType, key)
		return
	}
	require.Equal(t, len(forms), sent, "%s: %s", eventType, key)
}

// leaves is an event's data as the keys and values of a form.
func leaves(t *testing.T, data webhook.JSON) map[string]string {
	t.Helper()
	var tree map[string]any
	require.NoError(t, json.Unmarshal(data, &tree))
	found := map[string]string{}
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, member := range v {
				walk(key+"["+name+"]", member)
			}
		case []any:
			var members []string
			for i, element := range v {
				walk(fmt.Sprintf("%s[%d]", key, i), element)
				members = append(members, fmt.Sprint(element))
			}
			if key == "contact[tags]" { // a list to the producer, one text to the receiver
				maps.DeleteFunc(found, func(name, _ string) bool { return strings.HasPrefix(name, key+"[") })
				found[key] = strings.Join(members, ", ")
			}
		default:
			found[key] = fmt.Sprint(v)
		}
	}
	for name, member := range tree {
		walk(name, member)
	}
	require.NotEmpty(t, found)
	return found
}

// listKeys are the keys of a form that PHP would read into $_POST['list'].
func listKeys(form url.Values) map[string][]string {
	found := map[string][]string{}
	for key, values := range form {
		if key == "list" || strings.HasPrefix(key, "list[") {
			found[key] = values
		}
	}
	return found
}

func act11(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	for _, test := range []struct {
		source, lists string
		want          map[string][]string
	}{
		{"admin", `["7"]`, map[string][]string{"list": {"7"}}},
		{"public", `["7","9"]`, map[string][]string{"list[][id]": {"7", "9"}}},
		{"public", `["7"]`, map[string][]string{"list[][id]": {"7"}}},
	} {
		form := sys.post(rec, "unsubscribe", contactData, fmt.Sprintf(`"source":%q,"attributes":{"listIds":%s}`, test.source, test.lists))
		require.Equal(sys.t, test.want, listKeys(form), "%s from %s", test.source, test.lists)
		require.Equal(sys.t, []string{"robin+news@example.com"}, form["contact[email]"])
	}
}

func act12(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	for _, lists := range []string{`[]`, `["1","2"]`} { // the ids are for the filter, not for the wire
		for _, eventType := range []string{"subscribe", "update", "deal_add", "sms_sent"} {
			form := sys.post(rec, eventType, sample(sys.t, eventType), `"attributes":{"listIds":`+lists+`}`)
			require.Equal(sys.t, map[string][]string{"list": {"0"}}, listKeys(form), "%s on %s", eventType, lists)
		}
	}
	form := sys.post(rec, "open", campaignData, `"attributes":{"listIds":["1","2"]}`)
	require.Equal(sys.t, map[string][]string{"list": {"1,2"}}, listKeys(form))
}

func act13(sys *system) {
	t := sys.t
	w := sys.createWebhook(startPHP(sys))
	data := sample(t, "list_add")
	event := sys.emit("list_add", data, `"source":"admin"`)
	require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	history := sys.history(w.ID)
	require.Len(t, history, 1)
	post := answerOfPHP(t, history[0]).Post
	require.Equal(t, "list_add", post["type"])
	var given struct{ List map[string]any }
	require.NoError(t, json.Unmarshal([]byte(data), &given))
	require.Len(t, given.List, 12)
	require.Equal(t, given.List, post["list"], "an array with all of it, not the 0")
	for _, key := range []string{"id", "name", "sender_addr1"} {
		require.NotEmpty(t, given.List[key], key)
	}
}

func act14(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	form := sys.post(rec, "deal_update", `{"deal":{"id":"87","title":"Renewal & more","stageid":"4"},"updated_fields":["title","stage"]}`, `"source":"admin"`)
	require.Equal(sys.t, []string{"title"}, form["updated_fields[0]"])
	require.Equal(sys.t, []string{"stage"}, form["updated_fields[1]"])
	for key := range form {
		require.False(sys.t, strings.HasPrefix(key, "updated_fields") && key != "updated_fields[0]" && key != "updated_fields[1]", key)
	}
	require.Equal(sys.t, []string{"Renewal & more"}, form["deal[title]"])
}

func act15(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	for _, names := range []string{`"customer_acct_name":"","orgname":""`, `"customer_acct_name":null,"orgname":null`} {
		form := sys.post(rec, "account_contact_update", `{"contact":{"id":"42"},`+names+`,"account":{"id":"7","name":"Example Widgets"}}`, `"source":"admin"`)
		require.Equal(sys.t, []string{""}, form["customer_acct_name"], names)
		require.Equal(sys.t, []string{""}, form["orgname"], names)
		require.Equal(sys.t, []string{"Example Widgets"}, form["account[name]"])
	}
}

func act16(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	for _, test := range []struct{ eventType, key, not string }{
		{"contact_task_add", "dueDate", "duedate"},
		{"deal_task_add", "duedate", "dueDate"},
	} {
		form := sys.post(rec, test.eventType, fmt.Sprintf(`{"task":{"id":"615","type_id":"1",%q:"2026-06-02 14:00:00"}}`, test.key), `"source":"admin"`)
		require.Equal(sys.t, []string{"2026-06-02 14:00:00"}, form["task["+test.key+"]"], test.eventType)
		require.NotContains(sys.t, form, "task["+test.not+"]", test.eventType)
	}
}
