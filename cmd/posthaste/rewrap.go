package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"posthaste/config"
	"posthaste/keyset"
	"posthaste/models"
)

// progressEvery is how often a long rewrap says how far it is.
const progressEvery = 5 * time.Second

type rewrapCommand struct {
	config.Database
	config.Sealing
	output
}

// Help explains where this stands in a rotation.
func (rewrapCommand) Help() string {
	return "Run it when every process has the keyset of `posthaste keygen --promote`, with that same keyset. " +
		"Everything may be running meanwhile. It may be stopped and run again at any time: what is sealed with " +
		"the present key already is left alone. It exits with 1 while something is left.\n\n" +
		"Examples:\n\n" +
		"  posthaste rewrap                              settings from POSTHASTE_* variables\n" +
		"  posthaste rewrap --database-url sqlite://posthaste.db --json"
}

// Run re-seals everything and says what it did.
func (r rewrapCommand) Run(ctx context.Context, c console) (err error) {
	if err := r.validate(); err != nil {
		return err
	}
	keys, err := keyset.Parse(r.EncryptionKeyset.Reveal())
	if err != nil {
		return err
	}
	store, err := models.Open(ctx, models.Options{
		URL: r.DatabaseURL.Reveal(), Sealer: keys, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return openFailure(r.DatabaseURL, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := checkKeys(ctx, store, r.DatabaseURL); err != nil {
		return err
	}
	told := time.Now()
	report, err := store.Rewrap(ctx, func(done int64) {
		if time.Since(told) >= progressEvery {
			told = time.Now()
			fmt.Fprintf(c.err, "looked at %d sealed values\n", done)
		}
	})
	if err != nil {
		return databaseFailure(r.DatabaseURL, err)
	}
	if err := r.tell(c, report); err != nil {
		return err
	}
	switch {
	case report.Broken != nil:
		return failed(report.Broken, "%d values could not be re-sealed, one of them because: %v", report.Left, report.Broken)
	case report.Left > 0:
		return failed(nil, "%d values are still sealed with another key: give every process the present keyset, then run this again", report.Left)
	}
	if !r.JSON {
		fmt.Fprintln(c.out, "Temporal still holds what was sealed with the old key: run `posthaste keygen --retire` when the workflows that were open until now have ended and the namespace's retention has passed since")
	}
	return nil
}

// tell says what was done.
func (r rewrapCommand) tell(c console, report models.RewrapReport) error {
	if r.JSON {
		return writeJSON(c.out, map[string]int64{
			"secrets": report.Secrets, "previousSecrets": report.PreviousSecrets, "headers": report.Headers,
			"requestHeaders": report.RequestHeaders, "left": report.Left,
		})
	}
	_, err := fmt.Fprintf(c.out, "re-sealed: %d webhook secrets, %d previous secrets, %d webhook headers, %d request headers of attempts; left: %d\n",
		report.Secrets, report.PreviousSecrets, report.Headers, report.RequestHeaders, report.Left)
	return err
}

// validate looks at what rewrap uses; the rest of the settings is not its
// business.
func (r rewrapCommand) validate() error {
	settings := config.Config{Database: r.Database, Sealing: r.Sealing}
	var problems []config.Problem
	for _, problem := range settings.Validate(config.Needs{Database: true, Keyset: true}) {
		if strings.HasPrefix(problem.Variable, "POSTHASTE_DATABASE_") || strings.HasPrefix(problem.Variable, "POSTHASTE_ENCRYPTION_") {
			problems = append(problems, problem)
		}
	}
	return config.AsError(append(problems, checkKeyset(r.EncryptionKeyset)...))
}
