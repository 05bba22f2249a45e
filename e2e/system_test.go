package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"posthaste/codec"
	"posthaste/keyset"
	"posthaste/models/modelstest"
)

// system is one installation of Posthaste: a database, a namespace, and the
// processes that a test starts and stops.
type system struct {
	t         *testing.T
	dir       string
	namespace string
	env       []string
	api       string
	tenant    string
	token     string
	processes int
	temporal  client.Client // by temporalClient
	server    *temporalServer
	database  string // its URL, past any proxy
	canaries  *canaries

	// With settings.proxied, what lies between the processes and the two parts.
	databaseProxy, temporalProxy *proxy
}

// settings are what a test may choose.
type settings struct {
	postgres bool
	database string          // its URL; one of the installation's own when empty
	temporal *temporalServer // by ownTemporal; the shared one when nil
	// proxied puts a proxy between the processes and PostgreSQL, and one between
	// them and Temporal: see system.databaseProxy and temporalProxy.
	proxied bool
	env     []string
}

// install makes an installation, migrated and with nothing running.
func install(t *testing.T, s settings) *system {
	t.Helper()
	sys := &system{t: t, dir: t.TempDir(), api: fmt.Sprintf("http://127.0.0.1:%d", freePort())}
	sys.server, sys.namespace = s.temporal, "default"
	if sys.server == nil {
		n := namespaces.Add(1)
		require.LessOrEqual(t, n, maxNamespaces, "raise maxNamespaces")
		sys.server, sys.namespace = temporal, namespaceName(n)
	}
	switch {
	case s.database != "":
		sys.database = s.database
	case s.postgres:
		sys.database = modelstest.URL(t, modelstest.Postgres)
	default:
		sys.database = "sqlite://" + filepath.Join(sys.dir, "posthaste.db")
	}
	database, address := sys.database, sys.server.address
	if s.proxied {
		require.True(t, s.postgres, "a file has no network to break")
		sys.databaseProxy, database = proxiedURL(t, database)
		sys.temporalProxy = proxied(t, address)
		address = sys.temporalProxy.address
	}
	keysetLine := strings.TrimSpace(run(t, nil, "keygen"))
	sys.env = append([]string{
		"POSTHASTE_DATABASE_URL=" + database,
		"POSTHASTE_TEMPORAL_ADDRESS=" + address,
		"POSTHASTE_TEMPORAL_NAMESPACE=" + sys.namespace,
		"POSTHASTE_HTTP_ADDR=" + strings.TrimPrefix(sys.api, "http://"),
		"POSTHASTE_JWT_SECRET=e2e-secret-of-at-least-32-bytes-long",
		"POSTHASTE_ENCRYPTION_KEYSET=" + keysetLine,
		"POSTHASTE_ALLOW_HTTP=true",
		"POSTHASTE_ALLOW_NETWORKS=127.0.0.0/8",
		"POSTHASTE_LIMIT_WEBHOOKS=0",
		"POSTHASTE_LIMIT_EVENTS_PER_MINUTE=0",
	}, s.env...)
	sys.plant()
	run(t, sys.env, "migrate", "up")
	return sys.as(t, "acme")
}

// up installs and starts one process with API and worker.
func up(t *testing.T, s settings) *system {
	t.Helper()
	sys := install(t, s)
	sys.start("all").awaitReady()
	return sys
}

// as is the same installation as one test and one tenant see it.
func (sys *system) as(t *testing.T, tenant string) *system {
	t.Helper()
	view := *sys
	view.t, view.tenant, view.temporal = t, tenant, nil
	view.token = view.tokenFor(tenant)
	return &view
}

// acceptance is one case of sources/REQUIREMENTS.md section 4, known by its id.
type acceptance struct {
	name string
	run  func(*system)
}

// accept runs a provider's cases side by side in one installation, each as a
// tenant of its own.
func accept(t *testing.T, provider string, cases ...acceptance) {
	t.Helper()
	sys := up(t, settings{env: []string{"POSTHASTE_PROVIDER=" + provider}})
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			id, _, _ := strings.Cut(c.name, "_")
			c.run(sys.as(t, fmt.Sprintf("%s-%d", strings.ToLower(id), i)))
		})
	}
}

func (sys *system) tokenFor(tenant string) string {
	sys.t.Helper()
	token := strings.TrimSpace(run(sys.t, sys.env, "token", "--tenant", tenant))
	sys.secret("the token of "+tenant, token)
	return token
}

// run runs a command to its end and returns its standard output.
func run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	command := exec.Command(posthaste, args...)
	command.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, "posthaste %s: %s", strings.Join(args, " "), stderr.String())
	return string(output)
}

// process is one running `posthaste serve`.
type process struct {
	sys  *system
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	exit error         // how it ended
}

// start runs `posthaste serve` in a role.
func (sys *system) start(role string, env ...string) *process {
	sys.t.Helper()
	return sys.startBinary(posthaste, role, env...)
}

// startBinary is start with another build.
func (sys *system) startBinary(binary, role string, env ...string) *process {
	sys.t.Helper()
	sys.processes++
	p := &process{sys: sys, log: filepath.Join(sys.dir, fmt.Sprintf("serve-%d.log", sys.processes)), done: make(chan struct{})}
	log, err := os.Create(p.log)
	require.NoError(sys.t, err)
	p.cmd = exec.Command(binary, "serve", "--role", role)
	p.cmd.Env = append(append(os.Environ(), sys.env...), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(sys.t, p.cmd.Start())
	go func() { p.exit = p.cmd.Wait(); close(p.done) }()
	sys.t.Cleanup(func() {
		p.lastMetrics()
		p.kill()
		if sys.t.Failed() {
			text, _ := os.ReadFile(p.log)
			sys.t.Logf("%s:\n%s", filepath.Base(p.log), last(text, 8_000))
		}
	})
	return p
}

// awaitReady waits until the API answers that every part is ready.
func (p *process) awaitReady() *process {
	p.sys.t.Helper()
	p.sys.awaitReady()
	return p
}

// awaitReady waits until the API answers that every part is ready, again.
func (sys *system) awaitReady() {
	sys.t.Helper()
	sys.await("ready", 30*time.Second, func() bool {
		status, _ := sys.probe("/readyz")
		return status == http.StatusOK
	})
}

// probe asks /healthz or /readyz; status 0 when nobody answers.
func (sys *system) probe(path string) (status int, body string) {
	response, err := http.Get(sys.api + path)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the process to end and waits for it.
func (p *process) stop() {
	p.sys.t.Helper()
	p.lastMetrics()
	require.NoError(p.sys.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
		require.NoError(p.sys.t, p.exit, "a graceful stop exits with 0")
	case <-time.After(70 * time.Second):
		p.sys.t.Fatal("did not stop within 70 s of SIGTERM")
	}
}

// await polls until the condition holds.
func (sys *system) await(what string, within time.Duration, holds func() bool) {
	sys.t.Helper()
	require.Eventually(sys.t, holds, within, 20*time.Millisecond, "waiting for %s", what)
}

// call makes an API request as the system's tenant and decodes the answer.
func (sys *system) call(method, path, body string, headers ...string) (int, answer) {
	sys.t.Helper()
	return sys.callAs(sys.token, method, path, body, headers...)
}

// answer is the envelope of every JSON answer.
type answer struct {
	Success    bool              `json:"success"`
	Data       json.RawMessage   `json:"data"`
	Pagination *pagination       `json:"pagination"`
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	Errors     map[string]string `json:"errors"`
	raw        string
	header     http.Header
}

type pagination struct {
	Limit      int     `json:"limit"`
	NextCursor *string `json:"nextCursor"`
}

func (sys *system) callAs(token, method, path, body string, headers ...string) (int, answer) {
	sys.t.Helper()
	request, err := http.NewRequest(method, sys.api+path, strings.NewReader(body))
	require.NoError(sys.t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(sys.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(sys.t, err)
	sys.hear(method, path, body, string(text))
	result := answer{raw: string(text), header: response.Header}
	if len(text) > 0 {
		require.NoError(sys.t, json.Unmarshal(text, &result), "%s %s: %s", method, path, text)
	}
	return response.StatusCode, result
}

// into decodes an answer's data.
func into[T any](t *testing.T, a answer) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal(a.Data, &value), "%s", a.raw)
	return value
}

// temporalClient is for looking at workflows as an operator does: everything
// that it sends is sealed and everything that it reads is opened, at the lowest
// layer, so that histories and failures are plain too.
func (sys *system) temporalClient() client.Client {
	sys.t.Helper()
	if sys.temporal == nil {
		payloads, err := converter.NewPayloadCodecGRPCClientInterceptor(converter.PayloadCodecGRPCClientInterceptorOptions{
			Codecs: []converter.PayloadCodec{codec.New(sys.keys())},
		})
		require.NoError(sys.t, err)
		failures, err := converter.NewFailureGRPCClientInterceptor(converter.NewFailureGRPCClientInterceptorOptions{
			DataConverter: codec.DataConverter(sys.keys()), EncodeCommonAttributes: true,
		})
		require.NoError(sys.t, err)
		sys.temporal = sys.dial(grpc.WithChainUnaryInterceptor(failures, payloads))
	}
	return sys.temporal
}

// strangersClient looks at workflows as somebody does who has no key.
func (sys *system) strangersClient() client.Client {
	sys.t.Helper()
	return sys.dial()
}

func (sys *system) dial(options ...grpc.DialOption) client.Client {
	sys.t.Helper()
	c, err := client.Dial(client.Options{
		HostPort: sys.server.address, Namespace: sys.namespace, Logger: quiet{},
		ConnectionOptions: client.ConnectionOptions{DialOptions: options},
	})
	require.NoError(sys.t, err)
	sys.t.Cleanup(c.Close)
	return c
}

// keys are those of the installation.
func (sys *system) keys() *keyset.Keyset {
	sys.t.Helper()
	var line string
	for _, variable := range sys.env {
		if value, found := strings.CutPrefix(variable, "POSTHASTE_ENCRYPTION_KEYSET="); found {
			line = value
		}
	}
	keys, err := keyset.Parse(line)
	require.NoError(sys.t, err)
	return keys
}

func describeNamespace(name string) *workflowservice.DescribeNamespaceRequest {
	return &workflowservice.DescribeNamespaceRequest{Namespace: name}
}

// quiet drops the SDK's own log lines.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func last(text []byte, n int) []byte {
	if len(text) > n {
		return text[len(text)-n:]
	}
	return text
}
