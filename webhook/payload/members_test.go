package payload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"posthaste/webhook/payload"
)

func TestMembersAndElements(t *testing.T) {
	t.Parallel()
	members, err := payload.Members([]byte(`{"a":1,"b\"]":"}\\\"{","":{"x":[{"y":null}]},"c":[[],"]"],"d":true}`))
	require.NoError(t, err)
	var got []string
	for _, m := range members {
		got = append(got, fmt.Sprintf("%s %s", m.Key, m.Value))
	}
	require.Equal(t, []string{`"a" 1`, `"b\"]" "}\\\"{"`, `"" {"x":[{"y":null}]}`, `"c" [[],"]"]`, `"d" true`}, got)
	require.Equal(t, `"b\"]"`, payload.Quote(`b"]`))

	elements, err := payload.Elements([]byte(`[1,"],",[2,3],{"a":[]},null]`))
	require.NoError(t, err)
	require.Equal(t, `["1" "\"],\"" "[2,3]" "{\"a\":[]}" "null"]`, fmt.Sprintf("%q", elements))
	for _, empty := range []string{"{}", "[]"} {
		members, _ := payload.Members([]byte(empty))
		elements, _ := payload.Elements([]byte(empty))
		require.Empty(t, members)
		require.Empty(t, elements)
	}
}

// TestMembersAreThoseOfEncodingJSON takes any canonical value apart and puts it
// together again.
func TestMembersAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, err := payload.Canonical("it", []byte(jsonText(t, 0)))
		if err != nil {
			t.Skip("a number that JavaScript cannot hold")
		}
		members, notObject := payload.Members(text)
		elements, notArray := payload.Elements(text)
		require.Equal(t, text[0] == '{', notObject == nil)
		require.Equal(t, text[0] == '[', notArray == nil)
		switch text[0] {
		case '{':
			decoder := json.NewDecoder(bytes.NewReader(text))
			_, err := decoder.Token()
			require.NoError(t, err)
			for _, m := range members {
				key, err := decoder.Token()
				require.NoError(t, err)
				var name string
				require.NoError(t, json.Unmarshal(m.Key, &name))
				require.Equal(t, key, name)
				var value json.RawMessage
				require.NoError(t, decoder.Decode(&value))
				require.Equal(t, string(value), string(m.Value))
			}
			require.False(t, decoder.More())
		case '[':
			var want []json.RawMessage
			require.NoError(t, json.Unmarshal(text, &want))
			require.Len(t, elements, len(want))
			for i := range want {
				require.Equal(t, string(want[i]), string(elements[i]))
			}
		}
	})
}

func TestMembersRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "{", "}", "[", "]", "1", `"{}"`, `{"a":1`, `"a":1}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":{}`, `{"a":"}`,
		`[1,]`, `[,1]`, `[1 "a"]`, `["]`, `[[]`, `[{]`, `{]`, `[}`,
	} {
		_, err := payload.Members([]byte(text))
		require.Error(t, err, text)
		_, err = payload.Elements([]byte(text))
		require.Error(t, err, text)
	}
}
