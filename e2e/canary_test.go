package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// canaries are secrets that were given, made or shown during a test. Wherever
// one is found where it does not belong, that place leaks.
type canaries struct {
	mu      sync.Mutex
	known   map[string]string // what it is, by form of a secret; never printed the other way round
	begins  [1 << 16]bool     // the first two bytes of every form
	byHead  map[head][]string // every form by its beginning
	scrapes [][]byte          // metrics of each process, before it ended
	shown   []string          // answers that showed a secret and should not have
}

func newCanaries() *canaries {
	return &canaries{known: map[string]string{}, byHead: map[head][]string{}}
}

// everyCanary holds those of all installations, for what they share: Temporal.
var everyCanary = newCanaries()

// shortestCanary keeps words out that could stand anywhere by chance.
const shortestCanary = 8

func (c *canaries) add(what, secret string) {
	if len(secret) < shortestCanary {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, form := range forms(secret) {
		if c.known[form] == "" {
			c.begins[uint16(form[0])<<8|uint16(form[1])] = true
			c.byHead[head([]byte(form))] = append(c.byHead[head([]byte(form))], form)
		}
		c.known[form] = what
	}
}

// forms are the ways in which a secret can lie somewhere: as it is, without its
// prefix, as the bytes that it stands for, and each as PostgreSQL writes bytes
// and as JSON does.
func forms(secret string) []string {
	found := []string{secret}
	if body, ok := strings.CutPrefix(secret, "whsec_"); ok {
		found = append(found, body)
		if raw, err := base64.StdEncoding.DecodeString(body); err == nil && len(raw) >= shortestCanary {
			found = append(found, string(raw))
		}
	}
	for _, form := range slices.Clone(found) {
		found = append(found, hex.EncodeToString([]byte(form)))
		found = append(found, inBase64(form)...)
	}
	return found
}

// inBase64 is how a secret looks in base64 within a longer text: at each of three
// alignments, in either alphabet, less the characters at its ends that it shares
// with its neighbours.
func inBase64(secret string) []string {
	var found []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
			own := text[(8*before+5)/6 : 8*(before+len(secret))/6]
			if len(own) >= shortestCanary {
				found = append(found, own)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// head is the beginning of a form: one look at it rules nearly every place out.
type head [shortestCanary]byte

// in returns what lies in the text that should not, by name.
func (c *canaries) in(text []byte) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaks := map[string]bool{}
	for i := 0; i+shortestCanary <= len(text); i++ {
		if !c.begins[uint16(text[i])<<8|uint16(text[i+1])] {
			continue
		}
		for _, form := range c.byHead[head(text[i:])] {
			if bytes.HasPrefix(text[i:], []byte(form)) {
				leaks[c.known[form]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(leaks))
}

// plant remembers the secrets that an installation is made with, and searches
// all that it leaves behind when its test has ended.
func (sys *system) plant() {
	sys.canaries = newCanaries()
	for _, setting := range sys.env {
		name, value, _ := strings.Cut(setting, "=")
		switch name {
		case "POSTHASTE_JWT_SECRET", "POSTHASTE_ENCRYPTION_KEYSET":
			sys.secret(name, value)
		case "POSTHASTE_DATABASE_URL":
			if u, err := url.Parse(value); err == nil && u.User != nil {
				if password, ok := u.User.Password(); ok && password != u.User.Username() {
					sys.secret("the database's password", password)
				}
			}
		}
	}
	sys.t.Cleanup(sys.searchAll)
}

// secret remembers one secret of the installation.
func (sys *system) secret(what, value string) {
	sys.canaries.add(what, value)
	everyCanary.add(what+" of "+sys.t.Name(), value)
}

// showsSecret are the answers that may show a secret, once.
func showsSecret(method, path string) bool {
	return method == http.MethodPost &&
		(path == "/api/webhooks" || path == "/api/api-keys" || strings.HasSuffix(path, "/rotate-secret"))
}

// hear learns the secrets of a request and its answer, and looks for those
// already known in the answer.
func (sys *system) hear(method, path, request, answer string) {
	var given struct {
		Secret  string
		Headers map[string]string
	}
	_ = json.Unmarshal([]byte(request), &given) // many requests are bad on purpose
	sys.secret("a given secret", given.Secret)
	for name, value := range given.Headers {
		if strings.Contains(value, "canary") {
			sys.secret("the header "+name+" of a webhook", value)
		}
	}
	if showsSecret(method, path) {
		var shown struct{ Data struct{ Secret, Key string } }
		_ = json.Unmarshal([]byte(answer), &shown)
		sys.secret("a webhook's secret", shown.Data.Secret)
		sys.secret("an API key", shown.Data.Key)
		return
	}
	for _, name := range sys.canaries.in([]byte(answer)) {
		sys.canaries.mu.Lock()
		sys.canaries.shown = append(sys.canaries.shown, fmt.Sprintf("%s in the answer to %s %s", name, method, path))
		sys.canaries.mu.Unlock()
	}
}

// lastMetrics reads a process's metrics before it ends.
func (p *process) lastMetrics() {
	address := ""
	for _, setting := range p.cmd.Env {
		if value, ok := strings.CutPrefix(setting, "POSTHASTE_HTTP_ADDR="); ok {
			address = value
		}
	}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		return // it has ended before, as a crash
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	c := p.sys.canaries
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scrapes = append(c.scrapes, text)
}

// searchAll looks for every secret of the installation in all that it left.
func (sys *system) searchAll() {
	leaks := slices.Clone(sys.canaries.shown)
	look := func(place string, text []byte) {
		for _, name := range sys.canaries.in(text) {
			leaks = append(leaks, name+" in "+place)
		}
	}
	for i, text := range sys.canaries.scrapes {
		look(fmt.Sprintf("the metrics of process %d", i+1), text)
	}
	logs, _ := filepath.Glob(filepath.Join(sys.dir, "serve-*.log"))
	for _, file := range logs {
		look(filepath.Base(file), readAll(sys.t, file))
	}
	for place, text := range sys.databaseContent() {
		look(place, text)
	}
	if sys.server != temporal {
		for place, text := range sys.server.content(sys.t) {
			look(place, text)
		}
	}
	if len(leaks) > 0 { // names of secrets, never a secret
		sys.t.Errorf("secrets where they do not belong:\n%s", strings.Join(leaks, "\n"))
	}
}

// databaseContent is all that the database holds, by table or file.
func (sys *system) databaseContent() map[string][]byte {
	content := map[string][]byte{}
	if path, ok := strings.CutPrefix(sys.database, "sqlite://"); ok {
		files, _ := filepath.Glob(path + "*") // with -wal and -shm
		for _, file := range files {
			content[filepath.Base(file)] = readAll(sys.t, file)
		}
		return content
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's own has ended
	defer cancel()
	conn, err := pgx.Connect(ctx, sys.database)
	require.NoError(sys.t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT set_config('posthaste.tenant', '*', false)")
	require.NoError(sys.t, err)
	rows, err := conn.Query(ctx, "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()")
	require.NoError(sys.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(sys.t, err)
	for _, table := range tables {
		rows, err := conn.Query(ctx, "SELECT t::text FROM "+pgx.Identifier{table}.Sanitize()+" AS t")
		require.NoError(sys.t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(sys.t, err)
		content["table "+table] = []byte(strings.Join(lines, "\n"))
	}
	return content
}

// content is all that the server keeps and says, by file.
func (s *temporalServer) content(t *testing.T) map[string][]byte {
	t.Helper()
	content := map[string][]byte{}
	files, _ := filepath.Glob(filepath.Join(s.dir, "temporal.*")) // database, write-ahead log, log
	for _, file := range files {
		content["Temporal's "+filepath.Base(file)] = readAll(t, file)
	}
	return content
}

func readAll(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return text
}

// leaksIntoTemporal searches the files of the server that all tests share, at
// the end of the run.
func leaksIntoTemporal(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "temporal.*"))
	if err != nil {
		return err
	}
	var leaks []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, name := range everyCanary.in(text) {
			leaks = append(leaks, name+" in "+filepath.Base(file))
		}
	}
	if len(leaks) > 0 {
		return fmt.Errorf("secrets where they do not belong:\n%s", strings.Join(leaks, "\n"))
	}
	return nil
}

// A receiver that prints what it was sent, as debug pages do, and the secret that
// it checks signatures with: what it prints is kept, its credentials are not.
func TestAnEchoedCredentialIsNotKept(t *testing.T) {
	t.Parallel()
	const token, secret = "abc-canary/token-1", "whsec_YSBjYW5hcnkgdGhhdCBzaWducyBmb3IgYSB0ZXN0Pj4/Pz8="
	for _, postgres := range []bool{false, true} {
		t.Run(fmt.Sprintf("postgres=%v", postgres), func(t *testing.T) {
			t.Parallel()
			sys := up(t, settings{postgres: postgres})
			rec := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Debug", r.Header.Get("Authorization"))
				w.WriteHeader(http.StatusInternalServerError)
				printed, _ := json.Marshal(map[string]any{"headers": r.Header, "checked with": secret})
				_, _ = fmt.Fprintf(w, "%s\n%s", printed, strings.ReplaceAll(r.Header.Get("Authorization"), "/", `\/`))
			})
			sys.secret("the token of a header", token)
			hook := sys.createWebhook(rec.URL, `"headers":{"Authorization":"Bearer `+token+`"}`, `"secret":"`+secret+`"`,
				`"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
			delivery := sys.awaitStates(sys.enqueue(paid).ID, 10*time.Second, "retrying")[0]
			require.Equal(t, "Bearer "+token, rec.all()[0].header.Get("Authorization"))
			for _, path := range []string{"/api/deliveries/" + delivery.ID, "/api/webhooks/" + hook.ID + "/history"} {
				code, a := sys.call("GET", path, "")
				require.Equal(t, http.StatusOK, code, a.raw)
			}
			_, a := sys.call("GET", "/api/deliveries/"+delivery.ID, "")
			require.Contains(t, a.raw, "Webhook-Signature", "the rest of the answer is there")
			require.Contains(t, a.raw, `\n[hidden]"`)
		})
	}
}

// TestCanarySearchSees looks for what is no secret in each place, and finds it:
// a search that is blind would never fail.
func TestCanarySearchSees(t *testing.T) {
	t.Parallel()
	t.Run("every form", everyFormIsSeen)
	for _, postgres := range []bool{false, true} {
		t.Run(fmt.Sprintf("postgres=%v", postgres), func(t *testing.T) {
			t.Parallel()
			sys, rec := install(t, settings{postgres: postgres}), newReceiver(t, nil)
			p := sys.start("all").awaitReady()
			sys.createWebhook(rec.URL + "/not-a-secret-path")
			event := sys.emit("order.paid", `{"text":"not-a-secret-body"}`)
			sys.awaitStates(event.ID, 10*time.Second, "delivered")
			p.stop()
			seen := newCanaries()
			seen.add("path", "not-a-secret-path")
			seen.add("body", "not-a-secret-body")
			seen.add("event", event.ID)
			seen.add("metric", "posthaste_attempts_total")
			found := map[string]bool{}
			for place, text := range sys.databaseContent() {
				for _, name := range seen.in(text) {
					found[name] = true
					t.Logf("%s in %s", name, place)
				}
			}
			require.True(t, found["path"] && found["body"], "in the database")
			require.Contains(t, seen.in(readAll(t, p.log)), "event", "in the log")
			require.Equal(t, []string{"metric"}, seen.in(sys.canaries.scrapes[0]), "in the metrics")
			inTemporal := map[string]bool{}
			for _, text := range temporal.content(t) {
				for _, name := range seen.in(text) {
					inTemporal[name] = true
				}
			}
			require.True(t, inTemporal["event"], "the workflow's id is in Temporal's database")
			require.False(t, inTemporal["body"], "the event's data is sealed there")
		})
	}
}

// everyFormIsSeen hides a secret in each way that a program may, and finds it.
func everyFormIsSeen(t *testing.T) {
	t.Parallel()
	raw := "\xfb\xff\xfe a secret of some length?>"
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(raw))
	seen := newCanaries()
	seen.add("secret", secret)
	for _, form := range []string{secret, secret[len("whsec_"):], raw} {
		require.Equal(t, []string{"secret"}, seen.in([]byte("<"+form+">")))
		require.Equal(t, []string{"secret"}, seen.in([]byte(hex.EncodeToString([]byte("<"+form+">")))))
		for before := range 4 {
			for after := range 4 {
				text := []byte(strings.Repeat("<", before) + form + strings.Repeat(">", after))
				printed, err := json.Marshal(map[string]any{"body": text})
				require.NoError(t, err)
				require.Equal(t, []string{"secret"}, seen.in(printed), "%d before, %d after", before, after)
				require.Equal(t, []string{"secret"}, seen.in([]byte(base64.URLEncoding.EncodeToString(text))))
			}
		}
	}
	require.Empty(t, seen.in([]byte("whsec_"+base64.StdEncoding.EncodeToString([]byte("another secret of some length")))))
}
