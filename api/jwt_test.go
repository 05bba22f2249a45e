package api

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"posthaste/errs"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

const testSecret = "a-secret-of-tests-that-is-long-enough"

// testNow is the moment at which every test of this package takes place.
var testNow = time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)

func clock() time.Time { return testNow }

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	require.NoError(t, err)
	return token
}

func goodClaims() jwt.MapClaims {
	return jwt.MapClaims{"tenant": "acme", "exp": testNow.Add(time.Hour).Unix()}
}

// with returns the good claims with one changed; nil takes it away.
func with(name string, value any) jwt.MapClaims {
	claims := goodClaims()
	claims[name] = value
	if value == nil {
		delete(claims, name)
	}
	return claims
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func TestJWTRefuses(t *testing.T) {
	t.Parallel()
	hs := func(claims jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, []byte(testSecret), claims) }
	good := hs(goodClaims())
	parts := strings.Split(good, ".")
	tests := []struct {
		name  string
		token string
	}{
		{"no token at all", "x"},
		{"unsigned", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, goodClaims())},
		{"signature cut off", parts[0] + "." + parts[1] + "."},
		{"signature of another secret", sign(t, jwt.SigningMethodHS256, []byte("another"), goodClaims())},
		{"algorithm not on the list", sign(t, jwt.SigningMethodHS512, []byte(testSecret), goodClaims())},
		{"claims of another token", parts[0] + "." + strings.Split(hs(with("tenant", "victim")), ".")[1] + "." + parts[2]},
		{"loose base64", parts[0] + "." + parts[1] + "=." + parts[2]},
		{"expired", hs(with("exp", testNow.Add(-time.Minute).Unix()))},
		{"never expires", hs(with("exp", nil))},
		{"expiry is no number", hs(with("exp", "tomorrow"))},
		{"not valid yet", hs(with("nbf", testNow.Add(time.Hour).Unix()))},
		{"no tenant", hs(with("tenant", nil))},
		{"tenant of another type", hs(with("tenant", []string{"acme"}))},
		{"tenant that is a path", hs(with("tenant", "acme/../victim"))},
		{"tenant with a line break", hs(with("tenant", "acme\n"))},
		{"tenant too long", hs(with("tenant", strings.Repeat("a", 65)))},
		{"oversized", hs(with("junk", strings.Repeat("a", maxTokenBytes)))},
		{"a million dots", strings.Repeat(".", 1_000_000)},
	}
	authenticator := newJWTAuthenticator(TokenRules{Secret: testSecret}, nil, clock)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, found, err := authenticator.authenticate(t.Context(), bearer(tt.token))
			require.True(t, found)
			require.True(t, errs.Is(err, errs.Unauthorized), "%v", err)
			require.NotContains(t, coerce(err).Message, "victim")
		})
	}
}

func TestJWTAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		header http.Header
		want   principal
	}{
		{"tenant", bearer(sign(t, jwt.SigningMethodHS256, []byte(testSecret), goodClaims())), principal{Tenant: "acme"}},
		{"admin", bearer(sign(t, jwt.SigningMethodHS256, []byte(testSecret), with("scope", "read admin"))), principal{Tenant: "acme", Admin: true}},
		{"another scope", bearer(sign(t, jwt.SigningMethodHS256, []byte(testSecret), with("scope", "administrator"))), principal{Tenant: "acme"}},
		{"scheme in lower case", http.Header{"Authorization": {"bearer " + sign(t, jwt.SigningMethodHS256, []byte(testSecret), goodClaims())}}, principal{Tenant: "acme"}},
		{"clock a little off", bearer(sign(t, jwt.SigningMethodHS256, []byte(testSecret), with("exp", testNow.Add(-tokenLeeway/2).Unix()))), principal{Tenant: "acme"}},
	}
	authenticator := newJWTAuthenticator(TokenRules{Secret: testSecret}, nil, clock)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			who, found, err := authenticator.authenticate(t.Context(), tt.header)
			require.NoError(t, err)
			require.True(t, found)
			require.WithinDuration(t, testNow, who.ExpiresAt, time.Hour)
			tt.want.ExpiresAt = who.ExpiresAt
			require.Equal(t, tt.want, who)
		})
	}
}

func TestJWTHeaderForms(t *testing.T) {
	t.Parallel()
	authenticator := newJWTAuthenticator(TokenRules{Secret: testSecret}, nil, clock)
	_, found, err := authenticator.authenticate(t.Context(), http.Header{})
	require.NoError(t, err)
	require.False(t, found, "no header is no credential of this kind")
	for _, header := range []http.Header{
		{"Authorization": {"Basic YTpi"}}, {"Authorization": {"Bearer"}}, {"Authorization": {""}},
		{"Authorization": {"Bearer a", "Bearer b"}},
	} {
		_, _, err := authenticator.authenticate(t.Context(), header)
		require.True(t, errs.Is(err, errs.Unauthorized), "%v", header)
	}
}

// keySet serves a JWKS with one key of each accepted kind, and counts reads.
type keySet struct {
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	ed    ed25519.PrivateKey
	reads atomic.Int32
	url   string
}

func newKeySet(t *testing.T) *keySet {
	t.Helper()
	var err error
	set := &keySet{}
	set.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	var public ed25519.PublicKey
	public, set.ed, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := set.ec.PublicKey.Bytes()
	require.NoError(t, err)
	document, err := json.Marshal(map[string]any{"keys": []map[string]string{
		{"kty": "RSA", "kid": "rsa", "use": "sig", "n": b64(set.rsa.N.Bytes()), "e": b64(big.NewInt(int64(set.rsa.E)).Bytes())},
		{"kty": "EC", "kid": "ec", "use": "sig", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "OKP", "kid": "ed", "use": "sig", "crv": "Ed25519", "x": b64(public)},
		{"kty": "oct", "kid": "oct", "k": b64([]byte("a symmetric key that was published"))},
	}})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		set.reads.Add(1)
		_, _ = w.Write(document)
	}))
	t.Cleanup(server.Close)
	set.url = server.URL
	return set
}

func signWith(t *testing.T, method jwt.SigningMethod, kid string, key any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, goodClaims())
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	set := newKeySet(t)
	keys, err := OpenKeySet(t.Context(), set.url)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&set.rsa.PublicKey)
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)

	tests := []struct {
		name   string
		secret string
		token  string
		ok     bool
	}{
		{"RS256", "", signWith(t, jwt.SigningMethodRS256, "rsa", set.rsa), true},
		{"ES256", "", signWith(t, jwt.SigningMethodES256, "ec", set.ec), true},
		{"EdDSA", "", signWith(t, jwt.SigningMethodEdDSA, "ed", set.ed), true},
		{"HS256 beside a key set", testSecret, signWith(t, jwt.SigningMethodHS256, "any", []byte(testSecret)), true},
		{"HS256 without a secret", "", signWith(t, jwt.SigningMethodHS256, "rsa", []byte(testSecret)), false},
		{"public key as HMAC secret", testSecret, signWith(t, jwt.SigningMethodHS256, "rsa", publicPEM), false},
		{"published symmetric key", testSecret, signWith(t, jwt.SigningMethodHS256, "oct", []byte("a symmetric key that was published")), false},
		{"another key under a known id", "", signWith(t, jwt.SigningMethodRS256, "rsa", stranger), false},
		{"key of another kind", "", signWith(t, jwt.SigningMethodRS256, "ec", stranger), false},
		{"unknown key id", "", signWith(t, jwt.SigningMethodRS256, "../../etc/passwd", stranger), false},
		{"algorithm not on the list", "", signWith(t, jwt.SigningMethodPS256, "rsa", set.rsa), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			who, _, err := newJWTAuthenticator(TokenRules{Secret: tt.secret}, keys, clock).authenticate(t.Context(), bearer(tt.token))
			if tt.ok {
				require.NoError(t, err)
				require.Equal(t, "acme", who.Tenant)
				return
			}
			require.True(t, errs.Is(err, errs.Unauthorized), "%v", err)
		})
	}
}

func TestKeySetIsNotReadForEveryUnknownKey(t *testing.T) {
	t.Parallel()
	set := newKeySet(t)
	keys, err := OpenKeySet(t.Context(), set.url)
	require.NoError(t, err)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	authenticator := newJWTAuthenticator(TokenRules{}, keys, clock)
	started := time.Now()
	for _, kid := range []string{"a", "b", "c", "d", "e"} {
		_, _, err := authenticator.authenticate(t.Context(), bearer(signWith(t, jwt.SigningMethodES256, kid, stranger)))
		require.True(t, errs.Is(err, errs.Unauthorized))
	}
	require.LessOrEqual(t, set.reads.Load(), int32(2), "the first read and one more")
	require.Less(t, time.Since(started), 5*time.Second, "nobody waits for the rate limit")
}

func TestKeySetThatCannotBeReadRefusesTokens(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	keys, err := OpenKeySet(t.Context(), server.URL)
	require.NoError(t, err, "the server may start before its identity provider")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, _, err = newJWTAuthenticator(TokenRules{}, keys, clock).authenticate(t.Context(), bearer(signWith(t, jwt.SigningMethodES256, "ec", key)))
	require.True(t, errs.Is(err, errs.Unauthorized), "%v", err)
	_, err = OpenKeySet(t.Context(), "::no address")
	require.True(t, errs.Is(err, errs.Invalid), "%v", err)
}

func TestMintToken(t *testing.T) {
	t.Parallel()
	token, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: "acme", Subject: "ann", Admin: true, TTL: time.Hour}, testNow)
	require.NoError(t, err)
	who, _, err := newJWTAuthenticator(TokenRules{Secret: testSecret}, nil, clock).authenticate(t.Context(), bearer(token))
	require.NoError(t, err)
	require.Equal(t, principal{Tenant: "acme", Admin: true, Subject: "ann", ExpiresAt: testNow.Add(time.Hour)}, who)

	for _, give := range []struct {
		secret string
		grant  Grant
	}{
		{"", Grant{Tenant: "acme", TTL: time.Hour}},
		{testSecret, Grant{TTL: time.Hour}},
		{testSecret, Grant{Tenant: "a b", TTL: time.Hour}},
		{testSecret, Grant{Tenant: "acme"}},
		{testSecret, Grant{Tenant: "acme", TTL: time.Hour, Subject: strings.Repeat("x", 256)}},
	} {
		_, err := MintToken(TokenRules{Secret: give.secret}, give.grant, testNow)
		require.True(t, errs.Is(err, errs.Invalid), "%+v", give)
	}
}
