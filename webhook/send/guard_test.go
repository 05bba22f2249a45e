package send

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"posthaste/webhook"
)

// forbidden lists addresses that are never dialled, each for its own reason.
var forbidden = strings.Fields(`
	127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.255 0.0.0.0 0.1.2.3
	10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255
	100.64.0.1 100.100.100.200 100.127.255.255
	169.254.169.254 169.254.170.2 169.254.0.1 168.63.129.16
	192.0.0.1 192.0.0.192 192.0.2.1 198.51.100.1 203.0.113.1
	198.18.0.1 198.19.255.255 192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1
	224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
	:: ::1 ::2 ::127.0.0.1 ::7f00:1
	::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:168.63.129.16
	::ffff:0:127.0.0.1 ::ffff:0:0:a9fe:a9fe
	64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::8.8.8.8 64:ff9b:1::1
	100::1 100:0:0:1::1 2001::1 2001:0:7f00:1::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2001:1ff::1
	2002:7f00:1::1 2002:a9fe:a9fe::1 2002:a00:1:: 2620:4f:8000::1 3fff::1 5f00::1
	fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::1%lo febf::1 fec0::1 ff02::1 ff0e::1
	2606:4700:4700::1111%lo`)

// public lists addresses that are fine, next to the forbidden ones.
var public = strings.Fields(`
	1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
	168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0
	198.17.255.255 198.20.0.0 223.255.255.255 ::ffff:8.8.8.8
	2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2a00:1450:4001::1`)

func TestForbidden(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(forbidden), 60)
	for _, literal := range forbidden {
		require.True(t, Forbidden(netip.MustParseAddr(literal), nil), literal)
	}
	for _, literal := range public {
		require.False(t, Forbidden(netip.MustParseAddr(literal), nil), literal)
	}
	require.True(t, Forbidden(netip.Addr{}, nil), "what is no address is forbidden")

	allow := []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("::ffff:192.168.7.0/120"),
	}
	for literal, want := range map[string]bool{
		"10.1.2.3": false, "::ffff:10.1.2.3": false, "10.2.0.1": true, "fd12::1": false, "fc00::1": true,
		"192.168.7.9": false, "192.168.8.1": true, "8.8.8.8": false,
	} {
		require.Equal(t, want, Forbidden(netip.MustParseAddr(literal), allow), literal)
	}
}

func TestForbiddenAddressesAreNotDialled(t *testing.T) {
	t.Parallel()
	s, w := witnessed(t, failing(dnsmessage.RCodeNameError))
	for _, literal := range forbidden {
		host := strings.ReplaceAll(literal, "%", "%25")
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		for _, scheme := range []string{"http", "https"} {
			got := s.Send(t.Context(), post(scheme+"://"+host+":9/"))
			require.Equal(t, webhook.Rejected, got.Outcome.Kind, "%s: %s", literal, got.Outcome.Detail)
			require.Equal(t, webhook.ReasonForbiddenAddress, got.Outcome.Reason, literal)
			require.Empty(t, w.dialled(), literal)
		}
	}
}

// TestDisguisedHosts gives names that some resolvers read as addresses. Here the
// name server does so; what counts is where they lead.
func TestDisguisedHosts(t *testing.T) {
	t.Parallel()
	trap := newCanary(t, "127.0.0.1:0")
	_, port, err := net.SplitHostPort(trap.address)
	require.NoError(t, err)
	s := newSender(t, func(o *Options) {
		o.AllowNetworks = nil
		o.Resolver = pointingAt("127.0.0.1").resolver(t)
	})
	for _, host := range strings.Fields(`2130706433 017700000001 0x7f000001 0x7f.1 127.1 0177.0.0.1 127.0.0.1.nip.io LOCALHOST
		localhost localtest.me 127。0。0。1 metadata.google.internal`) {
		got := s.Send(t.Context(), post(fmt.Sprintf("http://%s:%s/", host, port)))
		want := webhook.ReasonForbiddenAddress
		if numeric(host) {
			want = webhook.ReasonDNSNotFound // no name, says Go's resolver, and asks nobody
		}
		require.Equal(t, want, got.Outcome.Reason, "%s: %s", host, got.Outcome.Detail)
	}
	require.Zero(t, trap.seen.Load())
}

func numeric(host string) bool { return strings.Trim(host, "0123456789.") == "" }

// TestRebinding lets a name point at an allowed address first and at a forbidden
// one at the next lookup. 127.0.0.2 plays the public address.
func TestRebinding(t *testing.T) {
	t.Parallel()
	var lookups atomic.Int32
	server := nameServer(func(_ string, ipv6 bool) ([]netip.Addr, dnsmessage.RCode) {
		switch {
		case ipv6:
			return nil, dnsmessage.RCodeSuccess
		case lookups.Add(1) == 1:
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, dnsmessage.RCodeSuccess
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, dnsmessage.RCodeSuccess
	})
	receiver, trap := samePort(t)
	s := onlySecond(t, server)
	url := "http://receiver.test:" + receiver
	require.Equal(t, webhook.Delivered, s.Send(t.Context(), post(url)).Outcome.Kind)
	require.Equal(t, webhook.Delivered, s.Send(t.Context(), post(url)).Outcome.Kind, "a kept connection leads where it led")
	require.EqualValues(t, 1, lookups.Load())
	s.Close()
	for range 3 {
		got := s.Send(t.Context(), post(url))
		require.Equal(t, webhook.Rejected, got.Outcome.Kind)
		require.Equal(t, webhook.ReasonForbiddenAddress, got.Outcome.Reason)
	}
	require.Zero(t, trap.seen.Load())
}

func TestMixedAddresses(t *testing.T) {
	t.Parallel()
	receiver, trap := samePort(t)
	s := onlySecond(t, pointingAt("127.0.0.1", "169.254.169.254", "127.0.0.2"))
	got := s.Send(t.Context(), post("http://receiver.test:"+receiver))
	require.Equal(t, webhook.Delivered, got.Outcome.Kind, got.Outcome.Detail)
	require.Zero(t, trap.seen.Load())
}

// samePort starts a receiver on 127.0.0.2 and a canary on the same port of
// 127.0.0.1, and returns the port.
func samePort(t *testing.T) (string, *canary) {
	t.Helper()
	trap := newCanary(t, "127.0.0.1:0")
	_, port, err := net.SplitHostPort(trap.address)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.2:"+port)
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ErrorLog: quiet()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return port, trap
}

// onlySecond may dial 127.0.0.2 and nothing else of this machine.
func onlySecond(t *testing.T, names nameServer) *Sender {
	t.Helper()
	return newSender(t, func(o *Options) {
		o.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		o.Resolver = names.resolver(t)
	})
}

// child runs one test again in a process of its own, with more environment.
func child(t *testing.T, env ...string) (isChild bool) {
	t.Helper()
	const mark = "POSTHASTE_TEST_CHILD"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), append(env, mark+"="+t.Name())...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return false
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	t.Parallel()
	trap := newCanary(t, "127.0.0.1:0")
	proxy := "http://" + trap.address
	if !child(t, "HTTP_PROXY="+proxy, "http_proxy="+proxy, "HTTPS_PROXY="+proxy, "ALL_PROXY="+proxy, "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=") {
		require.Zero(t, trap.seen.Load())
		return
	}
	server := ok(t)
	url := strings.Replace(server.URL, "127.0.0.1", "receiver.test", 1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	require.NoError(t, err)
	used, err := http.ProxyFromEnvironment(request)
	require.NoError(t, err)
	require.NotNil(t, used, "the environment must name a proxy, or this test proves nothing")

	s := newSender(t, func(o *Options) { o.Resolver = pointingAt("127.0.0.1").resolver(t) })
	require.Equal(t, webhook.Delivered, s.Send(t.Context(), post(url)).Outcome.Kind)
}

func TestOutOfSockets(t *testing.T) {
	t.Parallel()
	if !child(t) {
		return
	}
	url := ok(t).URL
	s := newSender(t)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: limit.Max}))
	var files []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, file)
	}
	got := s.Send(t.Context(), post(url))
	for _, file := range files {
		require.NoError(t, file.Close())
	}
	require.True(t, got.Interrupted, got.Outcome.Detail)
	require.Equal(t, "this machine could not open a connection: too many open files", got.Outcome.Detail)
	require.Equal(t, webhook.Delivered, s.Send(t.Context(), post(url)).Outcome.Kind)
}
