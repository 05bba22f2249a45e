package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProxiesHarm holds that what the tests of outages do to a line is what they
// say. Those tests hold the rest of their harness themselves.
func TestProxiesHarm(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	way, url := proxiedURL(t, rec.URL)
	get := func() error {
		response, err := (&http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	require.NoError(t, get())
	for name, harm := range map[string]func(){
		"cut": way.cut, "black hole": way.blackhole, "reset": way.resetPeer, "limited": func() { way.limit(5) },
		"slow": func() { way.slow(2*time.Second, 0) },
	} {
		harm()
		require.Error(t, get(), name)
		way.heal()
		require.NoError(t, get(), name)
	}
}
