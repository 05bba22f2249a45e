package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"posthaste/config"
	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// defaultFailure is what a receiver that is to fail answers, unless told.
const defaultFailure = 500

type listenCommand struct {
	HTTP         string        `name:"http" default:"127.0.0.1:8091" placeholder:"HOST:PORT" help:"Address to listen on."`
	Provider     string        `env:"POSTHASTE_PROVIDER" default:"standard" complete:"provider" help:"Provider whose webhooks arrive; its profile says how they are signed."`
	ProvidersDir string        `env:"POSTHASTE_PROVIDERS_DIR" placeholder:"DIR" help:"Folder with provider profiles of your own."`
	Secret       config.Secret `env:"POSTHASTE_LISTEN_SECRET" placeholder:"TEXT" help:"The webhook's secret. Without it nothing is verified."`
	Fail         *int          `placeholder:"STATUS" help:"Answer with this status (200 to 599), whatever arrives."`
	FailFirst    *int          `placeholder:"N" help:"Do so for the first N POSTs alone; without --fail, with 500."`
	Delay        time.Duration `placeholder:"SPAN" help:"Wait so long before every answer, such as 3s."`
	output
}

// Help shows what it is good for.
func (listenCommand) Help() string {
	return `It answers 204, and 401 where a signature does not verify; it says why. Every POST is printed with its headers and its body. Ctrl-C ends it.

Examples:

  posthaste listen --secret whsec_…
  posthaste listen --provider akol --secret whsec_… --json
  posthaste listen --fail 503                   a receiver that is down
  posthaste listen --fail-first 2               one that recovers
  posthaste listen --delay 40s                  one that is too slow`
}

// Validate is asked by the command line.
func (l listenCommand) Validate() error {
	switch {
	case l.Fail != nil && (*l.Fail < 200 || *l.Fail > 599):
		return errors.New("--fail must be a status from 200 to 599")
	case l.FailFirst != nil && *l.FailFirst < 1:
		return errors.New("--fail-first must be 1 or more: leave it out, and without --fail nothing fails")
	case l.Delay < 0:
		return errors.New("--delay must not be negative")
	}
	return nil
}

// Run receives until ctx ends.
func (l listenCommand) Run(ctx context.Context, c console) error {
	handler, err := l.receiver(ctx, c)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, l.HTTP, "--http")
	if err != nil {
		return err
	}
	running := serveHTTP(listener, handler, slog.New(slog.DiscardHandler))
	fmt.Fprintf(c.err, "listening on %s for webhooks of %s%s; Ctrl-C ends it\n", browsable(listener.Addr()), handler.profile.Title(), handler.bad.describe())
	select {
	case <-ctx.Done():
		return running.stop()
	case err := <-running.failed:
		return err
	}
}

// receiver makes the receiver that the flags describe.
func (l listenCommand) receiver(ctx context.Context, c console) (*receiver, error) {
	registry, err := provider.Load(l.ProvidersDir)
	if err != nil {
		return nil, failed(err, "the profiles cannot be used: %v", err)
	}
	profile, err := registry.Profile(l.Provider)
	if err != nil {
		return nil, misused("--provider %s: %s", l.Provider, explain(err))
	}
	bad := behaviour{delay: l.Delay}
	if l.FailFirst != nil {
		bad.status, bad.first = defaultFailure, *l.FailFirst
	}
	if l.Fail != nil {
		bad.status = *l.Fail
	}
	show := showFully
	if l.JSON {
		show = showJSON
	}
	r := &receiver{
		profile: profile, secret: webhook.Secret(l.Secret.Reveal()), bad: bad, now: time.Now, stop: ctx.Done(),
		show: func(came *arrival) { show(c.out, came) },
	}
	if r.secret != "" && !r.signs() {
		return nil, misused("%s signs nothing, so there is no secret to verify by: leave --secret (POSTHASTE_LISTEN_SECRET) out", profile.Title())
	}
	if err := r.checkSecret(); err != nil {
		return nil, misused("--%s", explain(err)) // "secret must begin with …"
	}
	return r, nil
}

// describe says how a receiver will behave badly; "" for a good one.
func (b behaviour) describe() string {
	text := ""
	switch {
	case b.status != 0 && b.first > 0:
		text = fmt.Sprintf(", answering %d to the first %d", b.status, b.first)
	case b.status != 0:
		text = fmt.Sprintf(", answering %d", b.status)
	}
	if b.delay > 0 {
		text += fmt.Sprintf(", after %v each", b.delay)
	}
	return text
}
