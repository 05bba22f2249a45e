package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ended is a command that has run to its end.
type ended struct {
	code        int
	out, errors string
}

// cli runs a command as the system's tenant.
func (sys *system) cli(args ...string) ended {
	sys.t.Helper()
	command := sys.command(args...)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		require.NoError(sys.t, err)
	}
	return ended{command.ProcessState.ExitCode(), out.String(), problems.String()}
}

func (sys *system) command(args ...string) *exec.Cmd {
	command := exec.CommandContext(sys.t.Context(), posthaste, args...)
	command.Env = append(append(os.Environ(), sys.env...), "POSTHASTE_API_URL="+sys.api, "POSTHASTE_TOKEN="+sys.token)
	return command
}

// followed is what send --follow --json prints, as far as tests look.
type followed struct {
	ID         string         `json:"id"`
	Outcome    string         `json:"outcome"`
	Deliveries []seenDelivery `json:"deliveries"`
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{})
	for name, run := range map[string]func(*system){
		"send": sendAlone, "follow to the end": followToTheEnd, "follow to a refusal": followToARefusal,
		"follow for nobody": followForNobody, "follow until Ctrl-C": followUntilInterrupted,
		"listen to a wrong secret": listenToAWrongSecret, "listen badly": listenBadly, "show": showForPrograms,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(sys.as(t, strings.ReplaceAll(strings.ToLower(name), " ", "-")))
		})
	}
	for name, w := range map[string]listened{
		"standard":       {"order.paid", `"secret":"whsec_Y2xpLWNsaS1jbGktY2xpLWNsaS1jbGktY2xpLWNsaQ=="`, true},
		"activecampaign": {"subscribe", `"sources":["public","admin","api","system"]`, false},
		"actiwapi":       {"message.received", `"secret":"a-signing-secret-of-actiwapi"`, true},
		"akol":           {"call.ended", `"name":"Front desk"`, true},
		"aktify":         {"lead.message_sent", `"secret":"an-aktify-client-secret-of-the-cli"`, true},
	} {
		t.Run("listen for "+name, func(t *testing.T) {
			t.Parallel()
			listenFor(sys.as(t, "listen-"+name), name, w)
		})
	}
}

func sendAlone(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	file := filepath.Join(sys.t.TempDir(), "order.json")
	require.NoError(sys.t, os.WriteFile(file, []byte(`{"orderId":1042}`), 0o600))

	first := sys.cli("send", "order.paid", "--data", "@"+file, "--key", "order-1042", "--json")
	require.Equal(sys.t, 0, first.code, first.errors)
	var answer accepted
	require.NoError(sys.t, json.Unmarshal([]byte(first.out), &answer))
	require.Equal(sys.t, "accepted", answer.Status)
	sys.awaitStates(answer.ID, 20*time.Second, "delivered")
	require.Contains(sys.t, rec.await(1, 10*time.Second)[0].body, `"data":{"orderId":1042}`)

	again := sys.cli("send", "order.paid", "--data", "@"+file, "--key", "order-1042")
	require.Equal(sys.t, 0, again.code, again.errors)
	require.Regexp(sys.t, `^EVENT +TYPE +STATUS\n`+answer.ID+` +order\.paid +known already\n$`, again.out)

	for _, mistake := range [][]string{{"send"}, {"send", "order.paid", "--data", "{"}, {"send", "order.paid", "--api-key", "both"}} {
		got := sys.cli(mistake...)
		require.Equal(sys.t, 2, got.code, got.errors)
	}
	require.Equal(sys.t, 1, sys.cli("send", "order.paid", "--api", "http://127.0.0.1:1").code, "nobody there is no mistake of the caller's")
	refused := sys.cli("send", "not an event", "--data", "{}")
	require.Equal(sys.t, 1, refused.code)
	require.Contains(sys.t, refused.errors, "the event was not taken: 400")
}

func followToTheEnd(sys *system) {
	rec := newReceiver(sys.t, statuses(500, 503, 204))
	sys.createWebhook(rec.URL, `"name":"orders"`, `"retry":{"mode":"schedule","delaysSeconds":[1,1,60]}`)
	got := sys.cli("send", "order.paid", "--follow")
	require.Equal(sys.t, 0, got.code, got.errors)
	require.Empty(sys.t, got.errors)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(sys.t, lines, 4, got.out)
	for i, want := range []string{
		`^\d\d:\d\d:\d\d  event \S+  accepted$`,
		`^\d\d:\d\d:\d\d  orders \(127\.0\.0\.1.*\)  attempt 1  500 server_error  in \d+ ms  next try at \d\d:\d\d:\d\d, in `,
		`attempt 2  503 server_error  in \d+ ms  next try`,
		`attempt 3  204  in \d+ ms  delivered$`,
	} {
		require.Regexp(sys.t, want, lines[i])
	}
}

func followToARefusal(sys *system) {
	good, bad := newReceiver(sys.t, nil), newReceiver(sys.t, status(400))
	sys.createWebhook(good.URL)
	sys.createWebhook(bad.URL, `"name":"orders"`, `"retry":{"mode":"never"}`)
	got := sys.cli("send", "order.paid", "--follow")
	require.Equal(sys.t, 3, got.code, got.errors)
	require.Equal(sys.t, "posthaste: 1 of 2 deliveries was not made\n", got.errors)
	require.Regexp(sys.t, `orders \(.*\)  attempt 1  400 client_error  in \d+ ms  failed\n`, got.out)

	got = sys.cli("send", "order.paid", "--follow", "--json")
	require.Equal(sys.t, 3, got.code, got.errors)
	var event followed
	require.NoError(sys.t, json.Unmarshal([]byte(got.out), &event), got.out)
	require.Equal(sys.t, "undelivered", event.Outcome)
	require.Len(sys.t, event.Deliveries, 2)
	for _, d := range event.Deliveries {
		require.Len(sys.t, d.History, 1)
		require.Equal(sys.t, d.State == "delivered", d.History[0].Success)
	}
}

func followForNobody(sys *system) {
	got := sys.cli("send", "order.paid", "--follow")
	require.Equal(sys.t, 0, got.code, got.errors)
	require.Contains(sys.t, got.out, "no webhook wants it")
}

func followUntilInterrupted(sys *system) {
	rec := newReceiver(sys.t, status(500))
	sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
	command := sys.command("send", "order.paid", "--follow", "--json")
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	require.NoError(sys.t, command.Start())
	rec.await(1, 20*time.Second)
	require.NoError(sys.t, command.Process.Signal(syscall.SIGINT))
	require.Error(sys.t, command.Wait())
	require.Equal(sys.t, 130, command.ProcessState.ExitCode(), problems.String())
	require.Regexp(sys.t, `^posthaste: no longer watching; event \S+ goes on\n$`, problems.String())
	var event followed
	require.NoError(sys.t, json.Unmarshal(out.Bytes(), &event), out.String())
	require.Equal(sys.t, "unfinished", event.Outcome)
	sys.awaitStates(event.ID, 20*time.Second, "retrying")
}

// listened is one event that a listener hears of.
type listened struct {
	event, extra string
	signed       bool
}

// startListening runs `posthaste listen` and returns its URL.
func (sys *system) startListening(args ...string) (*devRun, string) {
	sys.t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort())
	l := startDev(sys.t, append([]string{"listen", "--http", address}, args...))
	l.awaitOutput("listening on http://"+address, 20*time.Second)
	return l, "http://" + address
}

func listenFor(sys *system, provider string, want listened) {
	t := sys.t
	// The webhook comes first, because Akol makes its secrets itself.
	address := fmt.Sprintf("127.0.0.1:%d", freePort())
	w := sys.createWebhook("http://"+address, `"provider":"`+provider+`"`, `"events":["`+want.event+`"]`, want.extra)
	args := []string{"listen", "--http", address, "--provider", provider, "--json"}
	if want.signed {
		args = append(args, "--secret", w.Secret)
	}
	l := startDev(t, args)
	l.awaitOutput("listening on", 20*time.Second)

	got := sys.cli("send", want.event, "--provider", provider, "--follow")
	require.Equal(t, 0, got.code, "%s%s%s", got.out, got.errors, l.output())
	line := l.awaitOutput(`(?m)^(\{.*\})$`, 5*time.Second)[1]
	var came struct {
		Verified *bool
		Why      string
		Headers  http.Header
		Answer   int
	}
	require.NoError(t, json.Unmarshal([]byte(line), &came))
	require.Equal(t, 204, came.Answer)
	require.NotEmpty(t, came.Headers["X-Delivery-Id"], line)
	if want.signed {
		require.NotNil(t, came.Verified, came.Why)
		require.True(t, *came.Verified, came.Why)
	} else {
		require.Nil(t, came.Verified)
		require.Contains(t, came.Why, "signs nothing")
	}
	l.interrupt()
}

func listenToAWrongSecret(sys *system) {
	l, url := sys.startListening("--secret", "whsec_YW5vdGhlci1hbm90aGVyLWFub3RoZXItYW5vdGhlcg==")
	sys.createWebhook(url, `"retry":{"mode":"never"}`)
	got := sys.cli("send", "order.paid", "--follow")
	require.Equal(sys.t, 3, got.code, got.errors)
	require.Contains(sys.t, got.out, "401 client_error")
	l.awaitOutput(`NOT VERIFIED: no signature matches`, 5*time.Second)
	l.awaitOutput(`(?m)^  Webhook-Signature: v1,`, time.Second)
	l.awaitOutput(`(?m)^    "type": "order\.paid",$`, time.Second)
	l.interrupt()
}

func listenBadly(sys *system) {
	l, url := sys.startListening("--fail-first", "2", "--fail", "503", "--delay", "300ms")
	sys.createWebhook(url, `"retry":{"mode":"schedule","delaysSeconds":[1,1,60]}`)
	got := sys.cli("send", "order.paid", "--follow", "--json")
	require.Equal(sys.t, 0, got.code, got.errors)
	var event followed
	require.NoError(sys.t, json.Unmarshal([]byte(got.out), &event), got.out)
	var codes []int
	for _, attempt := range event.Deliveries[0].History {
		codes = append(codes, *attempt.StatusCode)
	}
	require.Equal(sys.t, []int{503, 503, 204}, codes)
	l.awaitOutput(`answer 503 Service Unavailable after 300ms`, time.Second)
	l.awaitOutput(`(?s)POST 3 .*answer 204 No Content after 300ms`, time.Second)
	l.interrupt()
}

// showForPrograms holds that what prints a table prints JSON, too.
func showForPrograms(sys *system) {
	for _, args := range [][]string{{"version"}, {"health"}, {"migrate", "status"}, {"migrate", "up"}, {"rewrap"}} {
		people, programs := sys.cli(args...), sys.cli(append(args, "--json")...)
		require.Equal(sys.t, 0, people.code, people.errors)
		require.Equal(sys.t, 0, programs.code, programs.errors)
		require.False(sys.t, json.Valid([]byte(people.out)), "%v: %s", args, people.out)
		require.True(sys.t, json.Valid([]byte(programs.out)), "%v: %s", args, programs.out)
	}
	require.Regexp(sys.t, `(?m)^CHECK +STATUS\ndatabase +ok$`, sys.cli("health").out)
	require.Contains(sys.t, sys.cli("health", "--json").out, `"ready":true`)
}

func TestCompletionScriptOfTheRealBinary(t *testing.T) {
	t.Parallel()
	script := run(t, nil, "completion", "bash")
	check := exec.CommandContext(t.Context(), "bash", "-n")
	check.Stdin = strings.NewReader(script)
	output, err := check.CombinedOutput()
	require.NoError(t, err, "%s", output)

	// As bash calls it for: posthaste send --provider akol call.en<TAB>
	use := exec.CommandContext(t.Context(), "bash", "-c", script+`
COMP_WORDS=(posthaste send --provider akol call.en) COMP_CWORD=4
_posthaste
printf '%s\n' "${COMPREPLY[@]}"`)
	use.Env = append(os.Environ(), "PATH="+filepath.Dir(posthaste)+string(os.PathListSeparator)+os.Getenv("PATH"))
	output, err = use.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Equal(t, "call.ended\n", string(output))
}
