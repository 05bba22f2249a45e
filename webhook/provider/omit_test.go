package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

const omitting = `
name: omitting
title: Omitting
description: Leaves members out.
docs: https://example.com/docs
payload: {format: json, envelope: $event.data}
signing: {scheme: none}
secret: {rule: none}
url: {schemes: [https]}
retry: {modes: [never], default: {mode: never}}
gone: failure
events:
  - type: a
    category: A
    description: A
    rename: {old: "new"}
    omit:
      - {member: "new", value: 1.0}
      - {member: "rows[].note"}
      - {member: "rows[].deep[].x", value: ""}
      - {member: contact.secret}
    sample: {data: {b: 1}}
`

func TestOmit(t *testing.T) {
	t.Parallel()
	p, err := provider.Parse("omitting.yaml", []byte(omitting))
	require.NoError(t, err)
	tests := []struct{ name, data, want string }{
		{"nothing to leave out", `{"b":"<&>","7":[1]}`, `{"b":"<&>","7":[1]}`},
		{"by value, after its new name", `{"old":1,"z":1}`, `{"z":1}`},
		{"another value stays", `{"old":2,"z":1}`, `{"new":2,"z":1}`},
		{"in every element", `{"rows":[{"note":1,"a":{"note":2}},{"note":null},3,{}],"note":4}`, `{"rows":[{"a":{"note":2}},{},3,{}],"note":4}`},
		{"in elements of elements, by value", `{"rows":[{"deep":[{"x":""},{"x":"y"}]},{"deep":7}]}`, `{"rows":[{"deep":[{},{"x":"y"}]},{"deep":7}]}`},
		{"in an object", `{"contact":{"a":"é\u0001","secret":"s","b":[]}}`, `{"contact":{"a":"é\u0001","b":[]}}`},
		{"no array, no object", `{"rows":"x","contact":[{"secret":1}]}`, `{"rows":"x","contact":[{"secret":1}]}`},
		{"not even an object", `[1]`, `[1]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := p.Request(provider.RequestInput{
				Event:        webhook.Event{Type: "a", Data: webhook.JSON(test.data)},
				Subscription: webhook.Subscription{URL: "https://example.com/"},
			})
			require.NoError(t, err)
			require.Equal(t, test.want, string(r.Body))
		})
	}
}

func TestOmitMistakes(t *testing.T) {
	t.Parallel()
	for _, member := range []string{"", "a..b", "rows[]", "[].a", "a.[].b"} {
		_, err := provider.Parse("omitting.yaml", []byte(strings.Replace(omitting, "contact.secret", `"`+member+`"`, 1)))
		var mistake *provider.ProfileError
		require.ErrorAs(t, err, &mistake, "%q", member)
		require.Equal(t, "events[0].omit[3].member", mistake.Key)
		require.Equal(t, 21, mistake.Line)
	}
	_, err := provider.Parse("omitting.yaml", []byte(strings.Replace(omitting, "value: 1.0", "value: 9007199254740993", 1)))
	require.ErrorContains(t, err, "events[0].omit[0].value")
}
