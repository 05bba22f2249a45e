package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refusedAtTheDoor reads the corpus: the URLs that no webhook may have.
func refusedAtTheDoor(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../webhook/send/testdata/ssrf.txt")
	require.NoError(t, err)
	var urls []string
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), "create ")
		if !found {
			continue
		}
		url := strings.Fields(rest)[0]
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			url, err = strconv.Unquote(quoted)
			require.NoError(t, err)
		}
		urls = append(urls, url)
	}
	require.Greater(t, len(urls), 140)
	return urls
}

// TestForbiddenURLsAreRefusedAtTheDoor creates and changes webhooks with every
// trick of the corpus, in an installation that allows http and no network.
func TestForbiddenURLsAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	trap, wire := newCanary(t, "127.0.0.1:0"), newNames(t)
	sys := up(t, settings{env: []string{"POSTHASTE_ALLOW_NETWORKS=", "POSTHASTE_DNS_SERVER=" + wire.address}})
	innocent := sys.createWebhook("http://receiver.test/")
	for _, url := range append(refusedAtTheDoor(t), "http://"+trap.address+"/", "http://receiver.test/"+strings.Repeat("a", 2048)) {
		text, err := json.Marshal(url)
		require.NoError(t, err)
		for method, path := range map[string]string{"POST": "/api/webhooks", "PATCH": "/api/webhooks/" + innocent.ID} {
			code, a := sys.call(method, path, fmt.Sprintf(`{"url":%s,"events":["*"]}`, text))
			require.Equal(t, http.StatusBadRequest, code, "%s %q: %s", method, url, a.raw)
			require.Contains(t, a.Errors, "url", "%q: %s", url, a.raw)
			require.Len(t, a.Errors, 1, "%q: %s", url, a.raw)
		}
	}
	_, a := sys.call("GET", "/api/webhooks", "")
	stored := into[[]hook](t, a)
	require.Len(t, stored, 1, "nothing was stored")
	require.Equal(t, "http://receiver.test/", stored[0].URL, "nothing was changed")
	trap.silent(t)
}

// street is a receiver at 127.0.0.2, which is allowed, and canaries at the same
// port of its neighbours, which are not.
type street struct {
	*receiver
	port     string
	canaries []*canary
}

func newStreet(t *testing.T, answer func(int, http.ResponseWriter, *http.Request)) *street {
	t.Helper()
	neighbours := []string{"127.0.0.1", "127.0.0.3", "127.255.255.254", "::1"}
	for range 20 { // until a port is free everywhere
		listener, err := net.Listen("tcp", "127.0.0.2:0")
		require.NoError(t, err)
		_, port, err := net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
		var others []net.Listener
		for _, host := range neighbours {
			if other, err := net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
				others = append(others, other)
			}
		}
		if len(others) < len(neighbours) {
			_ = listener.Close()
			for _, other := range others {
				_ = other.Close()
			}
			continue
		}
		s := &street{receiver: &receiver{t: t, answer: answer}, port: port}
		s.Server = httptest.NewUnstartedServer(s.receiver)
		_ = s.Listener.Close()
		s.Listener = listener
		s.Config.SetKeepAlivesEnabled(false) // so that each attempt looks the name up
		s.Start()
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		for _, other := range others {
			s.canaries = append(s.canaries, watch(other))
			t.Cleanup(func() { _ = other.Close() })
		}
		return s
	}
	t.Fatal("no port is free on five addresses")
	return nil
}

func (s *street) silent(t *testing.T) {
	t.Helper()
	for _, c := range s.canaries {
		c.silent(t)
	}
}

// reasons lists why the attempts of a webhook failed, the first attempt first.
func (sys *system) reasons(webhookID string) []string {
	sys.t.Helper()
	history := sys.history(webhookID)
	reasons := make([]string, len(history))
	for i, attempt := range history {
		reasons[len(history)-1-i] = attempt.Reason
		if attempt.Reason == "forbidden_address" {
			require.Nil(sys.t, attempt.StatusCode)
		}
	}
	return reasons
}

// TestNamesThatChangeTheirMind lets names lead elsewhere between the creation of
// a webhook, its first attempt and the next. Only 127.0.0.2 may be dialled.
func TestNamesThatChangeTheirMind(t *testing.T) {
	t.Parallel()
	wire := newNames(t)
	sys := up(t, settings{env: []string{"POSTHASTE_ALLOW_NETWORKS=127.0.0.2/32", "POSTHASTE_DNS_SERVER=" + wire.address}})
	home := answers{"127.0.0.2"}
	forbidden := []answers{{"127.0.0.1"}, {"127.0.0.3", "127.255.255.254"}, {"::1"}, {"::ffff:127.0.0.1"}, {"127.0.0.1", "::1"}, {"0.0.0.0"}}
	tests := []struct {
		name string
		run  func(*system, *street, string)
	}{
		{"after the creation", func(sys *system, s *street, name string) {
			for _, elsewhere := range forbidden {
				wire.set(name, home)
				w := sys.createWebhook("http://" + name + ":" + s.port)
				wire.set(name, elsewhere)
				event := sys.enqueue(paid)
				sys.awaitStates(event.ID, 20*time.Second, "failed")
				require.Equal(sys.t, []string{"forbidden_address"}, sys.reasons(w.ID), "%v", elsewhere)
				code, _ := sys.call("DELETE", "/api/webhooks/"+w.ID, "")
				require.Equal(sys.t, http.StatusOK, code)
			}
			require.Empty(sys.t, s.all())
		}},
		{"after the first attempt", func(sys *system, s *street, name string) {
			wire.set(name, home)
			s.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
				wire.set(name, answers{"127.0.0.1", "::1"})
				w.WriteHeader(http.StatusInternalServerError)
			}
			w := sys.createWebhook("http://"+name+":"+s.port, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1]}`)
			sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "failed")
			require.Equal(sys.t, []string{"server_error", "forbidden_address"}, sys.reasons(w.ID))
			require.Len(sys.t, s.all(), 1)
		}},
		{"back again", func(sys *system, s *street, name string) {
			wire.set(name, answers{"127.0.0.1"})
			w := sys.createWebhook("http://" + name + ":" + s.port)
			event := sys.enqueue(paid)
			delivery := sys.awaitStates(event.ID, 20*time.Second, "failed")[0]
			wire.set(name, home)
			code, a := sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "")
			require.Equal(sys.t, http.StatusAccepted, code, a.raw)
			sys.awaitStates(event.ID, 20*time.Second, "delivered")
			require.Equal(sys.t, []string{"forbidden_address", ""}, sys.reasons(w.ID))
		}},
		{"with every question", func(sys *system, s *street, name string) {
			wire.set(name, home, answers{"127.0.0.1"}, home, answers{"::1"}, answers{"127.0.0.1", "127.0.0.3"})
			w := sys.createWebhook("http://"+name+":"+s.port, `"retry":{"mode":"never"}`)
			for range 10 {
				sys.awaitDone(sys.enqueue(paid).ID)
			}
			history := sys.history(w.ID)
			require.Len(sys.t, history, 10)
			arrived := 0
			for _, attempt := range history {
				if attempt.Success {
					arrived++
					continue
				}
				require.Equal(sys.t, "forbidden_address", attempt.Reason)
			}
			require.Len(sys.t, s.all(), arrived)
			require.Positive(sys.t, arrived)
			require.Less(sys.t, arrived, 10)
		}},
		{"two at once", func(sys *system, s *street, name string) {
			mixed := []answers{
				{"127.0.0.1", "127.0.0.2"}, {"127.0.0.2", "127.0.0.1"}, {"::1", "127.0.0.2"}, {"127.0.0.3", "127.0.0.1", "127.0.0.2", "::1"},
			}
			w := sys.createWebhook("http://"+name+":"+s.port, `"retry":{"mode":"never"}`)
			for _, both := range mixed {
				wire.set(name, both)
				sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "delivered")
			}
			require.Equal(sys.t, []string{"", "", "", ""}, sys.reasons(w.ID))
			require.Len(sys.t, s.all(), len(mixed))
		}},
		{"for a test send", func(sys *system, s *street, name string) {
			wire.set(name, answers{"127.0.0.1"})
			w := sys.createWebhook("http://" + name + ":" + s.port)
			code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/test", `{"event":"order.paid"}`)
			require.Equal(sys.t, http.StatusAccepted, code, a.raw)
			sys.await("the attempt on record", 20*time.Second, func() bool { return len(sys.history(w.ID)) == 1 })
			require.Equal(sys.t, []string{"forbidden_address"}, sys.reasons(w.ID))
			require.Empty(sys.t, s.all())
		}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, nil)
			tt.run(sys.as(t, fmt.Sprintf("flip-%d", i)), s, fmt.Sprintf("flip-%d.test", i))
			s.silent(t)
		})
	}
}

// TestProxiesOfTheEnvironmentAreIgnored names a canary as the proxy for
// everything. A receiver on loopback would be excepted, so this one has a name.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	t.Parallel()
	trap, wire, s := newCanary(t, ""), newNames(t), newStreet(t, nil)
	wire.set("proxied.test", answers{"127.0.0.2"})
	sys := install(t, settings{env: []string{"POSTHASTE_ALLOW_NETWORKS=127.0.0.2/32", "POSTHASTE_DNS_SERVER=" + wire.address}})
	var env []string
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		env = append(env, name+"=http://"+trap.address, strings.ToLower(name)+"=http://"+trap.address)
	}
	sys.start("all", append(env, "NO_PROXY=", "no_proxy=")...).awaitReady()
	plain := sys.createWebhook("http://proxied.test:"+s.port, `"retry":{"mode":"never"}`)
	secure := sys.createWebhook("https://proxied.test:"+s.port, `"retry":{"mode":"never"}`)
	sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "delivered", "failed")
	require.Equal(t, []string{""}, sys.reasons(plain.ID))
	require.Equal(t, []string{"tls_error"}, sys.reasons(secure.ID), "it came to the receiver itself, which speaks no TLS")
	trap.silent(t)
	s.silent(t)
}
