package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"posthaste/config"
)

// Exit codes. A caller can tell a mistake on the command line from a failure,
// and both from what became of an event.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	// exitUndelivered is for send --follow: the event was taken, and something of
	// it did not arrive.
	exitUndelivered = 3
	// exitInterrupted is for send --follow, too: how it ends is not known yet. It
	// is what a shell says of a program that Ctrl-C ended.
	exitInterrupted = 130
)

// commands is the grammar of the command line.
type commands struct {
	Dev     devCommand     `cmd:"" help:"Run everything on this machine: Temporal, database, API, worker and a receiver to look at."`
	Serve   serveCommand   `cmd:"" help:"Run in production: API, worker, or both in one process."`
	Migrate migrateCommand `cmd:"" help:"Bring database and Temporal up to date, or show how they stand."`
	Token   tokenCommand   `cmd:"" help:"Print a JWT for a tenant."`
	Keygen  keygenCommand  `cmd:"" help:"Print a line for POSTHASTE_ENCRYPTION_KEYSET, or take a step of rotating the keys."`
	Rewrap  rewrapCommand  `cmd:"" help:"Seal what is in the database with the key that seals now: a step of rotating the keys."`
	Send    sendCommand    `cmd:"" help:"Enqueue an event, and watch it arrive."`
	Listen  listenCommand  `cmd:"" help:"Receive webhooks, verify them and print them; play a bad receiver."`
	Bench   benchCommand   `cmd:"" help:"Load Posthaste on this machine, and print what it can do beside what Temporal can."`
	Health  healthCommand  `cmd:"" help:"Ask a running Posthaste whether it is ready; for container health checks."`
	Version versionCommand `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print a script that completes commands and flags in a shell."`
	Complete   completeCommand   `cmd:"" name:"__complete" hidden:"" help:"What the scripts of completion ask."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version and exit."`
}

// console is where a command reads from and writes to. Answers go to out,
// everything else to err.
type console struct {
	in        io.Reader
	out, err  io.Writer
	lookupEnv func(string) (string, bool)
}

// run is the whole program: it parses args, runs the command and returns the
// exit code. It reads the environment through the console alone and stops in
// good order when ctx ends.
func run(ctx context.Context, args []string, c console) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var (
		grammar  commands
		problems []config.Problem
		exited   bool
		code     int
	)
	parser, err := kong.New(&grammar,
		kong.Name("posthaste"),
		kong.Description("Durable webhook delivery on Temporal. Every setting is a flag and a POSTHASTE_* variable."),
		kong.Vars{"version": userAgent()},
		kong.Writers(c.out, c.err),
		kong.Exit(func(with int) { exited, code = true, with }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		environment(c.lookupEnv, &problems),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)
	if err != nil {
		return report(c.err, fmt.Errorf("build the command line: %w", err))
	}
	parsed, err := parser.Parse(args)
	switch {
	case exited: // --help and --version have answered already
		return code
	case err != nil:
		report(c.err, err)
		fmt.Fprintln(c.err, "see: posthaste --help")
		return exitUsage
	}
	if err := config.AsError(problems); err != nil {
		return report(c.err, err)
	}
	err = parsed.Run()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = failed(err, "interrupted before it was done")
	}
	return report(c.err, err)
}
