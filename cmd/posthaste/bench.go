package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"posthaste/cmd/posthaste/bench"
	"posthaste/config"
)

type benchCommand struct {
	Scenarios []string      `sep:"," placeholder:"NAME" help:"What to measure, separated by commas: strict, batch, coalesced, fanout, idle, neighbour, hanging, storm, memory. Without it: all."`
	Rounds    int           `default:"5" help:"How often each figure is measured."`
	Duration  time.Duration `default:"10s" help:"How long each measurement takes, its warming up aside."`
	Quick     bool          `help:"One round of tiny sizes, to see that everything works; its figures mean nothing."`

	JSON      string `name:"json" placeholder:"FILE" help:"Write everything that was measured into this file."`
	WriteDocs string `placeholder:"FILE" help:"Put the table of all scenarios into this Markdown file, between <!-- bench:begin --> and <!-- bench:end -->; that of a running Temporal with PostgreSQL between <!-- bench:stack:begin --> and <!-- bench:stack:end -->."`
	Profile   string `placeholder:"DIR" help:"Take profiles of the processor and the memory of Posthaste for each figure that has a time of its own, and put them into this folder."`

	DataDir         string        `placeholder:"DIR" help:"Where the databases of the run are made, and removed at its end. Without it: the temporary folder."`
	TemporalCLI     string        `name:"temporal-cli" placeholder:"PATH" help:"The Temporal CLI. Without it: bin/temporal, then PATH."`
	TemporalAddress string        `placeholder:"HOST:PORT" help:"Use this Temporal, in a namespace of its own, instead of starting one."`
	TemporalMetrics string        `placeholder:"URL" help:"Metrics of that Temporal, to count what it writes, such as http://127.0.0.1:9090/metrics."`
	TemporalProcess int           `placeholder:"PID" help:"Process of that Temporal on this machine, to see what it uses."`
	TemporalPprof   string        `name:"temporal-pprof" placeholder:"URL" help:"Profiles of that Temporal, to take them beside those of Posthaste, such as http://127.0.0.1:7342."`
	DatabaseURL     config.Secret `name:"database-url" placeholder:"URL" help:"Use this PostgreSQL, in a schema of its own that is dropped at the end, instead of a SQLite file."`

	URL      string        `name:"url" placeholder:"URL" help:"Measure the Posthaste that runs there instead of starting one; it must allow http webhooks to the receiver. What needs one of its own is left out."`
	Token    config.Secret `placeholder:"JWT" help:"Token of a tenant of that Posthaste, without limits."`
	Receiver string        `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Address the receiver listens on."`
}

// Help says what it does to the machine.
func (benchCommand) Help() string {
	return `Starts a receiver, Temporal, a database and posthaste serve, loads them, and prints a table with ratios. The machine should do nothing else meanwhile. All scenarios take about forty minutes.

Where the time goes, profiles show that are named after scenario, figure and round: go tool pprof -top bin/posthaste DIR/batch-events-round1.cpu.pprof. Those of Temporal have .temporal in their names.

Examples:

  posthaste bench --quick
  posthaste bench --scenarios strict,idle --rounds 3
  posthaste bench --scenarios batch --profile profiles
  posthaste bench --database-url postgres://127.0.0.1/posthaste --temporal-address 127.0.0.1:7233 --json bench.json`
}

// Run measures, prints the table, and removes what was made for it.
func (cmd benchCommand) Run(ctx context.Context, c console, parsed *kong.Context) (err error) {
	if err := cmd.validate(); err != nil {
		return err
	}
	stage := &benchStage{benchCommand: cmd, console: c}
	defer func() { err = errors.Join(err, stage.closers.run()) }()
	if err := stage.prepare(ctx); err != nil {
		return err
	}
	running, cancel := stage.untilDeath(ctx)
	defer cancel()
	report, err := bench.Run(running, bench.Options{
		Scenarios: cmd.Scenarios, Rounds: cmd.Rounds, Duration: cmd.Duration, Quick: cmd.Quick,
		Receiver: cmd.Receiver, Progress: c.err, Profiles: cmd.Profile, Command: commandLine(parsed),
	}, stage.Stage)
	if err != nil {
		stage.failed = ctx.Err() == nil
		return errors.Join(stage.blame(running, err), cmd.tellPart(c, report))
	}
	stage.failed = report.Lost()
	return cmd.tell(c, report)
}

func (cmd benchCommand) validate() error {
	switch {
	case cmd.Rounds < 1 || cmd.Rounds > 100:
		return misused("--rounds must be between 1 and 100")
	case cmd.Duration < time.Second || cmd.Duration > time.Hour:
		return misused("--duration must be between 1s and 1h")
	case (cmd.URL == "") == cmd.Token.IsSet():
		return misused("--url and --token belong together: a running Posthaste, and a tenant of it")
	case cmd.URL != "" && cmd.DatabaseURL.IsSet():
		return misused("--database-url is for a Posthaste that the bench starts; leave it out with --url")
	case cmd.TemporalAddress == "" && (cmd.TemporalMetrics != "" || cmd.TemporalProcess != 0):
		return misused("--temporal-metrics and --temporal-process are those of the Temporal at --temporal-address; leave them out without it")
	case cmd.Profile != "" && cmd.URL != "":
		return misused("--profile is for a Posthaste that the bench starts; leave it out with --url")
	case cmd.TemporalPprof != "" && (cmd.Profile == "" || cmd.TemporalAddress == ""):
		return misused("--temporal-pprof is that of the Temporal at --temporal-address, and --profile says where its profiles go; leave it out without them")
	case cmd.DatabaseURL.IsSet() && !strings.HasPrefix(cmd.DatabaseURL.Reveal(), "postgres"):
		return misused("--database-url must be postgres://user:password@host/name; without it, SQLite is measured")
	}
	for _, name := range cmd.Scenarios {
		if !slices.Contains(bench.Names(), name) {
			return misused("--scenarios: there is no %q; choose of %s", name, strings.Join(bench.Names(), ", "))
		}
	}
	return cmd.validateDocs()
}

// validateDocs tells before the run, which takes long.
func (cmd benchCommand) validateDocs() error {
	if cmd.WriteDocs == "" {
		return nil
	}
	if cmd.Quick {
		return misused("--write-docs with --quick: its figures mean nothing")
	}
	scenarios := cmd.Scenarios
	if len(scenarios) == 0 {
		scenarios = bench.Names()
	}
	if err := bench.CheckDocs(cmd.WriteDocs, cmd.shape(), scenarios); err != nil {
		return misused("--write-docs: %v", err)
	}
	return nil
}

// shape is what the run measures on, as far as a document has a table of it.
func (cmd benchCommand) shape() bench.Shape {
	switch {
	case cmd.URL != "":
		return ""
	case cmd.TemporalAddress == "" && !cmd.DatabaseURL.IsSet():
		return bench.DevShape
	case cmd.TemporalAddress != "" && cmd.DatabaseURL.IsSet():
		return bench.StackShape
	default:
		return ""
	}
}

// tellPart prints what a run that was cut short has measured, and writes its JSON:
// it took too long to be lost. Documents get whole tables only.
func (cmd benchCommand) tellPart(c console, report *bench.Report) error {
	if report == nil {
		return nil
	}
	cmd.WriteDocs = ""
	return cmd.tell(c, report)
}

// tell prints the table and writes the files that were asked for. A lost
// delivery is a failure, whatever the figures are.
func (cmd benchCommand) tell(c console, report *bench.Report) error {
	errs := []error{report.WriteTable(c.out)}
	if cmd.JSON != "" {
		errs = append(errs, report.WriteJSON(cmd.JSON))
	}
	if cmd.WriteDocs != "" {
		errs = append(errs, report.WriteDocs(cmd.WriteDocs))
	}
	if report.Lost() {
		errs = append(errs, failed(nil, "deliveries were lost: see the table"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}
