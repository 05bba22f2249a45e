package signing_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/signing"
)

// vector is one case of testdata/vectors/<scheme>.json: what Sign must give,
// and what a receiver that saw it (or something else) must conclude.
type vector struct {
	Name       string      `json:"name"`
	Source     string      `json:"source"`
	Spec       vectorSpec  `json:"spec"`
	ID         string      `json:"id"`
	TimeMillis int64       `json:"timeMillis"`
	Body       string      `json:"body"`
	Secrets    []string    `json:"secrets"`
	Headers    [][2]string `json:"headers"`
	// Verify changes what the receiver has; absent, it has what was sent and
	// accepts it.
	Verify *struct {
		Secrets     []string    `json:"secrets"`
		Body        *string     `json:"body"`
		Headers     [][2]string `json:"headers"`
		LaterMillis int64       `json:"laterMillis"`
		OK          bool        `json:"ok"`
	} `json:"verify"`
}

type vectorSpec struct {
	Scheme, Header, Digest, Encoding, Content, Value, TimeUnit, IDHeader, TimeHeader string
}

// tolerance is how far a vector's receiver lets the signed time be away.
const tolerance = 5 * time.Minute

// needed are the cases that no scheme may lack; others may follow the word.
var needed = []string{"valid", "two secrets", "wrong secret", "wrong body", "unicode body"}

func TestEveryScheme(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/vectors/*.json")
	require.NoError(t, err)
	require.Len(t, files, len(signing.Schemes()), "a vector file without a scheme, or the other way round")
	for _, name := range signing.Schemes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vectors := readVectors(t, name)
			for _, need := range needed {
				require.True(t, hasCase(vectors, need), "no case %q", need)
			}
			for _, v := range vectors {
				t.Run(v.Name, func(t *testing.T) {
					t.Parallel()
					require.Equal(t, name, v.Spec.Scheme)
					require.NotEmpty(t, v.Source)
					checkVector(t, v)
				})
			}
		})
	}
}

func readVectors(t *testing.T, scheme string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/vectors", scheme+".json"))
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(text, &vectors))
	return vectors
}

func hasCase(vectors []vector, prefix string) bool {
	for _, v := range vectors {
		if strings.HasPrefix(v.Name, prefix) {
			return true
		}
	}
	return false
}

func checkVector(t *testing.T, v vector) {
	t.Helper()
	signer, err := signing.Compile(signing.Spec(v.Spec))
	require.NoError(t, err)
	at := time.UnixMilli(v.TimeMillis)
	headers, err := signer.Sign(signing.Input{ID: v.ID, Time: at, Body: []byte(v.Body), Secrets: secrets(v.Secrets)})
	require.NoError(t, err)
	got := [][2]string{}
	names := []string{}
	for _, h := range headers {
		got = append(got, [2]string{h.Name, h.Value})
		names = append(names, h.Name)
	}
	require.Equal(t, v.Headers, got)
	require.Subset(t, signer.Headers(), names)

	in := signing.VerifyInput{Header: pairs(v.Headers), Body: []byte(v.Body), Secrets: secrets(v.Secrets), Now: at, Tolerance: tolerance}
	require.NoError(t, signer.Verify(in))
	if v.Verify == nil {
		return
	}
	if v.Verify.Secrets != nil {
		in.Secrets = secrets(v.Verify.Secrets)
	}
	if v.Verify.Body != nil {
		in.Body = []byte(*v.Verify.Body)
	}
	if v.Verify.Headers != nil {
		in.Header = pairs(v.Verify.Headers)
	}
	in.Now = at.Add(time.Duration(v.Verify.LaterMillis) * time.Millisecond)
	err = signer.Verify(in)
	if v.Verify.OK {
		require.NoError(t, err)
		return
	}
	require.True(t, errs.Is(err, errs.Unauthorized), "%v", err)
	for _, secret := range v.Secrets {
		require.NotContains(t, err.Error(), secret)
	}
}

func secrets(texts []string) []webhook.Secret {
	list := make([]webhook.Secret, 0, len(texts))
	for _, text := range texts {
		list = append(list, webhook.Secret(text))
	}
	return list
}

func pairs(list [][2]string) func(string) string {
	header := http.Header{}
	for _, pair := range list {
		header.Set(pair[0], pair[1])
	}
	return header.Get
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	good := signing.Spec{
		Scheme: "hmac", Header: "X-Signature", Digest: "sha256", Encoding: "hex", TimeUnit: "seconds",
		Content: "{t}.{body}", Value: "t={t},v1={sig}",
	}
	_, err := signing.Compile(good)
	require.NoError(t, err)
	for _, test := range []struct {
		give  string
		edit  func(*signing.Spec)
		field string
	}{
		{"no scheme", func(s *signing.Spec) { s.Scheme = "" }, "scheme"},
		{"unknown scheme", func(s *signing.Spec) { s.Scheme = "HMAC" }, "scheme"},
		{"no header", func(s *signing.Spec) { s.Header = "" }, "header"},
		{"header with a space", func(s *signing.Spec) { s.Header = "X Signature" }, "header"},
		{"no digest", func(s *signing.Spec) { s.Digest = "" }, "digest"},
		{"unknown digest", func(s *signing.Spec) { s.Digest = "md5" }, "digest"},
		{"no encoding", func(s *signing.Spec) { s.Encoding = "" }, "encoding"},
		{"unknown encoding", func(s *signing.Spec) { s.Encoding = "HEX" }, "encoding"},
		{"no content", func(s *signing.Spec) { s.Content = "" }, "content"},
		{"content without body", func(s *signing.Spec) { s.Content = "{t}" }, "content"},
		{"unknown placeholder", func(s *signing.Spec) { s.Content = "{url}{body}" }, "content"},
		{"open brace", func(s *signing.Spec) { s.Content = "{body}{" }, "content"},
		{"closing brace", func(s *signing.Spec) { s.Content = "{body}}" }, "content"},
		{"empty placeholder", func(s *signing.Spec) { s.Content = "{}{body}" }, "content"},
		{"time signed, not sent", func(s *signing.Spec) { s.Value = "{sig}" }, "content"},
		{"id signed, not sent", func(s *signing.Spec) { s.Content = "{id}.{body}" }, "content"},
		{"no value", func(s *signing.Spec) { s.Value = "" }, "value"},
		{"value without signature", func(s *signing.Spec) { s.Value = "t={t}" }, "value"},
		{"value with the body", func(s *signing.Spec) { s.Value = "t={t},{sig},{body}" }, "value"},
		{"value that cannot be read", func(s *signing.Spec) { s.Value = "{t}{sig}" }, "value"},
		{"value with one placeholder twice", func(s *signing.Spec) { s.Value = "{sig},{t},{sig}" }, "value"},
		{"value with a line break", func(s *signing.Spec) { s.Value = "t={t}\nv1={sig}" }, "value"},
		{"no unit", func(s *signing.Spec) { s.TimeUnit = "" }, "timeUnit"},
		{"unknown unit", func(s *signing.Spec) { s.TimeUnit = "minutes" }, "timeUnit"},
		{"bad idHeader", func(s *signing.Spec) { s.IDHeader = "a:b" }, "idHeader"},
		{"bad timeHeader", func(s *signing.Spec) { s.TimeHeader = "a:b" }, "timeHeader"},
		{"none with a header", func(s *signing.Spec) { *s = signing.Spec{Scheme: "none", Header: "X"} }, "header"},
		{"standard with a digest", func(s *signing.Spec) { *s = signing.Spec{Scheme: "standard-webhooks", Digest: "sha256"} }, "digest"},
	} {
		t.Run(test.give, func(t *testing.T) {
			t.Parallel()
			spec := good
			test.edit(&spec)
			_, err := signing.Compile(spec)
			requireField(t, err, test.field)
		})
	}
}

func TestNoSecret(t *testing.T) {
	t.Parallel()
	hmac, err := signing.Compile(signing.Spec{Scheme: "hmac", Header: "X", Digest: "sha1", Encoding: "hex", Content: "{body}", Value: "{sig}"})
	require.NoError(t, err)
	headers, err := hmac.Sign(signing.Input{Body: []byte("{}")})
	require.NoError(t, err)
	require.Empty(t, headers)
	requireField(t, hmac.CheckSecret(""), "secret")
	require.False(t, hmac.Several())

	standard, err := signing.Compile(signing.Spec{Scheme: "standard-webhooks"})
	require.NoError(t, err)
	_, err = standard.Sign(signing.Input{Body: []byte("{}")})
	requireField(t, err, "secret")
	require.True(t, standard.Several())
}

func requireField(t *testing.T, err error, field string) {
	t.Helper()
	var coded *errs.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, errs.Invalid, coded.Code)
	require.Contains(t, coded.Fields, field)
}
