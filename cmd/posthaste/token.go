package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"posthaste/api"
	"posthaste/config"
)

type tokenCommand struct {
	Tenant  string        `required:"" placeholder:"NAME" help:"The tenant that the token speaks for."`
	Subject string        `placeholder:"NAME" help:"Who will use it; the audit log of webhooks names them."`
	Admin   bool          `help:"Let it use /api/admin, too."`
	TTL     time.Duration `name:"ttl" default:"24h" help:"How long it is valid."`
	DataDir string        `default:".posthaste" help:"Without a secret, take that of posthaste dev in this folder."`
	config.Signing
}

// Help shows for whom.
func (tokenCommand) Help() string {
	return `The token alone is printed, so that it can be put into a variable.

Examples:

  export POSTHASTE_TOKEN=$(posthaste token --tenant demo)
  posthaste token --tenant acme --subject ann --ttl 1h`
}

// Run prints the token on stdout and nothing else.
func (t tokenCommand) Run(c console) error {
	rules := tokenRules(t.Signing)
	if rules.Secret == "" {
		var err error
		if rules.Secret, err = developmentSecret(t.DataDir); err != nil {
			return err
		}
	}
	token, err := api.MintToken(rules, api.Grant{Tenant: t.Tenant, Subject: t.Subject, Admin: t.Admin, TTL: t.TTL}, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, token)
	return err
}

// tokenRules are the settings of our own tokens, as the API takes them.
func tokenRules(s config.Signing) api.TokenRules {
	return api.TokenRules{Secret: s.JWTSecret.Reveal(), Audience: s.JWTAudience, Issuer: s.JWTIssuer}
}

// developmentSecret reads the secret that `posthaste dev` made for itself.
func developmentSecret(folder string) (string, error) {
	path := dataDir{folder}.file(fileJWTSecret)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", failed(err, "there is no secret to sign with: set POSTHASTE_JWT_SECRET to the server's, or run this where posthaste dev keeps its data")
	case err != nil:
		return "", failed(err, "cannot read %s: %v", path, err)
	}
	return strings.TrimSpace(string(text)), nil
}
