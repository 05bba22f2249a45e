package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// identityProvider is who signs tokens: a server with a JWKS of one RSA key.
type identityProvider struct {
	*httptest.Server
	key   *rsa.PrivateKey
	reads atomic.Int32
}

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	document, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
	}}})
	require.NoError(t, err)
	p := &identityProvider{key: key}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.reads.Add(1)
		_, _ = w.Write(document)
	}))
	t.Cleanup(p.Close)
	return p
}

// tokenOf signs the claims under a key id.
func tokenOf(t *testing.T, method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

// TestTokensAgainstARunningServer tries forged tokens on a real process with a
// real key set; api has the long table of them.
func TestTokensAgainstARunningServer(t *testing.T) {
	t.Parallel()
	login := newIdentityProvider(t)
	sys := install(t, settings{env: []string{
		"POSTHASTE_JWKS_URL=" + login.URL, "POSTHASTE_JWT_AUDIENCE=hooks.example", "POSTHASTE_JWT_ISSUER=https://login.example",
	}})
	process := sys.start("all").awaitReady()
	good := func(changes ...any) jwt.MapClaims {
		claims := jwt.MapClaims{
			"tenant": "acme", "aud": []string{"hooks.example"}, "iss": "https://login.example", "exp": time.Now().Add(time.Hour).Unix(), "note": "c4n4ry",
		}
		for i := 0; i+1 < len(changes); i += 2 {
			claims[changes[i].(string)] = changes[i+1]
		}
		return claims
	}
	rs := func(claims jwt.MapClaims) string { return tokenOf(t, jwt.SigningMethodRS256, "one", login.key, claims) }
	public, err := x509.MarshalPKIXPublicKey(&login.key.PublicKey)
	require.NoError(t, err)
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)

	// Both kinds of tokens get in, ours with the claims that are asked for.
	for _, token := range []string{rs(good()), sys.token} {
		code, a := sys.callAs(token, "GET", "/api/webhooks", "")
		require.Equal(t, http.StatusOK, code, a.raw)
	}
	bare := run(t, append(sys.env, "POSTHASTE_JWT_AUDIENCE=", "POSTHASTE_JWT_ISSUER="), "token", "--tenant", "acme")
	forged := map[string]string{
		"none":                  tokenOf(t, jwt.SigningMethodNone, "one", jwt.UnsafeAllowNoneSignatureType, good()),
		"RS to HS":              tokenOf(t, jwt.SigningMethodHS256, "one", inPEM, good()),
		"another key":           tokenOf(t, jwt.SigningMethodRS256, "one", stranger, good()),
		"expired":               rs(good("exp", time.Now().Add(-time.Hour).Unix())),
		"not yet valid":         rs(good("nbf", time.Now().Add(time.Hour).Unix())),
		"wrong audience":        rs(good("aud", "other.example")),
		"wrong issuer":          rs(good("iss", "https://evil.example")),
		"tenant *":              rs(good("tenant", "*")),
		"tenant with a slash":   rs(good("tenant", "acme/x")),
		"tenant in other words": rs(good("tenant", "ａcme")),
		"ours without claims":   strings.TrimSpace(bare),
		"20 KB":                 rs(good("junk", strings.Repeat("x", 20_000))),
		"dots":                  strings.Repeat(".", 20_000),
	}
	for name, token := range forged {
		code, a := sys.callAs(token, "GET", "/api/webhooks", "")
		require.Equal(t, http.StatusUnauthorized, code, "%s: %s", name, a.raw)
		require.Equal(t, "UNAUTHORIZED", a.Code, name)
		require.NotContains(t, a.raw, "c4n4ry")
	}

	sys.floodOfUnknownKeys(rs(good()), good())
	require.LessOrEqual(t, login.reads.Load(), int32(2), "the first read and one more")

	// A key that was revoked is as good as none, at once.
	key := into[struct{ ID, Key string }](t, sys.must("POST", "/api/api-keys", `{"name":"CI"}`, http.StatusCreated))
	code, _ := sys.callAs("", "GET", "/api/webhooks", "", "X-API-Key", key.Key)
	require.Equal(t, http.StatusOK, code)
	sys.must("DELETE", "/api/api-keys/"+key.ID, "", http.StatusOK)
	code, _ = sys.callAs("", "GET", "/api/webhooks", "", "X-API-Key", key.Key)
	require.Equal(t, http.StatusUnauthorized, code)

	log, err := os.ReadFile(process.log)
	require.NoError(t, err)
	for _, secret := range []string{"c4n4ry", "eyJ", key.Key, "panic"} {
		require.NotContains(t, string(log), secret)
	}
}

// floodOfUnknownKeys sends a thousand tokens with key ids that nobody has, and
// valid ones beside them, which must not wait.
func (sys *system) floodOfUnknownKeys(valid string, claims jwt.MapClaims) {
	sys.t.Helper()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(sys.t, err)
	var unknown []string
	for i := range 1000 {
		unknown = append(unknown, tokenOf(sys.t, jwt.SigningMethodES256, fmt.Sprint("key-", i), curve, claims))
	}
	var group sync.WaitGroup
	var refused atomic.Int32
	for part := range 10 {
		group.Go(func() {
			for _, token := range unknown[100*part : 100*part+100] {
				request, err := http.NewRequest(http.MethodGet, sys.api+"/api/webhooks", nil)
				if err != nil {
					continue
				}
				request.Header.Set("Authorization", "Bearer "+token)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					continue
				}
				_ = response.Body.Close()
				if response.StatusCode == http.StatusUnauthorized {
					refused.Add(1)
				}
			}
		})
	}
	for range 50 {
		started := time.Now()
		code, a := sys.callAs(valid, "GET", "/api/webhooks", "")
		require.Equal(sys.t, http.StatusOK, code, a.raw)
		require.Less(sys.t, time.Since(started), patience, "a valid token does not wait for the key set")
	}
	group.Wait()
	require.EqualValues(sys.t, 1000, refused.Load())
}

// must makes a request whose status is known.
func (sys *system) must(method, path, body string, want int) answer {
	sys.t.Helper()
	code, a := sys.call(method, path, body)
	require.Equal(sys.t, want, code, "%s %s: %s", method, path, a.raw)
	return a
}
