package api

import (
	"testing"

	"posthaste/errs"
	"posthaste/webhook"

	"github.com/stretchr/testify/require"
)

func TestObjectNamesEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give string
		want map[string]string
	}{
		{"unknown field", `{"label":"x"}`, map[string]string{"label": "is not a known field"}},
		{"given twice", `{"name":"a","name":"b"}`, map[string]string{"name": "is given twice"}},
		{"unlike case is another field", `{"Name":"a"}`, map[string]string{"Name": "is not a known field"}},
		{"text", `{"name":7}`, map[string]string{"name": "must be a string"}},
		{"text with a zero byte", `{"name":"a\u0000"}`, map[string]string{"name": "must not hold control characters"}},
		{"text too long", `{"name":"` + string(make([]rune, 0)) + longText(201) + `"}`, map[string]string{"name": "must have at most 200 characters"}},
		{"list", `{"events":"order.paid"}`, map[string]string{"events": "must be a list"}},
		{"list element", `{"events":["a",1,null]}`, map[string]string{"events[1]": "must be a string", "events[2]": "must be a string"}},
		{"nested unknown", `{"filters":{"list":"1"}}`, map[string]string{"filters.list": "is not a known field"}},
		{"nested type", `{"filters":[]}`, map[string]string{"filters": "must be an object"}},
		{"whole number", `{"timeoutSeconds":1.5}`, map[string]string{"timeoutSeconds": "must be a whole number"}},
		{"huge number", `{"timeoutSeconds":1e999}`, map[string]string{"timeoutSeconds": "must be a whole number"}},
		{"retry", `{"retry":{"mode":"schedule","delaysSeconds":[1,"2"],"extra":1}}`, map[string]string{
			"retry.delaysSeconds[1]": "must be a whole number", "retry.extra": "is not a known field",
		}},
		{"retry without mode", `{"retry":{}}`, map[string]string{"retry.mode": "is required"}},
		{"header value", `{"headers":{"X-A":1,"X-B":null}}`, map[string]string{
			"headers.X-A": "must be a string", "headers.X-B": "is required",
		}},
		{"several at once", `{"name":1,"url":2}`, map[string]string{"name": "must be a string", "url": "must be a string"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, err := bodyOf(t, tt.give, bodyRule{maxBytes: 64 << 10}, nil)
			require.NoError(t, err)
			readWebhook(body, &webhook.Subscription{}, nil)
			err = body.done()
			require.True(t, errs.Is(err, errs.Invalid), "%v", err)
			require.Equal(t, tt.want, coerce(err).Fields)
		})
	}
}

func longText(length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = 'x'
	}
	return string(text)
}

func TestObjectNullTakesBack(t *testing.T) {
	t.Parallel()
	s := webhook.Subscription{
		Name: "old", Version: "v1", Sources: []webhook.Source{webhook.SourceAPI}, TimeoutSeconds: 9,
		Filters: webhook.Filters{ListID: "1"}, Headers: map[string]string{"X-A": "1"},
		Retry: &webhook.RetryPolicy{Mode: webhook.RetryNever}, URL: "https://kept.dev",
	}
	body, err := bodyOf(t, `{"name":null,"version":null,"sources":null,"timeoutSeconds":null,"filters":null,"headers":null,"retry":null}`,
		bodyRule{maxBytes: 64 << 10}, nil)
	require.NoError(t, err)
	readWebhook(body, &s, s.Headers)
	require.NoError(t, body.done())
	require.Equal(t, webhook.Subscription{URL: "https://kept.dev", Sources: []webhook.Source{}, Headers: map[string]string{}}, s)
}
