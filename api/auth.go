package api

import (
	"context"
	"net/http"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// auth says who may call a route. Every row of the route table has one.
type auth string

// The kinds of routes.
const (
	authPublic   auth = "public"   // anybody
	authTenant   auth = "tenant"   // a credential of a tenant
	authToken    auth = "token"    // a token of a tenant: an API key must not make others
	authAdmin    auth = "admin"    // a credential with scope admin
	authOperator auth = "operator" // the same, or the cookie that the codec's page sets for one
	// authDashboard is a session of the dashboard, which its cookie carries.
	authDashboard auth = "dashboard"
)

// principal is who calls: the tenant comes from the credential alone.
type principal struct {
	Tenant  string
	Admin   bool
	Key     string // the id of the API key that was sent; "" for a token
	Subject string // whom the token names; often nobody
	// ExpiresAt is when the credential ends; zero for a key without an end.
	ExpiresAt time.Time
}

// authenticator knows callers by one kind of credential. It answers false when
// the headers hold none of its kind, and an Unauthorized error when they hold a
// bad one. It is safe for concurrent use.
type authenticator interface {
	authenticate(ctx context.Context, header http.Header) (principal, bool, error)
}

// authorise makes the gate of a route: the authenticators are asked in turn,
// and the first that finds a credential of its kind decides.
func authorise(kind auth, authenticators []authenticator) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if kind == authPublic {
			return nil
		}
		header := c.Request.Header
		if kind == authOperator {
			header = operatorHeader(c.Request)
		}
		who, err := identify(c.Request.Context(), header, authenticators)
		if err != nil {
			return err
		}
		c.Set(keyTenant, who.Tenant)
		c.Set(keyAPIKey, who.Key)
		c.Set(keySubject, who.Subject)
		c.Set(keyOperator, who.Admin)
		if kind == authToken && who.Key != "" {
			return errs.New(errs.Forbidden, "This needs a token: API keys cannot make or revoke API keys")
		}
		if (kind == authAdmin || kind == authOperator) && !who.Admin {
			return errNoAdmin()
		}
		return nil
	}
}

func errNoAdmin() error { return errs.New(errs.Forbidden, "This needs a token with scope admin") }

func identify(ctx context.Context, header http.Header, authenticators []authenticator) (principal, error) {
	for _, one := range authenticators {
		who, found, err := one.authenticate(ctx, header)
		if err != nil {
			return principal{}, err
		}
		if found {
			return who, nil
		}
	}
	return principal{}, unauthorized("Send a token (Authorization: Bearer <token>) or an API key (%s)", headerAPIKey)
}

// tenantOf returns the caller's tenant. Behind a public route there is none, and
// the empty name owns nothing.
func tenantOf(c *gin.Context) string { return c.GetString(keyTenant) }

// isOperator tells whether the caller's credential has scope admin.
func isOperator(c *gin.Context) bool { return c.GetBool(keyOperator) }

// actorOf returns who calls, as the audit log names them.
func actorOf(c *gin.Context) models.Actor {
	if key := c.GetString(keyAPIKey); key != "" {
		return models.Actor{Kind: models.ActorAPIKey, Name: key, RequestID: requestID(c)}
	}
	return models.Actor{Kind: models.ActorToken, Name: c.GetString(keySubject), RequestID: requestID(c)}
}
