package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"posthaste/cmd/posthaste/bench"
)

const (
	// benchNamespaceReady is past how long Temporal needs to know a namespace.
	benchNamespaceReady = time.Minute
	// benchRetention is past the longest run.
	benchRetention = 24 * time.Hour
)

// reachTemporal starts a Temporal server, or makes a namespace in a running one.
func (s *benchStage) reachTemporal(ctx context.Context) error {
	s.settings.TemporalAddress, s.settings.TemporalNamespace = s.TemporalAddress, client.DefaultNamespace
	s.Facts["Temporal"] = "a running server"
	s.Stage.TemporalMetrics, s.Stage.TemporalProcess = s.benchCommand.TemporalMetrics, s.benchCommand.TemporalProcess
	s.TemporalProfiles = s.TemporalPprof
	if isLoopback(s.TemporalAddress) { // it is likely to use that one; where the ledger is says better
		s.Postmaster = bench.OnlyPostmaster()
	}
	if s.TemporalAddress == "" {
		if err := s.startTemporal(ctx); err != nil {
			return err
		}
	} else if err := s.makeNamespace(ctx); err != nil {
		return err
	}
	c, err := dialTemporal(ctx, s.settings.Temporal, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s.Stage.Temporal = c
	s.closers.pushFunc("Temporal client", c.Close)
	return nil
}

func (s *benchStage) startTemporal(ctx context.Context) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own executable: %w", err)
	}
	path, _ := s.lookupEnv("PATH")
	server := temporalDev{dir: s.dir, environ: childEnvironment(s.lookupEnv)}
	if server.cli, err = findTemporalCLI(s.TemporalCLI, executable, path); err != nil {
		return err
	}
	if server.port, err = freePort(ctx, 0, "--temporal-address"); err != nil {
		return err
	}
	if server.metricsPort, err = freePort(ctx, 0, "--temporal-address"); err != nil {
		return err
	}
	if s.temporal, err = server.start(ctx); err != nil {
		return err
	}
	s.closers.push("Temporal server", func() error { return s.temporal.stop(context.WithoutCancel(ctx), childGrace) })
	s.settings.TemporalAddress = server.address()
	s.Stage.TemporalProcess = s.temporal.command.Process.Pid
	s.Stage.TemporalMetrics = fmt.Sprintf("http://%s:%d/metrics", loopback, server.metricsPort)
	s.Facts["Temporal"] = "dev server on SQLite"
	if line, err := exec.CommandContext(ctx, server.cli, "--version").Output(); err == nil { //nolint:gosec // the operator named the program
		s.Facts["Temporal"] += ", " + strings.TrimSpace(string(line))
	}
	return nil
}

// makeNamespace makes a namespace for this run alone, which goes when it ends.
func (s *benchStage) makeNamespace(ctx context.Context) error {
	c, err := dialTemporal(ctx, s.settings.Temporal, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s.closers.pushFunc("namespace", func() {
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), childGrace)
		defer cancel()
		// Without a system worker it stays, empty of use; its events go after a day.
		_, _ = c.OperatorService().DeleteNamespace(ctx, &operatorservice.DeleteNamespaceRequest{Namespace: s.name})
	})
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: s.name, WorkflowExecutionRetentionPeriod: durationpb.New(benchRetention),
	})
	if err != nil {
		return failed(err, "Temporal at %s makes no namespace for the run: %v", s.TemporalAddress, err)
	}
	if info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{}); err == nil {
		s.Facts["Temporal"] += " " + info.GetServerVersion()
	}
	s.settings.TemporalNamespace = s.name
	return poll(ctx, benchNamespaceReady, func() (bool, error) { return checkNamespace(ctx, c, s.name) == nil, nil },
		func() error {
			return failed(nil, "Temporal at %s does not know the namespace %s that it made", s.TemporalAddress, s.name)
		})
}
