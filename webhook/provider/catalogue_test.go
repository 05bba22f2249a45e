package provider_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// catalogued is an event as the provider's documentation has it; see the head of
// testdata/catalogue.yaml.
type catalogued struct {
	Type       string   `yaml:"type"`
	Version    string   `yaml:"version"`
	Category   string   `yaml:"category"`
	List       string   `yaml:"list"`
	ListFilter bool     `yaml:"listFilter"`
	Documented []string `yaml:"documented"`
	Further    []string `yaml:"further"`
}

// documentedTypes are the types that ActiveCampaign's help page has a form table
// for; those behind them are named elsewhere or sent as JSON.
const documentedTypes = 27

func catalogue(tb testing.TB) map[string][]catalogued {
	tb.Helper()
	text, err := os.ReadFile("testdata/catalogue.yaml")
	require.NoError(tb, err)
	var read map[string][]catalogued
	require.NoError(tb, yaml.UnmarshalWithOptions(text, &read, yaml.Strict()))
	return read
}

// tabled are the 27 types with a form table.
func tabled(tb testing.TB) []catalogued {
	tb.Helper()
	return catalogue(tb)["activecampaign"][:documentedTypes]
}

func TestCatalogueCounts(t *testing.T) {
	t.Parallel()
	types, documented, further := 0, 0, 0
	per := map[string]int{}
	for name, list := range catalogue(t) {
		for _, entry := range list {
			types++
			per[strings.TrimSuffix(name+" "+entry.Version, " ")]++
			documented += len(entry.Documented)
			further += len(entry.Further)
		}
	}
	require.Equal(t, map[string]int{"aktify v1": 2, "aktify v2": 18, "activecampaign": 30 + 3, "actiwapi": 5, "akol": 14}, per)
	require.Equal(t, 72, types)
	require.Equal(t, 620, documented)
	require.Equal(t, 296, further)
	for _, entry := range tabled(t) {
		require.NotEmpty(t, entry.Documented, entry.Type)
	}
}

// TestCatalogueOrder: the profile lists the documents' events, in their order.
func TestCatalogueOrder(t *testing.T) {
	t.Parallel()
	for name, list := range catalogue(t) {
		var got, want [][3]string
		for _, entry := range on(t, name).EventTypes() {
			got = append(got, [3]string{entry.Version, entry.Type, entry.Category})
		}
		for _, entry := range list {
			want = append(want, [3]string{entry.Version, entry.Type, entry.Category})
		}
		require.Equal(t, want, got, name)
	}
}

// TestCatalogueFields: what a receiver gets for the sample has every field of
// the documentation, with a value, in the documentation's order.
func TestCatalogueFields(t *testing.T) {
	t.Parallel()
	for name, list := range catalogue(t) {
		p := on(t, name)
		for _, entry := range list {
			t.Run(strings.TrimSuffix(name+"/"+entry.Type+"/"+entry.Version, "/"), func(t *testing.T) {
				t.Parallel()
				bodies := stage{t, p.Profile}.everySource(entry)
				require.Empty(t, entry.missing(bodies), "documented, but not in the sample's request")
				for _, body := range bodies {
					requireOrder(t, entry, body)
				}
			})
		}
	}
}

// everySource is what is sent for the sample, caused by each source in turn
// where that changes anything.
func (s stage) everySource(entry catalogued) []fields {
	e, w := s.sample(entry.Type, entry.Version), s.subscribe(webhook.Subscription{Version: entry.Version})
	bodies := []fields{readBody(s.t, s.request(e, w, goldenTime).Body)}
	if !s.HasSources() {
		return bodies
	}
	for _, source := range webhook.Sources() {
		e.Source = source
		bodies = append(bodies, readBody(s.t, s.request(e, w, goldenTime).Body))
	}
	return bodies
}

// missing names the fields that are not sent as the documentation has it: those
// sent always must be in every body, those sent at times in one of them.
func (c catalogued) missing(bodies []fields) []string {
	var names []string
	for _, field := range slices.Concat(c.Documented, c.Further) {
		name, atTimes := strings.CutSuffix(field, "?")
		sent := 0
		for _, body := range bodies {
			if body.has(name) {
				sent++
			}
		}
		if sent == 0 || !atTimes && sent < len(bodies) {
			names = append(names, name)
		}
	}
	return names
}

// requireOrder holds the documented fields of one body to their order.
func requireOrder(t *testing.T, entry catalogued, body fields) {
	t.Helper()
	last, lastName := -1, ""
	for _, field := range entry.Documented {
		name := strings.TrimSuffix(field, "?")
		at := slices.IndexFunc(body, func(f sentField) bool { return matches(name, f.name) })
		if at < 0 {
			continue
		}
		require.Greater(t, at, last, "%s must stand behind %s", name, lastName)
		last, lastName = at, name
	}
}

// fields is what a body holds, in order: form keys, or JSON paths such as
// data.transcript[].text.
type fields []sentField

type sentField struct {
	name  string
	empty bool
}

// has reports whether the field is there and never empty.
func (f fields) has(name string) bool {
	found := false
	for _, field := range f {
		if matches(name, field.name) {
			if found = !field.empty; !found {
				return false
			}
		}
	}
	return found
}

// matches compares a documented name with one that was sent; [*] stands for any
// one member.
func matches(documented, sent string) bool {
	prefix, spread := strings.CutSuffix(documented, "[*]")
	if !spread {
		return documented == sent
	}
	member, found := strings.CutPrefix(sent, prefix+"[")
	return found && strings.Index(member, "]") == len(member)-1
}

func readBody(tb testing.TB, body []byte) fields {
	tb.Helper()
	if body[0] == '{' {
		return readJSON(tb, nil, "", json.RawMessage(body))
	}
	var list fields
	for _, pair := range readForm(tb, body) {
		list = append(list, sentField{pair[0], pair[1] == ""})
	}
	return list
}

// readJSON lists the members of an object at every depth, those of an array's
// elements under the array's name and [].
func readJSON(tb testing.TB, list fields, path string, value json.RawMessage) fields {
	tb.Helper()
	switch value[0] {
	case '{':
		decoder := json.NewDecoder(strings.NewReader(string(value)))
		_, err := decoder.Token()
		require.NoError(tb, err)
		for decoder.More() {
			key, err := decoder.Token()
			require.NoError(tb, err)
			var member json.RawMessage
			require.NoError(tb, decoder.Decode(&member))
			name := strings.TrimPrefix(fmt.Sprintf("%s.%s", path, key), ".")
			list = readJSON(tb, append(list, sentField{name, string(member) == `""` || string(member) == "null"}), name, member)
		}
	case '[':
		var elements []json.RawMessage
		require.NoError(tb, json.Unmarshal(value, &elements))
		for _, element := range elements {
			list = readJSON(tb, list, path+"[]", element)
		}
	}
	return list
}

// TestCatalogueNamesWhatIsMissing: the comparison above can fail.
func TestCatalogueNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	entry := catalogued{Documented: []string{"type", "list", "list[id]", "form[id]?", "contact[fields][*]", "contact[ip]"}}
	full := fields{{"type", false}, {"list", false}, {"list[id]", false}, {"form[id]", false}, {"contact[fields][3]", false}, {"contact[ip]", false}}
	require.Empty(t, entry.missing([]fields{full}))
	require.Empty(t, entry.missing([]fields{full, slices.Concat(full[:3], full[4:])}))
	require.Equal(t, []string{"list"}, entry.missing([]fields{full, slices.Concat(full[:1], full[2:])}))
	require.Equal(t, []string{"contact[fields][*]"}, entry.missing([]fields{slices.Concat(full[:4], full[5:], fields{{"contact[fields][3][4]", false}})}))
	require.Equal(t, []string{"contact[ip]"}, entry.missing([]fields{slices.Concat(full[:5], fields{{"contact[ip]", true}})}))
	nested := readJSON(t, nil, "", json.RawMessage(`{"data":{"rows":[{"a":1,"b":""}],"none":[]}}`))
	require.Equal(t, fields{{"data", false}, {"data.rows", false}, {"data.rows[].a", false}, {"data.rows[].b", true}, {"data.none", false}}, nested)
}

// TestCatalogueWithoutData: of an event whose producer knew nothing, every plain
// field of the table is sent, empty, and nothing that applies at times.
func TestCatalogueWithoutData(t *testing.T) {
	t.Parallel()
	p := on(t, "activecampaign")
	head := []string{"url", "type", "date_time", "initiated_from", "initiated_by"}
	for _, entry := range catalogue(t)["activecampaign"][:30] {
		var want []string
		listed := entry.Documented
		if len(listed) == 0 {
			listed = entry.Further
		}
		for _, field := range listed {
			if name := field; !strings.HasSuffix(name, "?") && !slices.Contains(head, name) && name != "list" {
				want = append(want, name+"=")
			}
		}
		e := p.accept(webhook.Event{Type: entry.Type, Source: webhook.SourceAdmin}, `{}`)
		var got []string
		sent := p.form(e, p.subscribe(webhook.Subscription{}))
		for _, pair := range sent {
			if !slices.Contains(head, pair[0]) && pair[0] != "list" {
				got = append(got, pair[0]+"="+pair[1])
			}
		}
		require.Equal(t, want, got, entry.Type)
		require.Equal(t, []string{strings.TrimSuffix(entry.List, "ids")}, sent.of("list"), entry.Type)
	}
}

// Who may be written to or called: nobody.
var (
	emailAddress  = regexp.MustCompile(`[\w.+-]+@([\w.-]+)`)
	phoneNumber   = regexp.MustCompile(`\+\d{7,}`)
	nobodysNumber = regexp.MustCompile(`^\+155555501\d\d$`)
	webAddress    = regexp.MustCompile(`https?://([\w.-]+)`)
)

// TestCatalogueSamples: every event has a sample, and no sample leads to anyone.
func TestCatalogueSamples(t *testing.T) {
	t.Parallel()
	seen := 0
	for name := range catalogue(t) {
		for _, entry := range on(t, name).EventTypes() {
			text := string(entry.Sample)
			require.Greater(t, len(text), len(`{}`), entry.Type)
			for _, found := range slices.Concat(emailAddress.FindAllStringSubmatch(text, -1), webAddress.FindAllStringSubmatch(text, -1)) {
				require.Regexp(t, `(^|\.)example\.com$`, found[1], "%s of %s", entry.Type, name)
			}
			for _, number := range phoneNumber.FindAllString(text, -1) {
				require.Regexp(t, nobodysNumber, number, "%s of %s", entry.Type, name)
				seen++
			}
		}
	}
	require.Greater(t, seen, 40)
}
