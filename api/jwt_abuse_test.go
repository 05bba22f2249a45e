package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posthaste/models/modelstest"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

const (
	testAudience = "posthaste-of-tests"
	testIssuer   = "https://login.tests.example"
	// abuseCanary stands in every token of these tests, and nowhere else.
	abuseCanary = "c4n4ry-claim"
)

// fullClaims are claims that a server accepts which asks for everything.
func fullClaims() jwt.MapClaims {
	claims := with("aud", testAudience)
	claims["iss"], claims["note"] = testIssuer, abuseCanary
	return claims
}

func fullWith(name string, value any) jwt.MapClaims {
	claims := fullClaims()
	claims[name] = value
	if value == nil {
		delete(claims, name)
	}
	return claims
}

// forged is a token with any header at all, signed by hand with HMAC, or with
// nothing where the key is nil.
func forged(t *testing.T, header map[string]any, claims any, key []byte) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	head, err := json.Marshal(header)
	require.NoError(t, err)
	body, err := json.Marshal(claims)
	require.NoError(t, err)
	text := encode(head) + "." + encode(body)
	if key == nil {
		return text + "."
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// headed is a token of the claims whose header names more than it should.
func headed(t *testing.T, method jwt.SigningMethod, key any, extra map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, fullClaims())
	for name, value := range extra {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

type abuse struct{ name, token string }

// confusions are tokens that claim to be signed in another way than they are.
func confusions(t *testing.T, set *keySet) []abuse {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(&set.rsa.PublicKey)
	require.NoError(t, err)
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&set.rsa.PublicKey)})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	good := sign(t, jwt.SigningMethodHS256, []byte(testSecret), fullClaims())
	parts := strings.Split(good, ".")
	all := []abuse{
		{"wrong secret", sign(t, jwt.SigningMethodHS256, []byte("wrong"), fullClaims())},
		{"empty secret", sign(t, jwt.SigningMethodHS256, []byte{}, fullClaims())},
		{"HS512", sign(t, jwt.SigningMethodHS512, []byte(testSecret), fullClaims())},
		{"PS256", headed(t, jwt.SigningMethodPS256, set.rsa, map[string]any{"kid": "rsa"})},
		{"another RSA key under a known id", headed(t, jwt.SigningMethodRS256, stranger, map[string]any{"kid": "rsa"})},
		{"an EC key under an RSA id", headed(t, jwt.SigningMethodES256, curve, map[string]any{"kid": "rsa"})},
		{"no key id", headed(t, jwt.SigningMethodRS256, stranger, nil)},
		{"key id that is a path", headed(t, jwt.SigningMethodRS256, stranger, map[string]any{"kid": "../../../../dev/null"})},
		{"key id that is SQL", headed(t, jwt.SigningMethodRS256, stranger, map[string]any{"kid": "x' UNION SELECT 'k"})},
		{"key id of another type", headed(t, jwt.SigningMethodRS256, stranger, map[string]any{"kid": []string{"rsa"}})},
		{"empty key id", headed(t, jwt.SigningMethodRS256, stranger, map[string]any{"kid": ""})},
		{"critical extension", headed(t, jwt.SigningMethodRS256, stranger, map[string]any{"crit": []string{"x"}, "x": 1})},
		{"signature cut off", parts[0] + "." + parts[1] + "."},
		{"signature without its end", good[:len(good)-4]},
		{"signature of another token", parts[0] + "." + parts[1] + "." + strings.Split(sign(t, jwt.SigningMethodHS256, []byte(testSecret), goodClaims()), ".")[2]},
		{"four parts", good + ".x"},
		{"two parts", parts[0] + "." + parts[1]},
		{"five parts, as an encrypted one has", good + ".x.y"},
	}
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "none ", "", nil, 0, []string{"HS256"}, "hs256", "HS256\x00"} {
		for _, key := range [][]byte{nil, []byte(testSecret)} {
			all = append(all, abuse{fmt.Sprintf("alg %#v, signed %v", alg, key != nil), forged(t, map[string]any{"alg": alg, "typ": "JWT"}, fullClaims(), key)})
		}
	}
	for name, secret := range map[string][]byte{"PEM": inPEM, "PEM without its last line break": inPEM[:len(inPEM)-1], "PKCS 1": pkcs1, "DER": public, "modulus": set.rsa.N.Bytes()} {
		for _, kid := range []string{"rsa", "oct", "nobody"} {
			all = append(all, abuse{"public key as HMAC secret: " + name + " " + kid, forged(t, map[string]any{"alg": "HS256", "kid": kid}, fullClaims(), secret)})
		}
	}
	return all
}

// badClaims are tokens that are signed well and say something wrong.
func badClaims(t *testing.T) []abuse {
	t.Helper()
	signed := func(claims jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, []byte(testSecret), claims) }
	all := []abuse{
		{"expired", signed(fullWith("exp", testNow.Add(-time.Minute).Unix()))},
		{"never expires", signed(fullWith("exp", nil))},
		{"expiry null", forged(t, map[string]any{"alg": "HS256"}, map[string]any{"tenant": "acme", "exp": nil, "aud": testAudience, "iss": testIssuer}, []byte(testSecret))},
		{"expiry 0", signed(fullWith("exp", 0))},
		{"expiry below 0", signed(fullWith("exp", -1))},
		{"expiry is a text", signed(fullWith("exp", "soon"))},
		{"expiry is a list", signed(fullWith("exp", []int64{9999999999}))},
		{"not valid yet", signed(fullWith("nbf", testNow.Add(time.Hour).Unix()))},
		{"wrong audience", signed(fullWith("aud", "somebody-else"))},
		{"no audience", signed(fullWith("aud", nil))},
		{"empty audience", signed(fullWith("aud", ""))},
		{"audiences without ours", signed(fullWith("aud", []string{"a", "b"}))},
		{"audience in another case", signed(fullWith("aud", strings.ToUpper(testAudience)))},
		{"audience with a prefix", signed(fullWith("aud", testAudience+".evil"))},
		{"audience of another type", signed(fullWith("aud", map[string]string{"a": testAudience}))},
		{"wrong issuer", signed(fullWith("iss", "https://login.evil.example"))},
		{"no issuer", signed(fullWith("iss", nil))},
		{"issuer with more behind it", signed(fullWith("iss", testIssuer+"/"))},
		{"no tenant", signed(fullWith("tenant", nil))},
		{"oversized", signed(fullWith("note", strings.Repeat("a", maxTokenBytes)))},
		{"a megabyte", signed(fullWith("note", strings.Repeat("a", 1<<20)))},
		{"a million dots", strings.Repeat(".", 1_000_000)},
		{"nested a thousand levels deep", "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 1000))) + ".x"},
		{"no JSON within", "e30.e30.e30"},
		{"not base64", "a.b!.c"},
		{"an empty text", ""},
		{"one space", " "},
	}
	for _, tenant := range []any{
		"", " ", "*", "%", "acme*", "acme/", "../acme", "acme/../victim", ".acme", "-acme", "acme\x00", "acme\n", "acme;x", "acme victim",
		"ácme", "асме", "ａcme", "acme\u200b", "\u202eemca", strings.Repeat("a", 65), 1, true, []string{"acme"}, map[string]string{"a": "acme"},
	} {
		all = append(all, abuse{fmt.Sprintf("tenant %#v", tenant), signed(fullWith("tenant", tenant))})
	}
	return all
}

// abused is an API that asks everything of a token, with secret and key set.
func abused(t *testing.T, set *keySet) *world {
	t.Helper()
	w := newWorld(t, modelstest.Open(t, modelstest.SQLite), "acme")
	keys, err := OpenKeySet(t.Context(), set.url)
	require.NoError(t, err)
	w.deps.KeySet, w.deps.JWTAudience, w.deps.JWTIssuer = keys, testAudience, testIssuer
	w.build(t)
	return w
}

func (w *world) list(t *testing.T, token string) answer {
	t.Helper()
	return w.send(t, http.MethodGet, "/api/webhooks", "", map[string]string{"Authorization": "Bearer " + token})
}

func TestAbusedTokensAreRefused(t *testing.T) {
	t.Parallel()
	set := newKeySet(t)
	w := abused(t, set)
	for _, tt := range append(confusions(t, set), badClaims(t)...) {
		started := time.Now()
		got := w.list(t, tt.token)
		require.Equal(t, http.StatusUnauthorized, got.status, "%s: %s", tt.name, got.body)
		require.Contains(t, got.body, `"code":"UNAUTHORIZED"`, tt.name)
		require.Less(t, time.Since(started), 3*time.Second, tt.name)
		for _, part := range strings.Split(tt.token, ".") {
			if len(part) > 8 {
				require.NotContains(t, w.logs.String()+got.body, part, tt.name)
			}
		}
		require.NotContains(t, w.logs.String()+got.body, abuseCanary, tt.name)
		require.NotContains(t, w.logs.String(), "panic", tt.name)
	}
	// The server is no wall: what is right gets in.
	for name, token := range map[string]string{
		"HS256":          sign(t, jwt.SigningMethodHS256, []byte(testSecret), fullClaims()),
		"RS256":          headed(t, jwt.SigningMethodRS256, set.rsa, map[string]any{"kid": "rsa"}),
		"ES256":          headed(t, jwt.SigningMethodES256, set.ec, map[string]any{"kid": "ec"}),
		"EdDSA":          headed(t, jwt.SigningMethodEdDSA, set.ed, map[string]any{"kid": "ed"}),
		"of many":        sign(t, jwt.SigningMethodHS256, []byte(testSecret), fullWith("aud", []string{"a", testAudience})),
		"for a thousand": sign(t, jwt.SigningMethodHS256, []byte(testSecret), fullWith("exp", testNow.AddDate(1000, 0, 0).Unix())),
		"unknown header": headed(t, jwt.SigningMethodHS256, []byte(testSecret), map[string]any{"kid": "../x", "zip": "DEF"}),
	} {
		require.Equal(t, http.StatusOK, w.list(t, token).status, name)
	}
}

func TestMintedTokensSayWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	rules := TokenRules{Secret: testSecret, Audience: testAudience, Issuer: testIssuer}
	token, err := MintToken(rules, Grant{Tenant: "acme", TTL: time.Hour}, testNow)
	require.NoError(t, err)
	_, _, err = newJWTAuthenticator(rules, nil, clock).authenticate(t.Context(), bearer(token))
	require.NoError(t, err)
	plain, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: "acme", TTL: time.Hour}, testNow)
	require.NoError(t, err)
	for _, rules := range []TokenRules{{Secret: testSecret, Audience: testAudience}, {Secret: testSecret, Issuer: testIssuer}} {
		_, _, err = newJWTAuthenticator(rules, nil, clock).authenticate(t.Context(), bearer(plain))
		require.ErrorContains(t, err, "lacks a claim")
	}
}

// TestKeysThatATokenNamesAreIgnored puts the forger's own key, and the address of
// a server that has it, into the header.
func TestKeysThatATokenNamesAreIgnored(t *testing.T) {
	t.Parallel()
	set, forger := newKeySet(t), newKeySet(t)
	w := abused(t, set)
	own := map[string]any{"kty": "oct", "k": "Zm9yZ2Vy"}
	for _, extra := range []map[string]any{
		{"jku": forger.url, "kid": "rsa"}, {"jku": forger.url}, {"x5u": forger.url, "kid": "rsa"}, {"kid": forger.url},
		{"jwk": own, "kid": "rsa"}, {"jwk": own}, {"x5c": []string{"MIIB"}, "kid": "rsa"}, {"x5t": "x", "kid": "rsa"},
	} {
		got := w.list(t, headed(t, jwt.SigningMethodRS256, forger.rsa, extra))
		require.Equal(t, http.StatusUnauthorized, got.status, "%v", extra)
	}
	require.Zero(t, forger.reads.Load(), "nobody asked the forger's server")
}

// TestFloodOfUnknownKeys sends a thousand tokens with key ids that do not exist,
// at a key set that is slow to answer, beside valid ones.
func TestFloodOfUnknownKeys(t *testing.T) {
	t.Parallel()
	set := newKeySet(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if set.reads.Load() > 0 {
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
		http.Redirect(w, r, set.url, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(slow.Close)
	keys, err := OpenKeySet(t.Context(), slow.URL)
	require.NoError(t, err)
	authenticator := newJWTAuthenticator(TokenRules{}, keys, clock)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	valid := bearer(signWith(t, jwt.SigningMethodES256, "ec", set.ec))
	var unknown []http.Header
	for i := range 1000 {
		unknown = append(unknown, bearer(signWith(t, jwt.SigningMethodES256, fmt.Sprint("key-", i), stranger)))
	}

	started := time.Now()
	var refused atomic.Int32
	var group sync.WaitGroup
	for part := range 10 {
		group.Go(func() {
			for _, header := range unknown[part*100 : part*100+100] {
				if _, _, err := authenticator.authenticate(t.Context(), header); err != nil {
					refused.Add(1)
				}
			}
		})
	}
	var slowest time.Duration
	for range 200 {
		before := time.Now()
		_, _, err := authenticator.authenticate(t.Context(), valid)
		require.NoError(t, err)
		slowest = max(slowest, time.Since(before))
	}
	group.Wait()
	require.EqualValues(t, 1000, refused.Load())
	require.LessOrEqual(t, set.reads.Load(), int32(2), "the first read and one more")
	require.Less(t, slowest, 900*time.Millisecond, "valid tokens do not wait for the key set")
	require.Less(t, time.Since(started), 10*time.Second, "nobody waits for the rate limit")
}
