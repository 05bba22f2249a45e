package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// bodyOf reads a body as a route would.
func bodyOf(t *testing.T, text string, rule bodyRule, header http.Header) (*object, error) {
	t.Helper()
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(text))
	c.Request.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		c.Request.Header[name] = values
	}
	return readBody(c, rule)
}

func TestReadBodyRefuses(t *testing.T) {
	t.Parallel()
	deep := func(levels int) string {
		return `{"data":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}`
	}
	tests := []struct {
		name   string
		give   string
		header http.Header
		code   errs.Code
		fields map[string]string
	}{
		{name: "nothing", give: "", code: errs.Invalid},
		{name: "no JSON", give: "{", code: errs.Invalid},
		{name: "more than one value", give: "{} {}", code: errs.Invalid},
		{name: "no object", give: `["type"]`, code: errs.Invalid},
		{name: "null", give: `null`, code: errs.Invalid},
		{name: "byte order mark", give: "\xef\xbb\xbf{}", code: errs.Invalid},
		{name: "not UTF-8", give: "{\"type\":\"a\xff\"}", code: errs.Invalid},
		{name: "too deep", give: deep(66), code: errs.Invalid, fields: map[string]string{"data": "nests deeper than 64 levels"}},
		{name: "far too deep and unfinished", give: strings.Repeat("[", 50_000), code: errs.Invalid},
		{name: "too large", give: `{"data":"` + strings.Repeat("x", 1<<20) + `"}`, code: errs.TooLarge},
		{name: "wrong media type", give: "{}", header: http.Header{"Content-Type": {"text/plain"}}, code: errs.UnsupportedMedia},
		{name: "no media type", give: "{}", header: http.Header{"Content-Type": nil}, code: errs.UnsupportedMedia},
		{name: "wrong charset", give: "{}", header: http.Header{"Content-Type": {"application/json; charset=latin1"}}, code: errs.UnsupportedMedia},
		{name: "compressed", give: "{}", header: http.Header{"Content-Encoding": {"gzip"}}, code: errs.UnsupportedMedia},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := bodyOf(t, tt.give, bodyRule{maxBytes: 64 << 10, around: 1}, tt.header)
			require.Equal(t, tt.code, coerceCode(err), "%v", err)
			require.Equal(t, tt.fields, coerce(err).Fields)
		})
	}
}

// coerceCode is the code that the caller would see.
func coerceCode(err error) errs.Code {
	if err == nil {
		return ""
	}
	return coerce(err).Code
}

func TestReadBodyAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		give   string
		rule   bodyRule
		header http.Header
	}{
		{name: "object", give: ` {"a":1} `},
		{name: "charset", give: `{}`, header: http.Header{"Content-Type": {`application/json; charset="UTF-8"`}}},
		{name: "absent where optional", give: "", rule: bodyRule{optional: true}, header: http.Header{"Content-Type": nil}},
		{name: "64 levels around nothing", give: strings.Repeat(`{"a":`, 63) + "{}" + strings.Repeat("}", 63)},
		{name: "brackets in texts", give: `{"a":"` + strings.Repeat(`[{\"`, 200) + `"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.rule.maxBytes = 64 << 10
			_, err := bodyOf(t, tt.give, tt.rule, tt.header)
			require.NoError(t, err)
		})
	}
}

func TestReadBodyStopsAtTheLimitOfAStream(t *testing.T) {
	t.Parallel()
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"a":"`+strings.Repeat("x", 100)+`"}`))
	c.Request.Header.Set("Content-Type", "application/json")
	c.Request.ContentLength = -1 // chunked: the length is not announced
	_, err := readBody(c, bodyRule{maxBytes: 50})
	require.Equal(t, errs.TooLarge, coerceCode(err))
}

func TestNestsDeeperAgreesWithTheParser(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := jsonText(t, 8)
		depth := depthOf(t, text)
		_, deeper := nestsDeeper([]byte(text), depth)
		require.False(t, deeper, text)
		if depth > 0 {
			_, deeper = nestsDeeper([]byte(text), depth-1)
			require.True(t, deeper, text)
		}
	})
}

// jsonText draws a JSON value whose texts are full of brackets and quotes.
func jsonText(t *rapid.T, levels int) string {
	word := rapid.StringOfN(rapid.SampledFrom([]rune(`[]{}"\:,x `)), 0, 6, -1)
	quoted := func() string {
		text, err := json.Marshal(word.Draw(t, "word"))
		require.NoError(t, err)
		return string(text)
	}
	switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
	case levels == 0 || kind == 0:
		return quoted()
	case kind == 1:
		return "[" + jsonText(t, levels-1) + ", " + jsonText(t, levels-1) + "]"
	default:
		return "{" + quoted() + " :" + jsonText(t, levels-1) + "}"
	}
}

func depthOf(t require.TestingT, text string) int {
	decoder := json.NewDecoder(strings.NewReader(text))
	depth, deepest := 0, 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return deepest
		}
		require.NoError(t, err)
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}
