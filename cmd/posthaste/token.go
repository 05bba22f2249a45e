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
	Admin   bool          `help:"Let it use /api/admin, too."`
	TTL     time.Duration `name:"ttl" default:"24h" help:"How long it is valid."`
	DataDir string        `default:".posthaste" help:"Without a secret, take that of posthaste dev in this folder."`
	config.Signing
}

// Run prints the token on stdout and nothing else.
func (t tokenCommand) Run(c console) error {
	secret := t.JWTSecret.Reveal()
	if secret == "" {
		var err error
		if secret, err = developmentSecret(t.DataDir); err != nil {
			return err
		}
	}
	token, err := api.MintToken(secret, t.Tenant, t.Admin, t.TTL, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, token)
	return err
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
