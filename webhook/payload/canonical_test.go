package payload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"posthaste/errs"
	"posthaste/webhook/payload"
)

// vector is one line of testdata/canonical.json, as Node wrote it.
type vector struct{ Give, Want string }

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	text, err := os.ReadFile("testdata/canonical.json")
	require.NoError(tb, err)
	var vectors []vector
	require.NoError(tb, json.Unmarshal(text, &vectors))
	require.Greater(tb, len(vectors), 200)
	return vectors
}

func TestCanonicalVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		got, err := payload.Canonical("data", []byte(v.Give))
		require.NoError(t, err, "%s", v.Give)
		require.Equal(t, v.Want, string(got), "%s", v.Give)
	}
}

func TestCanonicalVectorsAreFresh(t *testing.T) {
	t.Parallel()
	node := requireTool(t, "node")
	fresh, err := exec.CommandContext(t.Context(), node, "testdata/canonical.mjs").Output()
	require.NoError(t, err)
	committed, err := os.ReadFile("testdata/canonical.json")
	require.NoError(t, err)
	require.Equal(t, string(committed), string(fresh), "run: node canonical.mjs > canonical.json")
}

// TestCanonicalAgreesWithNode changes the vectors at random and asks Node about
// each: the same bytes, or refused by both. We alone may refuse for a number or
// for depth.
func TestCanonicalAgreesWithNode(t *testing.T) {
	t.Parallel()
	node := requireTool(t, "node")
	vectors := readVectors(t)
	random := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for len(texts) < 4000 {
		text := vectors[random.IntN(len(vectors))].Give
		for range random.IntN(4) {
			text = mutate(random, text, vectors[random.IntN(len(vectors))].Give)
		}
		if utf8.ValidString(text) {
			texts = append(texts, text)
		}
	}
	answers := askNode(t, node, texts)
	accepted := 0
	for i, text := range texts {
		got, err := payload.Canonical("data", []byte(text))
		if answers[i] == nil {
			require.Error(t, err, "Node refuses %q", text)
			continue
		}
		if err != nil {
			require.Contains(t, onlyFault(t, err), "JavaScript cannot hold", "%q", text)
			continue
		}
		accepted++
		require.Equal(t, *answers[i], string(got), "%q", text)
	}
	require.Greater(t, accepted, 1000)
	require.Less(t, accepted, len(texts)-500)
}

func mutate(random *rand.Rand, text, other string) string {
	at, end := random.IntN(len(text)+1), random.IntN(len(text)+1)
	if at > end {
		at, end = end, at
	}
	marks := `{}[]:,"\/0123456789eE+-. ntrufalse` + "\n\x01\u2028"
	switch random.IntN(4) {
	case 0:
		return text[:at] + text[min(at+1, len(text)):]
	case 1:
		return text[:at] + string([]rune(marks)[random.IntN(utf8.RuneCountInString(marks))]) + text[at:]
	case 2:
		return text[:at] + other + text[at:]
	}
	return text[:at] + text[at:end] + text[at:]
}

func askNode(t *testing.T, node string, texts []string) []*string {
	t.Helper()
	question, err := json.Marshal(texts)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), node, "testdata/canonical.mjs", "--stdin")
	command.Stdin = bytes.NewReader(question)
	out, err := command.Output()
	require.NoError(t, err)
	var answers []*string
	require.NoError(t, json.Unmarshal(out, &answers))
	require.Len(t, answers, len(texts))
	return answers
}

func TestCanonicalNumbersThatJavaScriptCannotHold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give string
		ok   bool
	}{
		{"9007199254740992", true},
		{"9007199254740993", false},
		{"-9007199254740993", false},
		{"12345678901234567", false},
		{"12345678901234568", true},
		{"123456789012345678901234567890", false},
		{"1e400", false},
		{"-1e400", false},
		{"1e-400", false},
		{"0e400", true},
		{"0.0e-99999999999999999999999", true},
		{"1e99999999999999999999999", false},
		{"1e-99999999999999999999999", false},
		{"1.10", true},
		{"0.1", true},
		{"0.1000000000000000055511151231257827", false},
		{"0.10000000000000000000000000000000000000000000000000000000", true},
		{"1" + strings.Repeat("0", 300), true},
		{"1" + strings.Repeat("0", 400), false},
		{"0." + strings.Repeat("0", 300) + "1", true},
		{"0." + strings.Repeat("0", 400) + "1", false},
		{"100e-400", false},
		{"5e-324", true},
		{"4.9e-324", false},
		{"1.7976931348623157e308", true},
		{"1.7976931348623158e308", false},
		{"3.141592653589793", true},
		{"3.14159265358979323846", false},
	}
	for _, tt := range tests {
		t.Run(shortName(tt.give), func(t *testing.T) {
			t.Parallel()
			_, err := payload.Canonical("data", []byte(tt.give))
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.True(t, errs.Is(err, errs.Invalid))
			require.Contains(t, onlyFault(t, err), "JavaScript cannot hold exactly")
		})
	}
}

// TestCanonicalDecimals holds short decimals, which are not converted where they
// need not be, to the shortest text of their double.
func TestCanonicalDecimals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		give := rapid.StringMatching(`-?(0|[1-9][0-9]{0,9})\.0{0,7}[0-9]{1,8}`).Draw(t, "decimal")
		value, err := strconv.ParseFloat(give, 64)
		require.NoError(t, err)
		got, err := payload.Canonical("it", []byte(give))
		want := strconv.FormatFloat(value+0, 'f', -1, 64) // + 0 makes 0 of -0
		switch {
		case err != nil:
			require.Greater(t, len(strings.Trim(give, "-0.")), 15, "%s is refused", give)
		case value != 0 && math.Abs(value) < 1e-6:
			require.Contains(t, string(got), "e-")
		default:
			require.Equal(t, want, string(got))
		}
	})
}

func TestCanonicalNamesTheMemberAtFault(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	tests := []struct{ name, give, field, message string }{
		{"number", `{"items":[1,2,{},{"amount":12345678901234567}]}`, "data.items[3].amount", "12345678901234567 at byte 27; send it as a string"},
		{"number at the top", `12345678901234567`, "data", "cannot hold exactly"},
		{"number in an array at the top", `[[0,1e999]]`, "data[0][1]", "1e999"},
		{"long number", `{"n":` + strings.Repeat("7", 5000) + `}`, "data.n", strings.Repeat("7", 64) + "… at byte 5"},
		{"long key", `{"` + strings.Repeat("é", 100) + `":1e999}`, "data." + strings.Repeat("é", 32) + "…", "1e999"},
		{"long key, cut between characters", `{"` + strings.Repeat("漢", 100) + `":1e999}`, "data." + strings.Repeat("漢", 21) + "…", "1e999"},
		{"empty key", `{"":{"b":1e999}}`, "data..b", "1e999"},
		{"empty", ``, "data", "is not valid JSON: it ends too early, at byte 0"},
		{"only space", " \n", "data", "ends too early, at byte 2"},
		{"cut", `{"a":[1,`, "data.a[1]", "ends too early, at byte 8"},
		{"cut in a string", `{"a":"x`, "data.a", "ends too early, at byte 7"},
		{"cut in an escape", `["\u12`, "data[0]", "bad escape at byte 2"},
		{"cut in a word", `[tru`, "data[0]", "ends too early, at byte 4"},
		{"cut after a minus", `-`, "data", "ends too early, at byte 1"},
		{"trailing", `{} {}`, "data", "something follows the value, at byte 3"},
		{"trailing NUL", "{}\x00", "data", "something follows the value, at byte 2"},
		{"comma before end", `{"a":1,}`, "data", `unexpected '}' at byte 7`},
		{"comma before end of array", `[1,]`, "data[1]", `unexpected ']' at byte 3`},
		{"no colon", `{"a" 1}`, "data", `unexpected '1' at byte 5`},
		{"key without quotes", `{a:1}`, "data", `unexpected 'a' at byte 1`},
		{"leading zero", `[01]`, "data", `unexpected '1' at byte 2`},
		{"point without digits", `{"a":1.}`, "data.a", `unexpected '}' at byte 7`},
		{"exponent without digits", `[1e+]`, "data[0]", `unexpected ']' at byte 4`},
		{"plus", `+1`, "data", `unexpected '+' at byte 0`},
		{"word", `nul1`, "data", `unexpected '1' at byte 3`},
		{"NaN", `NaN`, "data", `unexpected 'N'`},
		{"line feed in a string", "{\"a\":\"x\ny\"}", "data.a", `unexpected '\n' at byte 7`},
		{"unknown escape", `["\x41"]`, "data[0]", "bad escape at byte 2"},
		{"other white space", "\u00a0{}", "data", "unexpected '\\u00a0' at byte 0"},
		{"byte order mark", "\ufeff{}", "data", "starts with a byte order mark"},
		{"invalid UTF-8", "{\"a\":[\"ok\",\"\xff\"]}", "data.a[1]", "is not valid UTF-8 at byte 12"},
		{"cut UTF-8", "[\"\xe6\xbc\"]", "data[0]", "is not valid UTF-8 at byte 2"},
		{"surrogate in UTF-8", "[\"\xed\xa0\x80\"]", "data[0]", "is not valid UTF-8 at byte 2"},
		{"overlong UTF-8", "[\"\xc0\xaf\"]", "data[0]", "is not valid UTF-8 at byte 2"},
		{"invalid UTF-8 outside strings", "\xff", "data", "is not valid UTF-8 at byte 0"},
		{"too deep", "[" + deep + "]", "data" + strings.Repeat("[0]", 64), "nests deeper than 64 levels, at byte 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := payload.Canonical("data", []byte(tt.give))
			require.Nil(t, got)
			require.True(t, errs.Is(err, errs.Invalid))
			var coded *errs.Error
			require.ErrorAs(t, err, &coded)
			require.Len(t, coded.Fields, 1)
			require.Contains(t, coded.Fields, tt.field)
			require.Contains(t, coded.Fields[tt.field], tt.message)
			for field, message := range coded.Fields {
				require.True(t, utf8.ValidString(field) && utf8.ValidString(message))
			}
		})
	}
	_, err := payload.Canonical("data", []byte(deep))
	require.NoError(t, err, "64 levels are allowed")
	_, err = payload.Canonical("", []byte(`{"a":[1e999]}`))
	require.Contains(t, fieldsOf(t, err), "a[0]", "no root, no leading point")
}

func TestCanonicalObject(t *testing.T) {
	t.Parallel()
	got, err := payload.CanonicalObject("data", []byte(" {\"a\" : 1.0}\n"))
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(got))
	for _, give := range []string{`[]`, `"x"`, `null`, `1`, `true`} {
		_, err := payload.CanonicalObject("customData", []byte(give))
		require.Equal(t, map[string]string{"customData": "must be a JSON object"}, fieldsOf(t, err))
	}
	_, err = payload.CanonicalObject("customData", []byte(`{`))
	require.Contains(t, fieldsOf(t, err), "customData")
}

// TestCanonicalManyKeys holds the table for large objects to the same rules.
func TestCanonicalManyKeys(t *testing.T) {
	t.Parallel()
	var give, want []string
	for i := range 30000 {
		give = append(give, fmt.Sprintf(`"k%d":%d`, i%10000, i))
	}
	for i := range 10000 {
		want = append(want, fmt.Sprintf(`"k%d":%d`, i, 20000+i))
	}
	got, err := payload.Canonical("data", []byte("{"+strings.Join(give, ",")+"}"))
	require.NoError(t, err)
	require.Equal(t, "{"+strings.Join(want, ",")+"}", string(got))
}

func TestCanonicalIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := jsonText(t, 0)
		once, err := payload.Canonical("data", []byte(text))
		require.NoError(t, err, "%s", text)
		checkCanonical(t, once)
	})
}

// checkCanonical holds what must be true of anything Canonical gives.
func checkCanonical(t require.TestingT, once []byte) {
	require.True(t, json.Valid(once), "%q", once)
	twice, err := payload.Canonical("data", once)
	require.NoError(t, err, "%q", once)
	require.Equal(t, string(once), string(twice))
}

// jsonText draws JSON text with the freedoms JSON allows.
func jsonText(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r"})
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth > 4 {
		kind %= 5
	}
	value := ""
	switch kind {
	case 0:
		value = rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word")
	case 1, 2:
		value = jsonString(t)
	case 3:
		value = fmt.Sprint(rapid.Int32().Draw(t, "integer"))
	case 4:
		value = strings.Trim(fmt.Sprint(rapid.Float64().Draw(t, "number")), "+")
	case 5:
		items := make([]string, rapid.IntRange(0, 5).Draw(t, "length"))
		for i := range items {
			items[i] = jsonText(t, depth+1)
		}
		value = "[" + strings.Join(items, ",") + "]"
	case 6:
		items := make([]string, rapid.IntRange(0, 20).Draw(t, "length"))
		for i := range items {
			items[i] = jsonString(t) + space.Draw(t, "space") + ":" + jsonText(t, depth+1)
		}
		value = "{" + strings.Join(items, ",") + "}"
	}
	return space.Draw(t, "space") + value + space.Draw(t, "space")
}

func jsonString(t *rapid.T) string {
	piece := rapid.SampledFrom([]string{
		"a", "b", "1", "2", "é", "\u2028", "😀", "<", "\\n", `\"`, `\\`, `\/`, `\u0000`, `\u0061`, `\ud800`, `\udc00`, "\x7f",
	})
	return `"` + strings.Join(rapid.SliceOfN(piece, 0, 3).Draw(t, "pieces"), "") + `"`
}

func FuzzCanonical(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Give))
	}
	for _, seed := range []string{"", "{", "\xff", "\ufeff{}", `{"a":1e400}`, strings.Repeat("[", 100), `["\ud800\udc00\ud800"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		once, err := payload.Canonical("data", text)
		require.Equal(t, before, text, "the input is left alone")
		if err != nil {
			require.True(t, errs.Is(err, errs.Invalid))
			for field, message := range fieldsOf(t, err) {
				require.True(t, utf8.ValidString(field) && utf8.ValidString(message))
			}
			return
		}
		require.True(t, json.Valid(text), "%q", text)
		checkCanonical(t, once)
	})
}

// requireTool returns the path of a program. Where it is missing the test is
// skipped, or fails if POSTHASTE_TEST_REQUIRE names it.
func requireTool(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("POSTHASTE_TEST_REQUIRE"), ","), name) {
		require.NoError(tb, err)
	}
	tb.Skipf("needs %s", name)
	return ""
}

func fieldsOf(t require.TestingT, err error) map[string]string {
	var coded *errs.Error
	require.ErrorAs(t, err, &coded)
	return coded.Fields
}

// onlyFault returns the message of the one field at fault.
func onlyFault(t require.TestingT, err error) string {
	fields := fieldsOf(t, err)
	require.Len(t, fields, 1)
	for _, message := range fields {
		return message
	}
	return ""
}

// shortName makes a name for a sub-test of a text of any length.
func shortName(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%s… (%d bytes)", text[:40], len(text))
	}
	return text
}
