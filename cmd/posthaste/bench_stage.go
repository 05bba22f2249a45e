package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"posthaste/cmd/posthaste/bench"
	"posthaste/config"
	"posthaste/keyset"
)

// fileServe is what the Posthaste that is measured writes into.
const fileServe = "serve.log"

// benchStage starts what the bench runs on, and stops it.
type benchStage struct {
	benchCommand
	console
	bench.Stage
	closers  cleanup
	dir      dataDir
	name     string // of the namespace and the schema
	settings config.Config
	temporal *child // nil when it is not ours
	serving  *child // the Posthaste that runs now
	failed   bool   // something went wrong that was not asked for
}

// prepare starts everything but Posthaste, which each scenario starts with its
// own settings.
func (s *benchStage) prepare(ctx context.Context) error {
	s.name = "bench-" + hex.EncodeToString(randomBytes(4))
	s.Facts = map[string]string{"Posthaste": currentVersion(), "Go": runtime.Version()}
	s.Shape = s.shape()
	if err := s.makeProfiles(); err != nil {
		return err
	}
	if s.URL != "" {
		s.Remote = &bench.Server{API: strings.TrimRight(s.URL, "/"), Token: func(string) (string, error) { return s.benchCommand.Token.Reveal(), nil }}
		s.Facts["measured"] = "a running Posthaste"
		if s.TemporalAddress == "" {
			return nil
		}
	}
	if err := s.makeFolder(); err != nil {
		return err
	}
	if err := s.reachTemporal(ctx); err != nil {
		return err
	}
	if s.URL != "" {
		return nil
	}
	s.Settings = s.runtimeSettings()
	if err := s.makeDatabase(ctx); err != nil {
		return err
	}
	line, err := keyset.Generate()
	if err != nil {
		return fmt.Errorf("make a keyset: %w", err)
	}
	s.settings.EncryptionKeyset, s.settings.JWTSecret = config.Secret(line), config.Secret(rand.Text())
	migrate := migrateUpCommand{Database: s.settings.Database, Temporal: s.settings.Temporal}
	if err := migrate.Run(ctx, console{out: io.Discard, err: s.err}); err != nil {
		return err
	}
	s.Serve = s.serve
	s.closers.push("Posthaste", s.stopServing)
	return nil
}

func (s *benchStage) makeFolder() error {
	path, err := os.MkdirTemp(s.DataDir, "posthaste-bench-")
	if err != nil {
		return failed(err, "cannot make a folder for the run (%v): choose another place with --data-dir", err)
	}
	s.dir = dataDir{path}
	s.closers.push("folder", s.removeFolder)
	return nil
}

// makeProfiles makes the folder of the profiles, if some are to be taken, which
// stays.
func (s *benchStage) makeProfiles() error {
	if s.Profile == "" {
		return nil
	}
	if err := os.MkdirAll(s.Profile, 0o700); err != nil {
		return failed(err, "cannot make the folder of the profiles (%v): choose another place with --profile", err)
	}
	return nil
}

// removeFolder leaves what the parts wrote, if something went wrong, and says
// where.
func (s *benchStage) removeFolder() error {
	if !s.failed {
		return os.RemoveAll(s.dir.path)
	}
	fmt.Fprintf(s.err, "the output of Posthaste and Temporal is in %s\n", s.dir.path)
	databases, err := filepath.Glob(s.dir.file("*.db*"))
	for _, file := range databases {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// untilDeath is a context that ends when the Temporal server dies.
func (s *benchStage) untilDeath(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s.temporal != nil {
		go func() {
			select {
			case <-s.temporal.ended:
				cancel(s.died("the Temporal server", fileTemporal))
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// blame says what a failure of the bench really comes from, where a process
// ended.
func (s *benchStage) blame(ctx context.Context, err error) error {
	var known *failure
	if cause := context.Cause(ctx); errors.As(cause, &known) {
		return cause
	}
	if s.serving != nil {
		select {
		case <-s.serving.ended:
			return s.died("posthaste serve", fileServe)
		default:
		}
	}
	return err
}

func (s *benchStage) died(what, file string) error {
	return failed(nil, "%s ended; the end of its output:\n%s", what, lastLines(s.dir.file(file), 5))
}

// poll asks until something holds, and returns late when that takes too long.
func poll(ctx context.Context, within time.Duration, holds func() (bool, error), late func() error) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	tick := time.NewTicker(devServerPoll)
	defer tick.Stop()
	for {
		if held, err := holds(); err != nil || held {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return late()
		case <-tick.C:
		}
	}
}
