package payload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"posthaste/webhook/payload"
)

// runPHP runs a script with JSON on stdin and reads JSON from stdout.
func runPHP(tb testing.TB, script string, question, answer any) {
	tb.Helper()
	text, err := json.Marshal(question)
	require.NoError(tb, err)
	command := exec.CommandContext(tb.Context(), requireTool(tb, "php"), "-d", "max_input_vars=1000000", "-d", "display_errors=stderr", "-r", script)
	command.Stdin = bytes.NewReader(text)
	var faults bytes.Buffer
	command.Stderr = &faults
	out, err := command.Output()
	require.NoError(tb, err, "%s", faults.String())
	require.Empty(tb, faults.String())
	require.NoError(tb, json.Unmarshal(out, answer), "%s", out)
}

const parseScript = `
$bodies = json_decode(stream_get_contents(STDIN), true);
$out = [];
foreach ($bodies as $body) { parse_str($body, $post); $out[] = $post; }
echo json_encode($out, JSON_FORCE_OBJECT | JSON_THROW_ON_ERROR);`

// phpView is what PHP should make of data: text everywhere, arrays by number,
// nothing for null and for empty containers.
func phpView(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return ""
		}
		view := map[string]any{}
		for key, member := range v {
			view[key] = phpView(member)
		}
		return view
	case []any:
		if len(v) == 0 {
			return ""
		}
		view := map[string]any{}
		for i, element := range v {
			view[strconv.Itoa(i)] = phpView(element)
		}
		return view
	case bool:
		if v {
			return "1"
		}
		return "0"
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// TestPHPReadsForms sends generated data through the form format and through
// PHP's parser; what comes out must be the data.
func TestPHPReadsForms(t *testing.T) {
	t.Parallel()
	data := rapid.Custom(func(t *rapid.T) string { return formObject(t, 0) })
	renderer := compile(t, "format: form")
	var bodies []string
	var want []any
	for seed := range 300 {
		e := event(t, data.Example(seed))
		body, err := renderer.Render(input(e))
		require.NoError(t, err)
		bodies = append(bodies, string(body.Bytes))
		var v any
		decoder := json.NewDecoder(bytes.NewReader(e.Data))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&v))
		want = append(want, phpView(v))
	}
	got := map[string]any{}
	runPHP(t, parseScript, bodies, &got)
	require.Len(t, got, len(bodies))
	for i := range bodies {
		view := got[strconv.Itoa(i)]
		if want[i] == "" {
			want[i] = map[string]any{} // no data, no keys
		}
		require.Equal(t, want[i], view, "%s", bodies[i])
	}
}

// formObject draws an object whose keys PHP leaves as they are: no brackets, no
// dots or spaces at the top, not empty.
func formObject(t *rapid.T, depth int) string {
	key := rapid.SampledFrom([]string{"a", "b", "id", "First", "7", "39", "ключ", "漢字", "x&y=z", "50%", "a+b", "q?", "~*", "'", "é/ü", "\u2028"})
	if depth > 0 {
		key = rapid.OneOf(key, rapid.SampledFrom([]string{"Annual Revenue", "v1.2", "State/Province", `with \"quotes\"`, "😀 x"}))
	}
	var members []string
	for range rapid.IntRange(0, 6).Draw(t, "members") {
		members = append(members, `"`+key.Draw(t, "key")+`":`+formValue(t, depth+1))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func formValue(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth > 4 {
		kind %= 5
	}
	switch kind {
	case 5:
		return formObject(t, depth)
	case 6:
		var elements []string
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			elements = append(elements, formValue(t, depth+1))
		}
		return "[" + strings.Join(elements, ",") + "]"
	}
	return rapid.SampledFrom([]string{
		"0", "-1", "12.5", "1e21", "true", "false", "null", `""`, `"plain"`, `"a b+c%20&d=e;f"`, `"\u0000\u0001\r\n\t"`,
		`"😀 漢字 é\u2028"`, `"<script>'\"\\"`, `"[x]"`, `"~*-_.!()"`,
	}).Draw(t, "leaf")
}

// TestFormIsHTTPBuildQuery compares bytes with PHP's own encoder, for data in
// which that loses nothing.
func TestFormIsHTTPBuildQuery(t *testing.T) {
	t.Parallel()
	var every strings.Builder
	for r := rune(1); r < 0x100; r++ {
		every.WriteRune(r)
	}
	everyByte, err := json.Marshal(every.String())
	require.NoError(t, err)
	data := []string{
		`{"every":` + string(everyByte) + `}`,
		`{"in":{` + string(everyByte) + `:{` + string(everyByte) + `:"x"}}}`,
		`{"contact":{"email":"ada+x@example.com","fields":{"39":"a b","Annual Revenue":"1,5"}},"list":[{"id":1},{"id":2}],"ok":true,"no":false}`,
		`{"z":"","a":[[["~"]]],"漢字":"😀"}`,
	}
	var want []string
	runPHP(t, `$all = json_decode(stream_get_contents(STDIN), true);
echo json_encode(array_map(fn($d) => http_build_query(json_decode($d, true)), $all));`, data, &want)
	for i := range data {
		require.Equal(t, want[i], render(t, "format: form", event(t, data[i])))
	}
}

// TestPHPPost posts bodies to a real PHP server and reads its $_POST.
func TestPHPPost(t *testing.T) {
	t.Parallel()
	address := servePHP(t, `<?php echo json_encode(["type" => $_SERVER["CONTENT_TYPE"], "post" => $_POST]);`)
	tests := []struct{ name, fields, data, want string }{
		{"contact", `["contact[email]", {key: "contact[tags]", join: ", "}, "contact[fields][*]", "updated_fields[*]"]`,
			`{"contact":{"email":"ada@example.com","tags":["vip","a b"],"fields":{"39":"é","x":""}},"updated_fields":["title","stage"]}`,
			`{"contact":{"email":"ada@example.com","tags":"vip, a b","fields":{"39":"é","x":""}},"updated_fields":["title","stage"]}`},
		{"list=0 before list[...] leaves the array", `[{key: list, value: 0}, "list[id]"]`, `{"list":{"name":"News","id":7}}`,
			`{"list":{"id":"7","name":"News"}}`},
		{"list[][id] once per list", `[{key: "list[][id]", value: $event.attributes.listIds}]`, `{}`, `{"list":[{"id":"1"},{"id":"2"}]}`},
	}
	for _, tt := range tests {
		e := event(t, tt.data)
		e.Attributes.ListIDs = []string{"1", "2"}
		body, err := compile(t, "format: form\nform: {fields: "+tt.fields+"}").Render(input(e))
		require.NoError(t, err)
		require.JSONEq(t, fmt.Sprintf(`{"type":%q,"post":%s}`, body.ContentType, tt.want), post(t, address, body), tt.name)
	}
}

func post(t *testing.T, address string, body payload.Body) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body.Bytes))
	require.NoError(t, err)
	request.Header.Set("Content-Type", body.ContentType)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// servePHP runs PHP's built-in server on a free port until the test ends.
func servePHP(t *testing.T, script string) string {
	t.Helper()
	php := requireTool(t, "php")
	path := filepath.Join(t.TempDir(), "receiver.php")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	command := exec.CommandContext(t.Context(), php, "-S", address, path) // killed when the test ends
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Wait() }) // killed: the error says no more
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return connection.Close() == nil
	}, 10*time.Second, 20*time.Millisecond)
	return "http://" + address + "/"
}
