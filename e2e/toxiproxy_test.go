package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// proxy lies between two parts and can be made to misbehave. It runs in the test
// process.
type proxy struct {
	t       *testing.T
	address string // host:port to connect to instead of the upstream
	*toxiproxy.Proxy
}

// proxied starts a proxy in front of host:port. It is gone when the test ends.
func proxied(t *testing.T, upstream string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{t: t, Proxy: toxiproxy.NewProxy(server, t.Name(), fmt.Sprintf("127.0.0.1:%d", freePort()), upstream)}
	require.NoError(t, p.Start())
	p.address = p.Listen
	t.Cleanup(p.Stop)
	return p
}

// proxiedURL is proxied for what has a URL, such as a database or a receiver. It
// returns the URL that leads through the proxy.
func proxiedURL(t *testing.T, upstream string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(upstream)
	require.NoError(t, err)
	p := proxied(t, u.Host)
	u.Host = p.address
	return p, u.String()
}

// cut closes every connection and refuses new ones, as a server that is down.
func (p *proxy) cut() { p.Stop() }

// heal takes connections again, and undoes whatever else was done.
func (p *proxy) heal() {
	p.t.Helper()
	p.Toxics.ResetToxics(p.t.Context())
	if !p.Enabled {
		require.NoError(p.t, p.Start())
	}
}

// blackhole lets connections stay and be made, and carries nothing any more in
// either direction, as a network that drops packets. What is sent meanwhile is
// lost; heal closes the connections.
func (p *proxy) blackhole() {
	p.t.Helper()
	p.both("timeout", map[string]any{"timeout": 0})
}

// slow delays what the upstream answers by latency, give or take jitter.
func (p *proxy) slow(latency, jitter time.Duration) {
	p.t.Helper()
	p.add("latency", "downstream", map[string]any{"latency": latency.Milliseconds(), "jitter": jitter.Milliseconds()})
}

// resetPeer resets each connection (RST) when something next comes from the
// upstream: what was asked for has happened, and nobody learns of it.
func (p *proxy) resetPeer() {
	p.t.Helper()
	p.add("reset_peer", "downstream", map[string]any{"timeout": 0})
}

// limit closes each connection after so many bytes from the upstream.
func (p *proxy) limit(bytes int) {
	p.t.Helper()
	p.add("limit_data", "downstream", map[string]any{"bytes": bytes})
}

func (p *proxy) both(kind string, attributes map[string]any) {
	p.t.Helper()
	p.add(kind, "upstream", attributes)
	p.add(kind, "downstream", attributes)
}

// add poisons connections, those that exist too. Several poisons add up; heal
// takes all away.
func (p *proxy) add(kind, stream string, attributes map[string]any) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	require.NoError(p.t, err)
	_, err = p.Toxics.AddToxicJson(strings.NewReader(string(text)))
	require.NoError(p.t, err)
}
