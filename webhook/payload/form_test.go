package payload_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/payload"
)

// pairs shows a form body as a person reads it.
func pairs(t *testing.T, body string) []string {
	t.Helper()
	if body == "" {
		return nil
	}
	var list []string
	for pair := range strings.SplitSeq(body, "&") {
		key, value, found := strings.Cut(pair, "=")
		require.True(t, found, "%s", pair)
		key, err := url.QueryUnescape(key)
		require.NoError(t, err)
		value, err = url.QueryUnescape(value)
		require.NoError(t, err)
		list = append(list, key+"="+value)
	}
	return list
}

func TestFormFields(t *testing.T) {
	t.Parallel()
	lists := webhook.Attributes{ListIDs: []string{"1", "2"}}
	tests := []struct {
		name       string
		fields     string // YAML
		data       string
		attributes webhook.Attributes
		source     webhook.Source
		want       []string
	}{
		{name: "no fields: the data alone", fields: `[]`, data: `{"b":1,"a":{"y":"2","x":[true,false]}}`,
			want: []string{"b=1", "a[y]=2", "a[x][0]=1", "a[x][1]=0"}},
		{name: "listed first, in listed order", fields: `[b, "a[x]"]`, data: `{"z":0,"a":{"w":1,"x":2},"b":3}`,
			want: []string{"b=3", "a[x]=2", "z=0", "a[w]=1"}},
		{name: "a listed key that is missing is empty", fields: `["contact[email]"]`, data: `{}`, want: []string{"contact[email]="}},
		{name: "... so is null", fields: `["contact[email]"]`, data: `{"contact":{"email":null}}`, want: []string{"contact[email]="}},
		{name: "an optional key that is missing is absent", fields: `["form[id]?", {key: x, presence: optional}]`, data: `{"form":{"id":null}}`, want: nil},
		{name: "an optional key that is empty is sent", fields: `["form[id]?"]`, data: `{"form":{"id":""}}`, want: []string{"form[id]="}},
		{name: "optional by its value", fields: `[{key: c, value: $event.attributes.campaignId?}]`, data: `{}`, want: nil},
		{name: "constants", fields: `[{key: list, value: 0}, {key: a, value: x}, {key: b, value: true}, {key: c, value: null}, {key: d, value: 1.50}, {key: e, value: "007"}]`,
			data: `{}`, want: []string{"list=0", "a=x", "b=1", "c=", "d=1.5", "e=007"}},
		{name: "text with values", fields: `[{key: id, value: "biz_${event.tenant}/${data.n}/${data.s}/${data.no}"}]`, data: `{"n":5,"s":"é \"","t":1}`,
			want: []string{`id=biz_acme/5/é "/`, "t=1"}},
		{name: "numbers in canonical form", fields: `[n]`, data: `{"n":1.50e1,"m":1e21}`, want: []string{"n=15", "m=1e+21"}},
		{name: "map", fields: `[{key: from, value: $event.source, map: {api: admin}}]`, data: `{}`, source: webhook.SourceAPI, want: []string{"from=admin"}},
		{name: "map passes what it does not name", fields: `[{key: from, value: $event.source, map: {api: admin}}]`, data: `{}`, source: webhook.SourceSystem, want: []string{"from=system"}},
		{name: "map on data", fields: `[{key: ok, map: {"1": "yes", "0": "no"}}, {key: s, map: {"": none}}, {key: "t[*]", map: {a: A}}]`, data: `{"ok":false,"t":["a","b"]}`,
			want: []string{"ok=no", "s=none", "t[0]=A", "t[1]=b"}},
		{name: "first value there is", fields: `[{key: by, value: $event.attributes.initiatedBy ?? $event.source}]`, data: `{}`, source: webhook.SourceAdmin, want: []string{"by=admin"}},
		{name: "tags joined", fields: `[{key: tags, join: ", "}]`, data: `{"tags":["a","b,c",3,true,null]}`, want: []string{"tags=a, b,c, 3, 1, "}},
		{name: "no tags", fields: `[{key: tags, join: ", "}]`, data: `{"tags":[]}`, want: []string{"tags="}},
		{name: "tags that are text already", fields: `[{key: tags, join: ", "}]`, data: `{"tags":"a, b"}`, want: []string{"tags=a, b"}},
		{name: "nothing to join in nested data", fields: `[{key: tags, join: ", "}]`, data: `{"tags":["a",{"b":1}]}`, want: []string{"tags[0]=a", "tags[1][b]=1"}},
		{name: "an object under a plain key", fields: `[a]`, data: `{"a":{"b":{"c":1}}}`, want: []string{"a[b][c]=1"}},
		{name: "an empty container under a plain key", fields: `[a]`, data: `{"a":[]}`, want: []string{"a="}},
		{name: "list ids joined", fields: `[{key: list, value: $event.attributes.listIds, join: ","}]`, data: `{}`, attributes: lists, want: []string{"list=1,2"}},
		{name: "list ids joined, none", fields: `[{key: list, value: $event.attributes.listIds, join: ","}]`, data: `{}`, want: []string{"list="}},
		{name: "list ids under one key each", fields: `[{key: list, value: $event.attributes.listIds}]`, data: `{}`, attributes: lists, want: []string{"list[0]=1", "list[1]=2"}},
		{name: "list ids under one key each, none", fields: `[{key: list, value: $event.attributes.listIds}]`, data: `{}`, want: []string{"list="}},
		{name: "list ids spread", fields: `[{key: "list[*]", value: $event.attributes.listIds}]`, data: `{}`, attributes: lists, want: []string{"list[0]=1", "list[1]=2"}},
		{name: "list ids repeated", fields: `[{key: "list[][id]", value: $event.attributes.listIds}, {key: "l[]", value: $event.attributes.listIds}]`, data: `{}`, attributes: lists,
			want: []string{"list[][id]=1", "list[][id]=2", "l[]=1", "l[]=2"}},
		{name: "list ids repeated, none", fields: `[{key: "list[][id]", value: $event.attributes.listIds}]`, data: `{}`, want: nil},
		{name: "one value repeated is one", fields: `[{key: "list[][id]", value: $event.type}, "l[]"]`, data: `{"l":"x"}`, want: []string{"list[][id]=order.paid", "l[]=x"}},
		{name: "repeated from the data", fields: `["list[][id]"]`, data: `{"list":[{"id":1,"name":"a"},{"id":2},3,{"name":"b"}]}`,
			want: []string{"list[][id]=1", "list[][id]=2", "list[][id]=3", "list[0][name]=a", "list[3][name]=b"}},
		{name: "repeated from one object", fields: `["list[][id]"]`, data: `{"list":{"id":1,"name":"a"}}`, want: []string{"list[][id]=1", "list[name]=a"}},
		{name: "repeated without tail", fields: `["tags[]"]`, data: `{"tags":["a",{"b":1}]}`, want: []string{"tags[]=a", "tags[][b]=1"}},
		{name: "spread an object", fields: `["contact[fields][*]", "contact[id]"]`, data: `{"contact":{"id":9,"fields":{"b":1,"39":"x","a":[1,2]}}}`,
			want: []string{"contact[fields][39]=x", "contact[fields][b]=1", "contact[fields][a][0]=1", "contact[fields][a][1]=2", "contact[id]=9"}},
		{name: "spread an array", fields: `["updated_fields[*]"]`, data: `{"updated_fields":["title","stage"]}`, want: []string{"updated_fields[0]=title", "updated_fields[1]=stage"}},
		{name: "spread nothing", fields: `["a[*]", "b[*]", "c[*]", "d[*]"]`, data: `{"a":{},"b":[],"c":null}`, want: nil},
		{name: "spread a plain value", fields: `["a[*]"]`, data: `{"a":"x"}`, want: []string{"a=x"}},
		{name: "spread leaves out what is listed by itself", fields: `["f[*]", "f[b]", "f[d]?"]`, data: `{"f":{"a":1,"b":2,"c":3}}`, want: []string{"f[a]=1", "f[c]=3", "f[b]=2"}},
		{name: "unlisted null and empty are not dropped", fields: `[]`, data: `{"a":null,"b":{},"c":[[],{"d":[]}]}`, want: []string{"a=", "b=", "c[0]=", "c[1][d]="}},
		{name: "a value from elsewhere in the data is sent once", fields: `[{key: mail, value: $data.contact.email}]`, data: `{"contact":{"email":"x","id":1}}`, want: []string{"mail=x", "contact[id]=1"}},
		{name: "a bracket in a name forges no listed field", fields: `[{key: list, value: 0}, "contact[email]"]`, data: `{"list[]":"q","contact[email]":"x","a]":1}`,
			want: []string{"list=0", "contact[email]=", "data[list[]]=q", "data[contact[email]]=x", "data[a]]=1"}},
		{name: "all data under one key", fields: `[{key: payload, value: $event.data}]`, data: `{"a":[1]}`, want: []string{"payload[a][0]=1"}},
		{name: "a listed key owns its name", fields: `[{key: type, value: $event.type}, {key: list, value: 0}]`, data: `{"type":"forged","list":[],"a":1}`, want: []string{"type=order.paid", "list=0", "a=1"}},
		{name: "... but not what lies below it", fields: `[{key: list, value: 0}, "list[id]"]`, data: `{"list":{"name":"n","id":7}}`, want: []string{"list=0", "list[id]=7", "list[name]=n"}},
		{name: "not for this source", fields: `[{key: list, value: $event.attributes.listIds, join: ",", exceptSources: [public]}, {key: "list[][id]", value: $event.attributes.listIds, sources: [public]}]`,
			data: `{"list":9}`, attributes: lists, source: webhook.SourcePublic, want: []string{"list[][id]=1", "list[][id]=2"}},
		{name: "for this source", fields: `[{key: list, value: $event.attributes.listIds, join: ",", exceptSources: [public]}, {key: "list[][id]", value: $event.attributes.listIds, sources: [public]}]`,
			data: `{"list":[{"id":9}]}`, attributes: lists, source: webhook.SourceAPI, want: []string{"list=1,2"}},
		{name: "one key, two conditions", fields: `[{key: a, value: x, sources: [admin]}, {key: a, value: y, exceptSources: [admin]}]`, data: `{}`, source: webhook.SourceAdmin, want: []string{"a=x"}},
		{name: "account fields by label", fields: `["account[fields][State/Province]"]`, data: `{"account":{"fields":{"State/Province":"NRW","Annual Revenue":"1"}}}`,
			want: []string{"account[fields][State/Province]=NRW", "account[fields][Annual Revenue]=1"}},
		{name: "keys with quotes and escapes", fields: `['a"b[c\d]']`, data: `{"a\"b":{"c\\d":"x","\u0001":"\n"}}`, want: []string{`a"b[c\d]=x`, "a\"b[\x01]=\n"}},
		{name: "an array element by number", fields: `["lines[0][sku]"]`, data: `{"lines":[{"sku":"a","n":1},{"sku":"b"}]}`, want: []string{"lines[0][sku]=a", "lines[0][n]=1", "lines[1][sku]=b"}},
		{name: "customData", fields: `[{key: "custom[*]", value: $event.customData}, {key: k, value: $event.customData.k}]`, data: `{"a":1}`, want: []string{"custom[k]=v", "custom[n]=2", "k=v", "a=1"}},
		{name: "data that is an array", fields: `[]`, data: `["a",{"b":1}]`, want: []string{"0=a", "1[b]=1"}},
		{name: "data that is plain", fields: `[]`, data: `"x"`, want: []string{"data=x"}},
		{name: "data that is null", fields: `[]`, data: `null`, want: nil},
		{name: "an empty key", fields: `[]`, data: `{"":{"":1}}`, want: []string{"[]=1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := event(t, tt.data)
			e.Attributes, e.CustomData = tt.attributes, webhook.JSON(`{"k":"v","n":2}`)
			if tt.source != "" {
				e.Source = tt.source
			}
			require.Equal(t, tt.want, pairs(t, render(t, "format: form\nform: {fields: "+tt.fields+"}", e)))
		})
	}
}

func TestFormFieldsByEventType(t *testing.T) {
	t.Parallel()
	spec := `
format: form
contentType: application/x-www-form-urlencoded
form:
  groups:
    person: ["p[id]", "p[mail]"]
    head: [{key: type, value: $event.type}, {group: person}]
  events:
    joined: [{group: head}, "form[id]?"]
    left: [{group: head}, reason]
  fields: [{key: other, value: 1}]
`
	require.Equal(t, []string{"joined", "left"}, parseSpec(t, spec).Form.EventTypes())
	tests := map[string][]string{
		"joined":  {"type=joined", "p[id]=1", "p[mail]=", "x=2"},
		"left":    {"type=left", "p[id]=1", "p[mail]=", "reason=", "x=2"},
		"unknown": {"other=1", "x=2", "p[id]=1"},
	}
	for eventType, want := range tests {
		e := event(t, `{"x":2,"p":{"id":1}}`)
		e.Type = eventType
		body, err := compile(t, spec).Render(input(e))
		require.NoError(t, err)
		require.Equal(t, "application/x-www-form-urlencoded", body.ContentType)
		require.Equal(t, want, pairs(t, string(body.Bytes)))
	}
}

// FuzzForm holds any data to what a form must be: it can be read back, and no
// value is lost.
func FuzzForm(f *testing.F) {
	for _, e := range messages(f) {
		if len(e.Data) < 4096 {
			f.Add([]byte(e.Data), []byte(e.Data))
		}
	}
	f.Add([]byte(`{"list":[{"id":1},{"id":[]}],"contact":{"fields":{"a":null}},"type":{"x":[1]}}`), []byte(`{`))
	f.Add([]byte(`["",{"":{"":"\ud800"}}]`), []byte(`"`))
	renderers := []*payload.Renderer{compile(f, specs["form"]), compile(f, "format: form"), compile(f, `
format: form
form: {fields: ["list[][id]", "contact[fields][*]", "contact[fields][a]?", {key: type, value: "${data.type.x} ${event.customData.a[0]}"}, {key: tags, join: ","}]}`)}
	f.Fuzz(func(t *testing.T, text, raw []byte) {
		for _, renderer := range renderers { // whatever it is given, it does not panic
			_, err := renderer.Render(input(webhook.Event{Data: raw, CustomData: text}))
			require.True(t, err == nil || errs.Is(err, errs.Internal))
		}
		data, err := payload.CanonicalObject("data", text)
		if err != nil {
			return
		}
		leaves := countLeaves(t, data)
		for i, renderer := range renderers {
			body, err := renderer.Render(input(webhook.Event{Data: data, Source: webhook.SourceAPI}))
			require.NoError(t, err)
			list := pairs(t, string(body.Bytes))
			if i == 1 {
				require.Len(t, list, leaves, "%s", data)
			}
			again, err := renderer.Render(input(webhook.Event{Data: data, Source: webhook.SourceAPI}))
			require.NoError(t, err)
			require.Equal(t, string(body.Bytes), string(again.Bytes))
		}
	})
}

// countLeaves returns how many pairs the data makes: its plain values and its
// empty containers below the top.
func countLeaves(t require.TestingT, data []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	_, err := decoder.Token()
	require.NoError(t, err)
	return countMembers(t, decoder, true)
}

// countMembers counts the leaves of the container that was just opened.
func countMembers(t require.TestingT, decoder *json.Decoder, inObject bool) int {
	count := 0
	for decoder.More() {
		if inObject {
			_, err := decoder.Token() // the key
			require.NoError(t, err)
		}
		token, err := decoder.Token()
		require.NoError(t, err)
		delim, isContainer := token.(json.Delim)
		if !isContainer {
			count++
			continue
		}
		count += max(1, countMembers(t, decoder, delim == '{'))
	}
	_, err := decoder.Token() // the end
	require.NoError(t, err)
	return count
}
