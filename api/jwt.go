package api

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"posthaste/errs"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

const (
	// maxTokenBytes caps a token before anything looks at it: real ones have
	// well under 2 KiB, and parsing work grows with what a stranger sends.
	maxTokenBytes = 8 << 10
	// tokenLeeway forgives clocks of issuers that are a little off; RFC 7519
	// speaks of "a few minutes" at most, we take half a minute.
	tokenLeeway = 30 * time.Second
	scopeAdmin  = "admin"
	// maxSubject is how many characters of a token's subject are kept: OpenID
	// Connect allows 255.
	maxSubject = 255
)

// tenantName is what a tenant may be called: it is part of workflow ids.
var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// asymmetric are the algorithms taken from a key set. HS256 is not among them:
// a public key must never serve as an HMAC secret.
var asymmetric = []string{
	jwt.SigningMethodRS256.Alg(), jwt.SigningMethodES256.Alg(), jwt.SigningMethodEdDSA.Alg(),
}

// TokenRules are what a token is signed with and what it must say.
type TokenRules struct {
	Secret   string // of HS256; "" where all tokens are signed with a key set
	Audience string // what the aud claim must name; "" asks for none
	Issuer   string // what the iss claim must be; "" asks for none
}

// claims is what we read of a token.
type claims struct {
	jwt.RegisteredClaims
	Tenant string `json:"tenant"`
	Scope  string `json:"scope,omitempty"`
}

// jwtAuthenticator knows a caller by a bearer token.
type jwtAuthenticator struct {
	secret []byte
	keys   jwt.Keyfunc
	parser *jwt.Parser
}

// newJWTAuthenticator accepts HS256 when a secret is given and RS256, ES256 and
// EdDSA when a key set is given; nothing else, whatever the token claims.
func newJWTAuthenticator(rules TokenRules, keys jwt.Keyfunc, now func() time.Time) *jwtAuthenticator {
	var methods []string
	if rules.Secret != "" {
		methods = append(methods, jwt.SigningMethodHS256.Alg())
	}
	if keys != nil {
		methods = append(methods, asymmetric...)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithLeeway(tokenLeeway),
		jwt.WithTimeFunc(now), jwt.WithStrictDecoding(), jwt.WithIssuer(rules.Issuer),
	}
	if rules.Audience != "" {
		options = append(options, jwt.WithAudience(rules.Audience))
	}
	return &jwtAuthenticator{secret: []byte(rules.Secret), keys: keys, parser: jwt.NewParser(options...)}
}

// authenticate implements authenticator.
func (a *jwtAuthenticator) authenticate(_ context.Context, header http.Header) (principal, bool, error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return principal{}, false, nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return principal{}, true, unauthorized("Send one Authorization header of the form: Bearer <token>")
	}
	if len(token) > maxTokenBytes {
		return principal{}, true, unauthorized("The token is longer than %d bytes", maxTokenBytes)
	}
	var found claims
	if _, err := a.parser.ParseWithClaims(token, &found, a.key); err != nil {
		return principal{}, true, refusal(err)
	}
	if !tenantName.MatchString(found.Tenant) {
		return principal{}, true, unauthorized("The token needs a tenant claim: letters, digits, dot, underscore or hyphen, at most 64")
	}
	admin := slices.Contains(strings.Fields(found.Scope), scopeAdmin)
	return principal{
		Tenant: found.Tenant, Admin: admin, Subject: cutSubject(found.Subject), ExpiresAt: found.ExpiresAt.UTC(),
	}, true, nil
}

// cutSubject keeps the audit log's names short, whatever an issuer puts there.
func cutSubject(subject string) string {
	letters := []rune(subject)
	return string(letters[:min(len(letters), maxSubject)])
}

// key picks the key by the algorithm's kind, never by what the key set offers.
func (a *jwtAuthenticator) key(token *jwt.Token) (any, error) {
	if token.Method == jwt.SigningMethodHS256 {
		return a.secret, nil
	}
	return a.keys(token)
}

// refusal says what the caller can do about a refused token. The cause is for
// the log; it names claims, never their values.
func refusal(err error) error {
	message := "The token is not valid: it must be signed with a key and an algorithm this server accepts"
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		message = "The token has expired; get a new one"
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		message = "The token is not valid yet; compare the clocks"
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		message = "The token is meant for another audience (claim aud)"
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		message = "The token comes from another issuer (claim iss)"
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		message = "The token lacks a claim: it needs exp, and aud and iss where this server asks for them"
	}
	return unauthorized("%s", message)
}

func unauthorized(format string, args ...any) error {
	return errs.New(errs.Unauthorized, format, args...)
}

// Refresh bounds of a key set: a flood of tokens with unknown key ids makes at
// most one extra request a minute, and none of those tokens waits for it long.
const (
	keySetTimeout         = 10 * time.Second
	keySetRefresh         = time.Hour
	keySetUnknownKeyEvery = time.Minute
	keySetMaxWait         = 2 * time.Second
)

// OpenKeySet reads the JWKS at the address and keeps it fresh until the context
// ends. A first read that fails is not an error: the key set is tried again, and
// until then its tokens are refused.
func OpenKeySet(ctx context.Context, url string) (jwt.Keyfunc, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		HTTPTimeout:       keySetTimeout,
		RefreshInterval:   keySetRefresh,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(keySetUnknownKeyEvery), 1),
		RateLimitWaitMax:  keySetMaxWait,
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "The key set at %s cannot be used", url)
	}
	return keys.Keyfunc, nil
}

// Grant is what a token is made for.
type Grant struct {
	Tenant  string
	Subject string // who will use it, as the audit log names them; may be empty
	Admin   bool
	TTL     time.Duration
}

// MintToken makes an HS256 token, valid from now, that says what the rules ask
// for.
func MintToken(rules TokenRules, grant Grant, now time.Time) (string, error) {
	switch {
	case rules.Secret == "":
		return "", errs.New(errs.Invalid, "A token needs a signing secret (POSTHASTE_JWT_SECRET)")
	case !tenantName.MatchString(grant.Tenant):
		return "", errs.InvalidField("tenant", "must be letters, digits, dot, underscore or hyphen, beginning with a letter or digit, at most 64")
	case len([]rune(grant.Subject)) > maxSubject:
		return "", errs.InvalidField("subject", "must have at most %d characters", maxSubject)
	case grant.TTL <= 0:
		return "", errs.InvalidField("ttl", "must be longer than nothing")
	}
	minted := claims{Tenant: grant.Tenant, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: rules.Issuer, Subject: grant.Subject,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(grant.TTL)),
	}}
	if rules.Audience != "" {
		minted.Audience = jwt.ClaimStrings{rules.Audience}
	}
	if grant.Admin {
		minted.Scope = scopeAdmin
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, minted).SignedString([]byte(rules.Secret))
	return token, errs.Wrap(err, errs.Internal, "The token could not be signed")
}
