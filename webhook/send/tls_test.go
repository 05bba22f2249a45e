package send

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// authority signs certificates for tests and is trusted through its pool.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{}
	a.cert, a.key = a.sign(tb, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// trusted makes a Sender trust the authority.
func (a *authority) trusted(o *Options) {
	o.RootCAs = x509.NewCertPool()
	o.RootCAs.AddCert(a.cert)
}

// leaf returns a certificate of the authority for 127.0.0.1, with changes.
func (a *authority) leaf(tb testing.TB, change func(*x509.Certificate)) tls.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	cert, key := a.sign(tb, template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) sign(tb testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	template.SerialNumber = big.NewInt(1)
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(tb, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(tb, err)
	return cert, key
}

// serveTLS starts a receiver over TLS with the settings and returns its URL.
func serveTLS(tb testing.TB, config *tls.Config, http2 bool, serve http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewUnstartedServer(serve)
	server.TLS, server.EnableHTTP2 = config, http2
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	tb.Cleanup(server.Close)
	return server.URL
}

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

func otherHost(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.test"} }

func clientOnly(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

func TestTLSMatrix(t *testing.T) {
	t.Parallel()
	good, stranger := newAuthority(t), newAuthority(t)
	tests := []struct {
		name       string
		give       *tls.Config
		wantReason webhook.Reason
		wantDetail string
	}{
		{name: "good", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, nil)}}, wantDetail: "200 OK from 127.0.0.1"},
		{name: "expired", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, expired)}},
			wantReason: webhook.ReasonTLS, wantDetail: "has expired"},
		{name: "wrong host", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, otherHost)}},
			wantReason: webhook.ReasonTLS, wantDetail: "is for another host"},
		{name: "self-signed", give: &tls.Config{Certificates: []tls.Certificate{(&authority{}).leaf(t, nil)}},
			wantReason: webhook.ReasonTLS, wantDetail: "unknown authority"},
		{name: "stranger's", give: &tls.Config{Certificates: []tls.Certificate{stranger.leaf(t, nil)}},
			wantReason: webhook.ReasonTLS, wantDetail: "unknown authority"},
		{name: "for clients only", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, clientOnly)}},
			wantReason: webhook.ReasonTLS, wantDetail: "is not valid"},
		{name: "TLS 1.0 and 1.1", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, nil)},
			MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			wantReason: webhook.ReasonTLS, wantDetail: "refused the TLS connection"},
		{name: "TLS 1.2", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, nil)}, MaxVersion: tls.VersionTLS12},
			wantDetail: "200 OK from 127.0.0.1"},
		{name: "client certificate wanted, TLS 1.2", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, nil)},
			ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12},
			wantReason: webhook.ReasonTLS, wantDetail: "refused the TLS connection"},
		{name: "client certificate wanted, TLS 1.3", give: &tls.Config{Certificates: []tls.Certificate{good.leaf(t, nil)},
			ClientAuth: tls.RequireAnyClientCert},
			wantReason: webhook.ReasonTLS, wantDetail: "refused the TLS connection"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			served := make(chan string, 1)
			url := serveTLS(t, test.give, false, func(_ http.ResponseWriter, r *http.Request) { served <- r.Method })
			got := newSender(t, good.trusted).Send(t.Context(), post(url)).Outcome
			require.Equal(t, test.wantReason, got.Reason, got.Detail)
			require.Contains(t, got.Detail, test.wantDetail)
			if test.wantReason == webhook.ReasonNone {
				require.Equal(t, http.MethodPost, <-served)
				return
			}
			require.Equal(t, webhook.Retry, got.Kind)
			require.Empty(t, served, "nothing may be sent to a receiver that is not verified")
		})
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	protocols := make(chan string, 2)
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}, true,
		func(w http.ResponseWriter, r *http.Request) {
			protocols <- r.Proto + " " + r.Header.Get("aktify-signature") + " " + r.UserAgent()
			for range 3 * MaxResponseBody / 1024 {
				_, _ = w.Write(make([]byte, 1024))
			}
		})
	s := newSender(t, ca.trusted)
	request := post(url)
	request.Header = []Header{{"aktify-signature", "v1=x"}, {"User-Agent", "Posthaste"}}
	for range 2 {
		got := s.Send(t.Context(), request)
		require.Equal(t, webhook.Delivered, got.Outcome.Kind, got.Outcome.Detail)
		require.True(t, got.ResponseTruncated)
		require.Len(t, got.ResponseBody, MaxResponseBody)
		require.Equal(t, "HTTP/2.0 v1=x Posthaste", <-protocols)
	}
}
