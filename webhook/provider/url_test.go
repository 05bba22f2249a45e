package provider_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// badURLs are refused by every profile, whatever the installation allows.
var badURLs = []string{
	"",
	" ",
	"example.com",
	"example.com/hooks",
	"//example.com/hooks",
	"/hooks",
	"https:",
	"https:/example.com",
	"https://",
	"https:///hooks",
	"https:example.com",
	"://example.com",
	"ftp://example.com/",
	"ws://example.com/",
	"file:///etc/passwd",
	"javascript:alert(1)//://",
	"gopher://example.com:70/_",
	"https://user@example.com/",
	"https://user:word@example.com/",
	"https://@example.com/",
	"https://example.com@evil.example/",
	"https://example.com/#fragment",
	"https://example.com/#",
	"https://example.com#@evil.example/",
	"https://example.com:0/",
	"https://example.com:65536/",
	"https://example.com:99999999999999999999/",
	"https://example.com:-1/",
	"https://example.com:0443/",
	"https://example.com:https/",
	"https://example.com:/",
	"https://exa mple.com/",
	"https://example.com/a b",
	"https://example.com/a\nb",
	"https://example.com/\r\nHost: evil.example",
	"https://example.com/?q=a b",
	"https://example.com/?q=ü",
	"https://example.com/ü",
	"https://example.com/\x00",
	"https://example.com/\x7f",
	"https://example.com/%zz",
	"https://example.com\\@evil.example/",
	"https:\\\\example.com\\",
	"https://example.com/\\evil",
	"https://%65xample.com/",
	"https://127.0.0.1%00.example.com/",
	"https://2130706433/",
	"https://0x7f000001/",
	"https://0x7f.1/",
	"https://0177.0.0.1/",
	"https://127.1/",
	"https://127.0.1/",
	"https://1.2.3.4.5/",
	"https://256.1.1.1/",
	"https://１２７.0.0.1/",
	"https://①②⑦.0.0.1/",
	"https://127。0。0。1/",
	"https://0x/",
	"https://example.0x7f/",
	"https://example.123/",
	"https://[::1/",
	"https://::1/",
	"https://[::1]extra/",
	"https://[fe80::1%25eth0]/",
	"https://[127.0.0.1]/",
	"https://[example.com]/",
	"https://.example.com/",
	"https://example..com/",
	"https://-example.com/",
	"https://example-.com/",
	"https://exa$mple.com/",
	"https://exa,mple.com/",
	"https://*.example.com/",
	"https://" + strings.Repeat("a", 64) + ".com/",
	"https://" + strings.Repeat("a.", 127) + "com/",
	"https://example.com/" + strings.Repeat("a", 2048),
	"https://xn--a/",
	"https://\u200b.com/",
}

// privateURLs are well-formed but lead where webhooks must not go.
var privateURLs = []string{
	"https://localhost/",
	"https://LOCALHOST:8443/",
	"https://localhost./",
	"https://a.localhost/",
	"https://127.0.0.1/",
	"https://127.255.255.254/",
	"https://0.0.0.0/",
	"https://10.1.2.3/",
	"https://172.16.0.1/",
	"https://192.168.1.1:8080/",
	"https://169.254.169.254/latest/meta-data/",
	"https://168.63.129.16/",
	"https://100.64.0.1/",
	"https://100.100.100.200/",
	"https://192.0.2.1/",
	"https://198.18.0.1/",
	"https://203.0.113.9/",
	"https://224.0.0.1/",
	"https://255.255.255.255/",
	"https://[::1]/",
	"https://[::]/",
	"https://[::ffff:127.0.0.1]/",
	"https://[::ffff:7f00:1]/",
	"https://[64:ff9b::7f00:1]/",
	"https://[fc00::1]/",
	"https://[fd00:ec2::254]/",
	"https://[fe80::1]/",
	"https://[ff02::1]/",
	"https://[2002:7f00:1::]/",
	"https://[2001:db8::1]/",
	"https://metadata.google.internal/",
}

var goodURLs = []string{
	"https://example.com",
	"https://example.com/",
	"HTTPS://EXAMPLE.COM/Hooks",
	"https://example.com:8443/hooks?team=blue&x=%20",
	"https://example.com?x=1",
	"https://example.com./hooks",
	"https://sub_domain.example.com/",
	"https://1password.example/",
	"https://7.example.co.uk/",
	"https://münchen.example/",
	"https://xn--mnchen-3ya.example/",
	"https://例え.テスト/",
	"https://8.8.8.8/",
	"https://8.8.8.8:65535/",
	"https://[2606:4700:4700::1111]/",
	"https://receiver/hooks",
	"https://example.com/a;b=c,d/(e)!~*'",
	"https://example.com/" + strings.Repeat("a", 2000),
}

func TestURLs(t *testing.T) {
	t.Parallel()
	everything := provider.URLRules{AllowHTTP: true, AllowNetworks: []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"),
	}}
	standard := profile(t, load(t, ""), "standard")
	fault := func(raw string, rules provider.URLRules) string {
		s := webhook.Subscription{URL: raw, Events: []string{"*"}}
		return standard.CheckSubscription(&s, rules)["url"]
	}
	for _, raw := range badURLs {
		require.NotEmpty(t, fault(raw, provider.URLRules{}), "%q", raw)
		require.NotEmpty(t, fault(raw, everything), "%q with everything allowed", raw)
	}
	for _, raw := range privateURLs {
		require.Contains(t, fault(raw, provider.URLRules{}), "private network", "%q", raw)
		require.Empty(t, fault(raw, everything), "%q with everything allowed", raw)
	}
	for _, raw := range goodURLs {
		require.Empty(t, fault(raw, provider.URLRules{}), "%q", raw)
		_, err := http.NewRequest(http.MethodPost, raw, nil)
		require.NoError(t, err)
	}
}

func TestURLRules(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	mapped := []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}
	registry := load(t, "testdata/operator")
	for _, test := range []struct {
		give  string
		by    string
		rules provider.URLRules
		want  string
	}{
		{"http://example.com/", "standard", provider.URLRules{}, "must use https"},
		{"http://example.com/", "standard", provider.URLRules{AllowHTTP: true}, ""},
		{"http://example.com/", "legacy", provider.URLRules{}, ""},
		{"http://127.0.0.1:8090/", "standard", provider.URLRules{AllowHTTP: true}, "must not point to this machine or a private network"},
		{"http://127.0.0.1:8090/", "standard", provider.URLRules{AllowHTTP: true, AllowNetworks: loopback}, ""},
		{"http://localhost:8090/", "standard", provider.URLRules{AllowHTTP: true, AllowNetworks: loopback}, ""},
		{"https://10.0.0.1/", "standard", provider.URLRules{AllowNetworks: loopback}, "must not point to this machine or a private network"},
		{"https://10.0.0.1/", "standard", provider.URLRules{AllowNetworks: mapped}, ""},
		{"https://example.com:8443/", "legacy", provider.URLRules{}, "must use port 443 with https"},
		{"https://example.com:8443/", "legacy", provider.URLRules{AllowHTTP: true}, ""},
		{"https://example.com:443/", "legacy", provider.URLRules{}, ""},
		{"http://example.com:8080/", "legacy", provider.URLRules{}, ""},
		{"https://example.com:8443/", "acme", provider.URLRules{}, ""},
		{"https://example.com:9443/", "acme", provider.URLRules{}, "must use port 443 with https"},
	} {
		s := webhook.Subscription{URL: test.give}
		require.Equal(t, test.want, profile(t, registry, test.by).CheckSubscription(&s, test.rules)["url"], "%+v", test)
	}
}

// FuzzURL: whatever is accepted can be requested, holds no credentials, and
// does not name an address outside the public Internet.
func FuzzURL(f *testing.F) {
	for _, list := range [][]string{badURLs, privateURLs, goodURLs} {
		for _, raw := range list {
			f.Add(raw)
		}
	}
	standard := profile(f, load(f, ""), "standard")
	public := ssrf.New()
	f.Fuzz(func(t *testing.T, raw string) {
		s := webhook.Subscription{URL: raw, Events: []string{"*"}}
		if standard.CheckSubscription(&s, provider.URLRules{})["url"] != "" {
			return
		}
		require.Equal(t, raw, s.URL)
		request, err := http.NewRequest(http.MethodPost, raw, nil)
		require.NoError(t, err)
		require.Equal(t, "https", request.URL.Scheme)
		require.Nil(t, request.URL.User)
		require.Empty(t, request.URL.Fragment)
		require.NotEmpty(t, request.URL.Hostname())
		if addr, err := netip.ParseAddr(request.URL.Hostname()); err == nil {
			require.NoError(t, public.SafeAddr(addr.Unmap()))
		}
		for _, c := range request.URL.RequestURI() {
			require.True(t, c > ' ' && c < 0x7f, "%q", raw)
		}
	})
}
