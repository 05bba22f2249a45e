package dashboard

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/signing"

	"github.com/stretchr/testify/require"
)

// snippetCase is a request that a snippet has to judge.
type snippetCase struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"` // names in lower case
	Body    string            `json:"body"`    // base64
	want    bool
}

// harnesses run a snippet over cases from stdin and print a list of booleans.
var harnesses = map[string]struct {
	tool         []string
	file         string
	before, last string
}{
	"go": {[]string{"go", "run"}, "main.go", "package main\n\nimport (\n\tinput \"encoding/json\"\n\t\"os\"\n)\n\n", `
func main() {
	var cases []struct {
		Secret  string
		Headers map[string]string
		Body    []byte
	}
	if err := input.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	told := []bool{}
	for _, one := range cases {
		header := http.Header{}
		for name, value := range one.Headers {
			header.Set(name, value)
		}
		told = append(told, verified(one.Secret, header, one.Body))
	}
	input.NewEncoder(os.Stdout).Encode(told)
}
`},
	"js": {[]string{"node"}, "main.mjs", "", `
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map((one) => verified(one.secret, one.headers, Buffer.from(one.body, "base64")))));
`},
	"py": {[]string{"python3"}, "main.py", "", `
import base64 as b, json, sys
from email.message import Message
def mapping(headers):
    message = Message()
    for name, value in headers.items():
        message[name] = value
    return message
print(json.dumps([verified(one["secret"], mapping(one["headers"]), b.b64decode(one["body"])) for one in json.load(sys.stdin)]))
`},
	"php": {[]string{"php", "-d", "display_errors=stderr"}, "main.php", "", `
echo json_encode(array_map(
    fn ($one) => verified($one['secret'], $one['headers'], base64_decode($one['body'])),
    json_decode(stream_get_contents(STDIN), true)
));
`},
}

// tried are the schemes of every shipped profile, and some that use what none of
// those does.
func tried(t *testing.T) map[string]signing.Spec {
	t.Helper()
	specs := map[string]signing.Spec{
		"own headers": {
			Scheme: schemeHMAC, Header: "X-Signature", IDHeader: "X-Id", TimeHeader: "X-Time", TimeUnit: "seconds",
			Digest: "sha512", Encoding: "base64url", Content: "v0:{id}:{t}:{body}", Value: "v0={sig}",
		},
		"odd text": {
			Scheme: schemeHMAC, Header: "X-Signature", TimeUnit: "seconds",
			Digest: "sha384", Encoding: "base64", Content: "{id}'\"\\`${t}/%s{body}!", Value: "id=\"{id}\"; t='{t}'/.*`; s={sig}",
		},
		"old": {Scheme: schemeHMAC, Header: "X-Hub-Signature", Digest: "sha1", Encoding: "hex", Content: "{body}", Value: "{sig}"},
	}
	registry, err := provider.Load("")
	require.NoError(t, err)
	for _, name := range registry.Names() {
		profile, err := registry.Profile(name)
		require.NoError(t, err)
		versions, _ := profile.Versions()
		for _, version := range append(versions, "") {
			signer, known := profile.Signer(version)
			require.True(t, known)
			specs[name+version] = signer.Spec()
		}
	}
	return specs
}

// judged makes requests that a scheme signed, and some that somebody changed.
func judged(t *testing.T, spec signing.Spec) []snippetCase {
	t.Helper()
	signer, err := signing.Compile(spec)
	require.NoError(t, err)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	body := []byte("{\"text\":\"caf\u00e9 \u2028\",\"n\":1.0}\n\xff")
	made := func(at time.Time, change func(*snippetCase), want bool) snippetCase {
		signed, err := signer.Sign(signing.Input{ID: "evt_1", Time: at, Body: body, Secrets: []webhook.Secret{webhook.Secret(secret)}})
		require.NoError(t, err)
		one := snippetCase{Secret: secret, Headers: map[string]string{}, Body: base64.StdEncoding.EncodeToString(body), want: want}
		for _, header := range signed {
			one.Headers[strings.ToLower(header.Name)] = header.Value
		}
		if change != nil {
			change(&one)
		}
		return one
	}
	last := strings.ToLower(signer.Headers()[len(signer.Headers())-1])
	now := time.Now()
	timed := spec.Scheme == schemeStandard || strings.Contains(spec.Value, "{t}") || spec.TimeHeader != ""
	cases := []snippetCase{
		made(now, nil, true),
		made(now, func(one *snippetCase) { one.Body = base64.StdEncoding.EncodeToString(append(body, ' ')) }, false),
		made(now, func(one *snippetCase) {
			one.Secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another-secret-another-secret-00"))
		}, false),
		made(now, func(one *snippetCase) { delete(one.Headers, last) }, false),
		made(now, func(one *snippetCase) { one.Headers[last] += "x" }, false),
		made(now, func(one *snippetCase) { one.Headers[last] = "é" }, false),
		made(now.Add(-time.Hour), nil, !timed),
		made(now.Add(time.Hour), nil, !timed),
		made(now.Add(-time.Minute), nil, true),
	}
	if spec.Scheme == schemeStandard {
		cases = append(cases, made(now, func(one *snippetCase) { one.Headers[last] = "v1,bm8= " + one.Headers[last] }, true))
	}
	return cases
}

// TestSnippetsVerify holds the code of the catalogue to requests that were
// really signed.
func TestSnippetsVerify(t *testing.T) {
	t.Parallel()
	for name, spec := range tried(t) {
		snippets, err := snippetsOf(spec)
		require.NoError(t, err)
		if spec.Scheme == "none" {
			require.Empty(t, snippets)
			continue
		}
		require.Len(t, snippets, len(harnesses))
		for _, one := range snippets {
			t.Run(name+" in "+one.Label, func(t *testing.T) {
				t.Parallel()
				cases := judged(t, spec)
				told := runSnippet(t, one, cases)
				require.Len(t, told, len(cases))
				for i, given := range cases {
					require.Equal(t, given.want, told[i], "case %d: %v", i, given.Headers)
				}
			})
		}
	}
}

// runSnippet asks a snippet about each case.
func runSnippet(t *testing.T, one snippet, cases []snippetCase) []bool {
	t.Helper()
	harness := harnesses[one.Language]
	if _, err := exec.LookPath(harness.tool[0]); err != nil {
		if slices.Contains(strings.Split(os.Getenv("POSTHASTE_TEST_REQUIRE"), ","), harness.tool[0]) {
			t.Fatalf("%s is required and missing", harness.tool[0])
		}
		t.Skipf("%s is missing", harness.tool[0])
	}
	file := filepath.Join(t.TempDir(), harness.file)
	require.NoError(t, os.WriteFile(file, []byte(harness.before+one.Text+harness.last), 0o600))
	question, err := json.Marshal(cases)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), harness.tool[0], append(harness.tool[1:], file)...)
	command.Stdin = bytes.NewReader(question)
	var faults bytes.Buffer
	command.Stderr = &faults
	answer, err := command.Output()
	require.NoError(t, err, "%s\n%s", faults.String(), one.Text)
	require.Empty(t, faults.String(), one.Text)
	var told []bool
	require.NoError(t, json.Unmarshal(answer, &told), "%s", answer)
	return told
}
