// Package bench loads a Posthaste and measures it: in one run on one machine,
// each figure several times and in turn with what it is compared with, because
// ratios hold where absolute figures drift. It has the receiver, the load and
// the report; the command prepares Temporal, the database and the process that
// is measured.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Options say what is measured, and for how long.
type Options struct {
	Scenarios []string // none = all
	Rounds    int      // how often each figure is measured
	Duration  time.Duration
	Quick     bool // tiny sizes: whether everything works, not how fast
	Receiver  string
	Progress  io.Writer
}

// scenario is one thing to measure.
type scenario struct {
	name string
	run  func(*bench, context.Context) error
	// What it cannot do without.
	temporal bool // a Temporal to compare with
	own      bool // a Posthaste that the bench started: its metrics, tenants and settings
}

var scenarios = []scenario{
	{name: "strict", run: (*bench).strict, temporal: true},
	{name: "batch", run: (*bench).batch},
	{name: "coalesced", run: (*bench).coalesced, own: true},
	{name: "fanout", run: (*bench).fanout},
	{name: "idle", run: (*bench).idle, temporal: true},
	{name: "neighbour", run: (*bench).neighbour, own: true},
	{name: "hanging", run: (*bench).hanging, own: true},
	{name: "storm", run: (*bench).storm},
	{name: "memory", run: (*bench).memory, own: true},
}

// Names are the scenarios in the order in which they run.
func Names() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}

// bench is one run.
type bench struct {
	Options
	Stage
	sizes
	results
	*caller
	receiver *receiver
	server   *Server // the one that serves now
	shares   int     // its events per workflow
	run      string  // keeps two runs on the same parts apart
	streams  []*stream
	began    time.Time
	machine  Machine // as it was before
}

// Run measures and returns what it found. When ctx ends it stops and returns
// the context's error.
func Run(ctx context.Context, options Options, stage Stage) (report *Report, err error) {
	chosen, leftOut, err := choose(options.Scenarios, stage)
	if err != nil {
		return nil, err
	}
	b := &bench{Options: options, Stage: stage, sizes: options.sizes(), caller: newCaller(), began: time.Now(), machine: thisMachine()}
	b.verdicts, b.run = map[string]Verdict{}, fmt.Sprintf("%x", b.began.UnixMilli())
	b.server = stage.Remote
	if b.receiver, err = startReceiver(ctx, options.Receiver); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.receiver.stop()) }()
	for _, name := range leftOut {
		b.say("%s is left out: it needs %s", name, lacking(name, stage))
	}
	for _, s := range chosen {
		if err := b.measure(ctx, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.report(leftOut), nil
}

func (b *bench) measure(ctx context.Context, s scenario) error {
	b.scenario, b.streams = s.name, nil
	b.order = append(b.order, s.name)
	began := time.Now()
	b.say("%s …", s.name)
	if err := s.run(b, ctx); err != nil {
		return err
	}
	for _, st := range b.streams {
		if err := b.settled(ctx, st); err != nil {
			return err
		}
	}
	if v := b.verdicts[s.name]; v.Refusal != "" {
		b.say("  %d events were refused: %s", v.Refused, v.Refusal)
	}
	b.say("%s took %.0f s", s.name, time.Since(began).Seconds())
	if b.Remote == nil {
		return nil // each stream had a tenant of its own
	}
	for _, st := range b.streams {
		if err := st.forget(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settled waits for what is late of a stream, and judges it.
func (b *bench) settled(ctx context.Context, s *stream) error {
	if s.unjudged {
		return nil
	}
	all := window{flow: s.flow, to: s.next.Load()}
	if missing := s.verdict().Lost; missing > 0 {
		b.say("  %d deliveries have not come yet: %s", missing, s.failures(ctx))
		if err := all.settle(ctx, lateQuiet); err != nil {
			return err
		}
	}
	b.judge(s)
	return nil
}

// choose returns the scenarios that were asked for and can run here, and the
// names of those that cannot.
func choose(names []string, stage Stage) (chosen []scenario, leftOut []string, err error) {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, nil, fmt.Errorf("there is no scenario %q: choose of %s", name, strings.Join(Names(), ", "))
		}
	}
	for _, s := range scenarios {
		switch {
		case len(names) > 0 && !slices.Contains(names, s.name):
		case lacking(s.name, stage) != "":
			leftOut = append(leftOut, s.name)
		default:
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, fmt.Errorf("nothing is left to measure: %s cannot run against a running Posthaste", strings.Join(leftOut, ", "))
	}
	return chosen, leftOut, nil
}

// lacking says what keeps a scenario from running; "" when nothing does.
func lacking(name string, stage Stage) string {
	at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
	switch s := scenarios[at]; {
	case s.own && stage.Remote != nil:
		return "a Posthaste of its own (leave out --url)"
	case s.temporal && stage.Temporal == nil:
		return "the Temporal of that Posthaste (--temporal-address)"
	default:
		return ""
	}
}

// say prints progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.Progress, "%6.1fs  "+format+"\n", append([]any{time.Since(b.began).Seconds()}, args...)...)
}

// serving makes sure that Posthaste runs with so many events per workflow; afresh
// asks for a new process in any case.
func (b *bench) serving(ctx context.Context, eventsPerWorkflow int, afresh bool) error {
	if b.Remote != nil || b.server != nil && b.shares == eventsPerWorkflow && !afresh {
		return nil
	}
	server, err := b.Serve(ctx, eventsPerWorkflow)
	if err != nil {
		return err
	}
	b.server, b.shares = &server, eventsPerWorkflow
	return nil
}

// eachRound measures the arms in turn, as often as there are rounds.
func (b *bench) eachRound(ctx context.Context, arms ...func(context.Context) error) error {
	return b.rounded(ctx, b.rounds, arms...)
}

func (b *bench) rounded(ctx context.Context, rounds int, arms ...func(context.Context) error) error {
	for round := range rounds {
		b.say("  round %d of %d", round+1, rounds)
		for _, arm := range arms {
			if err := arm(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
