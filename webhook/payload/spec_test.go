package payload_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/payload"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, envelope, want string }{
		{"order is kept at every depth", `{z: 1, a: {y: $event.type, b: {x: [2, {n: 3, m: 4}]}}}`, `{"z":1,"a":{"y":"order.paid","b":{"x":[2,{"n":3,"m":4}]}}}`},
		{"literals", `{a: "2021-08-23", b: 1.50, c: true, d: null, e: [], f: {}, g: "", h: 1.0e+21, i: -0, j: "<&>\u2028"}`,
			`{"a":"2021-08-23","b":1.5,"c":true,"d":null,"e":[],"f":{},"g":"","h":1e+21,"i":0,"j":"<&>` + "\u2028" + `"}`},
		{"an unquoted date is text", `{a: 2021-08-23}`, `{"a":"2021-08-23"}`},
		{"the event", `[$event.id, $event.tenant, $event.provider, $event.type, $event.source, $event.test]`,
			`["0197b1a4-7c00-7000-8000-000000000001","acme","shop","order.paid","api",false]`},
		{"attributes", `[$event.attributes.campaignId, $event.attributes.listIds, $event.attributes.schemaId, $event.attributes.bulk, $event.attributes.campaignTrigger, $event.attributes.initiatedBy]`,
			`["c\"1",["1","2"],"s",false,"manual","who"]`},
		{"the webhook", `[$webhook.id, $webhook.tenant, $webhook.provider, $webhook.name, $webhook.url, $webhook.version, $webhook.filters.campaignId, $webhook.filters.listId, $webhook.filters.schemaId]`,
			`["0197b1a4-0000-7000-8000-0000000000aa","acme","shop","Orders & more","https://example.com/hook?a=1&b=2","v2","c7","5","s1"]`},
		{"the delivery", `{a: $delivery.id}`, `{"a":"0197b1a4-0000-7000-8000-0000000000dd"}`},
		{"times", `[$event.occurredAt, $event.occurredAt.offset, $event.occurredAt.unix, $event.occurredAt.unixMilli, $event.acceptedAt, $now, $now.unixMilli]`,
			`["2026-05-30T10:00:00.000Z","2026-05-30T10:00:00+00:00",1780135200,1780135200000,"2026-05-30T10:00:01.007Z","2026-05-30T10:00:05.250Z",1780135205250]`},
		{"data", `{all: $data, same: $event.data, s: $data.s, o: $data.o, deep: "$data.o.a[1].b", odd: "$data[Address 1]", q: '$data["q"]'}`, `{"all":DATA,"same":DATA,"s":"text","o":{"a":[1,{"b":true}]},"deep":true,"odd":"<street>","q":"quoted"}`},
		{"missing", `{a: $data.no, b: $data.null, c: $data.s.x, d: "$data.o.a[9]", e: $event.customData.no}`, `{"a":null,"b":null,"c":null,"d":null,"e":null}`},
		{"optional and missing", `{a: $data.no?, b: $data.null?, x: 1, c: [$data.no?, 2, $data.no?, 3], d: {e: $data.no?}, f: $event.test?, g: $event.attributes.bulk?, h: $data.no?}`,
			`{"x":1,"c":[2,3],"d":{}}`},
		{"optional and there", `{a: $data.s?, b: $event.attributes.campaignId?, c: $event.customData?}`, `{"a":"text","b":"c\"1","c":{"k":[1]}}`},
		{"fallback", `{a: $data.no ?? $data.null ?? $data.s, b: "$data.no ?? []", c: '$data.no ?? "x y"', d: $data.s ?? 1, e: $data.no ?? $data.null, f: $data.no ?? $data.null?, g: '$data.no ?? {"b": 1, "0": 2}'}`,
			`{"a":"text","b":[],"c":"x y","d":"text","e":null,"g":{"0":2,"b":1}}`},
		{"text with values", `{a: "biz_${event.tenant}", b: "${data.s}${data.n}/${data.no}/${data.o}$$", c: "$$5", d: "${event.attributes.listIds}", e: "${data.no ?? $data.s}", f: "${data.yes}"}`,
			`{"a":"biz_acme","b":"text1.5//{\"a\":[1,{\"b\":true}]}$","c":"$5","d":"1,2","e":"text","f":"true"}`},
		{"customData", `{a: $event.customData, b: "$event.customData.k[0]"}`, `{"a":{"k":[1]},"b":1}`},
		{"a body that is no object", `$event.data.o`, `{"a":[1,{"b":true}]}`},
		{"custom object", `{eventType: create, id: $data.id, schemaId: $data.schemaId ?? $event.attributes.schemaId, externalId: $data.externalId?, fields: [], relationships: "$data.relationships ?? []"}`,
			`{"eventType":"create","id":"r1","schemaId":"s","fields":[],"relationships":[]}`},
	}
	data := `{"id":"r1","s":"text","n":1.5,"yes":true,"null":null,"o":{"a":[1,{"b":true}]},"Address 1":"<street>","externalId":null,"\"q\"":"quoted"}`
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := event(t, data)
			e.CustomData = webhook.JSON(`{"k":[1]}`)
			e.Attributes = webhook.Attributes{CampaignID: `c"1`, ListIDs: []string{"1", "2"}, SchemaID: "s", CampaignTrigger: "manual", InitiatedBy: "who"}
			want := strings.ReplaceAll(tt.want, "DATA", data)
			require.Equal(t, want, render(t, "format: json\nenvelope: "+tt.envelope, e))
		})
	}
}

func TestEnvelopeWithNothingGiven(t *testing.T) {
	t.Parallel()
	want := `{"a":null,"b":null,"c":[],"d":"","f":null,"h":"aÿb"}`
	require.Equal(t, want, render(t, `{format: json, contentType: application/vnd.x+json, envelope: {a: $event.data, b: $event.customData, c: $event.attributes.listIds, d: $event.attributes.campaignId, e: $event.data?, f: $data.x, g: $event.customData?, h: "a\xffb"}}`, webhook.Event{Type: "x\xff"}))
	want = "{\"t\":\"x\uFFFDy\"}" // bytes that are not UTF-8
	require.Equal(t, want, render(t, `{format: json, envelope: {t: "${event.type}y"}}`, webhook.Event{Type: "x\xff"}))
}

func TestEnvelopeWithFlags(t *testing.T) {
	t.Parallel()
	e := event(t, `{}`)
	e.Test, e.Attributes.Bulk = true, true
	want := `{"test":true,"bulk":true,"text":"true"}`
	require.Equal(t, want, render(t, `{format: json, envelope: {test: $event.test?, bulk: $event.attributes.bulk, text: "${event.test}"}}`, e))
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, spec, want string }{
		{"no format", `{}`, `payload.format: "" is not a format; known are "cloudevents", "form", "json", "standard"`},
		{"unknown format", `format: xml`, `"xml" is not a format`},
		{"content type with a line feed", `{format: standard, contentType: "a\nb"}`, "payload.contentType"},
		{"json without envelope", `format: json`, "payload.envelope: is missing"},
		{"json with form", `{format: json, envelope: {a: 1}, form: {fields: [a]}}`, "payload.form: has no meaning in format json"},
		{"standard with envelope", `{format: standard, envelope: {a: 1}}`, "payload.envelope: has no meaning"},
		{"standard with form", `{format: standard, form: {groups: {a: [b]}}}`, "payload.form: has no meaning"},
		{"form with envelope", `{format: form, envelope: {a: 1}}`, "payload.envelope: has no meaning"},
		{"cloudevents with form", `{format: cloudevents, form: {events: {a: []}}}`, "payload.form: has no meaning"},
		{"cloudevents with a bad attribute", `{format: cloudevents, envelope: {Sub_ject: x}}`, "payload.envelope: Sub_ject cannot be set"},
		{"cloudevents with another id", `{format: cloudevents, envelope: {id: x}}`, "id cannot be set"},
		{"cloudevents with a nested attribute", `{format: cloudevents, envelope: {subject: {a: 1}}}`, "payload.envelope.subject: must be a plain value"},
		{"cloudevents with a list", `{format: cloudevents, envelope: [a]}`, "must be a mapping"},
		{"unknown reference", `{format: json, envelope: {a: {b: [1, $event.tpye]}}}`, "payload.envelope.a.b[1]: unknown reference $event.tpye"},
		{"unknown reference, optional", `{format: json, envelope: {a: $event.attributes.x?}}`, "unknown reference $event.attributes.x"},
		{"unknown reference in text", `{format: json, envelope: {a: "x ${webhook.secret}"}}`, "unknown reference $webhook.secret"},
		{"unknown root", `{format: json, envelope: {a: $dat}}`, "unknown reference $dat"},
		{"a secret is no reference", `{format: json, envelope: {a: $webhook.secrets}}`, "unknown reference $webhook.secrets"},
		{"text behind a reference", `{format: json, envelope: {a: $event.type x}}`, "unknown reference $event.type x"},
		{"a path without name", `{format: json, envelope: {a: $data..b}}`, "a member without a name"},
		{"a path that ends open", `{format: json, envelope: {a: "$data.a[b"}}`, "a [ without its ]"},
		{"a path that starts oddly", `{format: json, envelope: {a: $dataset}}`, "must start with . or ["},
		{"a time form that is none", `{format: json, envelope: {a: $event.occurredAt.iso}}`, "unknown reference $event.occurredAt.iso"},
		{"a lone dollar", `{format: json, envelope: {a: "5 $ each"}}`, "a dollar sign is written $$"},
		{"nothing but a dollar", `{format: json, envelope: {a: "$"}}`, "a dollar sign is written $$"},
		{"an open brace", `{format: json, envelope: {a: "x ${event.type"}}`, "a dollar sign is written $$"},
		{"a fallback that is not JSON", `{format: json, envelope: {a: "$data.a ?? none"}}`, `"none" is neither a reference nor JSON`},
		{"a whole number as key", `{format: json, envelope: {"7": 1}}`, `the key "7" must not be a whole number`},
		{"a key that is not text", `{format: json, envelope: {true: 1}}`, "must be text"},
		{"a number too exact", `{format: json, envelope: {a: 12345678901234567}}`, "JavaScript cannot hold exactly"},
		{"not a number", `{format: json, envelope: {a: .nan}}`, "JavaScript cannot hold exactly"},
		{"field without key", `{format: form, form: {fields: [{value: 1}]}}`, "payload.form.fields[0]: key \"\" must start with a name"},
		{"unknown group", `{format: form, form: {events: {a: [{group: x}]}, groups: {y: [a]}}}`, `payload.form.events.a[0]: no group is called "x"; known are "y"`},
		{"unused group", `{format: form, form: {groups: {y: [a]}}}`, `payload.form.groups.y: is used nowhere`},
		{"group with more", `{format: form, form: {groups: {y: [a]}, fields: [{group: y, join: ","}]}}`, "group stands alone"},
		{"group in itself", `{format: form, form: {groups: {y: [{group: z}], z: [{group: y}]}, fields: [{group: y}]}}`, `group "y" holds itself`},
		{"twice", `{format: form, form: {fields: [a, b, a]}}`, `payload.form.fields (key "a"): is listed twice`},
		{"twice, with another between", `{format: form, form: {fields: [{key: a, sources: [public]}, {key: a, sources: [admin]}, {key: a, sources: [public]}]}}`, "is listed twice"},
		{"twice, one conditional", `{format: form, form: {fields: [{key: a, sources: [admin]}, a]}}`, "is listed twice"},
		{"presence", `{format: form, form: {fields: [{key: a, presence: maybe}]}}`, "presence must be always or optional"},
		{"presence of many", `{format: form, form: {fields: ["a[*]?"]}}`, "no presence, no join"},
		{"join of many", `{format: form, form: {fields: [{key: "a[]", join: ","}]}}`, "no presence, no join"},
		{"source", `{format: form, form: {fields: [{key: a, sources: [contact]}]}}`, `"contact" is not a source`},
		{"excepted source", `{format: form, form: {fields: [{key: a, exceptSources: [contact]}]}}`, `"contact" is not a source`},
		{"value", `{format: form, form: {fields: [{key: a, value: $nope}]}}`, `payload.form.fields (key "a"): value: unknown reference $nope`},
		{"value that is a tree", `{format: form, form: {fields: [{key: a, value: {b: 1}}]}}`, "is not text, a number, a boolean or null"},
		{"brackets", `{format: form, form: {fields: ["a[b"]}}`, "brackets must come in pairs"},
		{"text between brackets", `{format: form, form: {fields: ["a[b]c"]}}`, "brackets must come in pairs"},
		{"brackets in brackets", `{format: form, form: {fields: ["a[b[c]]"]}}`, "brackets must come in pairs"},
		{"brackets first", `{format: form, form: {fields: ["[a]"]}}`, "must start with a name"},
		{"star in the middle", `{format: form, form: {fields: ["a[*][b]"]}}`, "one [*] at the end, or one []"},
		{"two empties", `{format: form, form: {fields: ["a[][]"]}}`, "one [*] at the end, or one []"},
		{"empty and star", `{format: form, form: {fields: ["a[][*]"]}}`, "one [*] at the end, or one []"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			renderer, err := payload.Compile(parseSpec(t, tt.spec))
			require.Nil(t, renderer)
			require.True(t, errs.Is(err, errs.Invalid))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestSpecIsDecodedStrictly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{format: json, envelop: {}}`, `{form: {field: []}}`, `{form: {fields: [{key: a, presenc: always}]}}`,
		`{form: {groups: {a: [{kye: b}]}}}`, `{envelope: {a: 1, a: 2}}`, `{form: {fields: [[a]]}}`,
	} {
		var spec payload.Spec
		require.Error(t, yaml.UnmarshalWithOptions([]byte(text), &spec, yaml.DisallowUnknownField()), "%s", text)
	}
}

func TestSpecWithAnchors(t *testing.T) {
	t.Parallel()
	text := `
shared: &contact
  - contact[email]
  - {key: "contact[tags]", join: ", "}
meta: &meta {b: $event.type, a: "x: ${event.id}"}
specs:
  - format: form
    form: {events: {order.paid: *contact}, fields: *contact}
  - format: json
    envelope: {m: *meta, n: {<<: *meta, c: 1}}
`
	var file struct {
		Shared any            `yaml:"shared"`
		Meta   any            `yaml:"meta"`
		Specs  []payload.Spec `yaml:"specs"`
	}
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(text), &file, yaml.DisallowUnknownField()))
	var got []string
	for _, spec := range file.Specs {
		renderer, err := payload.Compile(spec)
		require.NoError(t, err)
		body, err := renderer.Render(input(event(t, `{"contact":{"tags":["a","b"]}}`)))
		require.NoError(t, err)
		got = append(got, string(body.Bytes))
	}
	id := `"x: 0197b1a4-7c00-7000-8000-000000000001"`
	require.Equal(t, []string{
		"contact%5Bemail%5D=&contact%5Btags%5D=a%2C+b",
		`{"m":{"b":"order.paid","a":` + id + `},"n":{"b":"order.paid","a":` + id + `,"c":1}}`,
	}, got)
}

// TestSpecOfABlock reads an envelope as profiles write it, over several lines.
func TestSpecOfABlock(t *testing.T) {
	t.Parallel()
	spec := `
format: json
envelope:
  # the event's own name
  event: $event.type   # behind the value
  text: |
    two
    lines
  list:
    - $event.id?
    -
      deep: 'it''s ${event.type}'
  rows: $data.rows ?? []
  more: $data.more ?? $data.rows ?? {"a":[1]}
  data: $event.data
`
	want := `{"event":"order.paid","text":"two\nlines\n","list":["0197b1a4-7c00-7000-8000-000000000001",{"deep":"it's order.paid"}],` +
		`"rows":[],"more":{"a":[1]},"data":{}}`
	require.Equal(t, want, render(t, spec, event(t, `{}`)))
}
