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
	Profiles  string // folder for profiles; "" = none are taken
	Command   string // what was asked for, for the report
}

// forgetTime bounds the removal of webhooks from a Posthaste that is not ours.
const forgetTime = 30 * time.Second

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
	counts   bool           // the scenario that runs counts what Temporal writes
	profiles map[string]int // how many were taken of a figure
	began    time.Time
	machine  Machine // as it was before
}

// Run measures and returns what it found. When ctx ends it stops and returns
// the context's error. With an error come the scenarios that were over, if any.
func Run(ctx context.Context, options Options, stage Stage) (report *Report, err error) {
	chosen, leftOut, err := choose(options.Scenarios, stage)
	if err != nil {
		return nil, err
	}
	b := &bench{Options: options, Stage: stage, sizes: options.sizes(), caller: newCaller(), began: time.Now(), machine: thisMachine()}
	b.verdicts, b.run = map[string]Verdict{}, fmt.Sprintf("%x", b.began.UnixMilli())
	b.profiles = map[string]int{}
	b.server = stage.Remote
	if b.receiver, err = startReceiver(ctx, options.Receiver); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.receiver.stop()) }()
	for _, s := range leftOut {
		b.say("%s is left out: it needs %s", s.name, s.lacks(stage))
	}
	for _, s := range chosen {
		if err := b.measure(ctx, s); err != nil {
			return b.cutShort(s.name, leftOut), fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.report(leftOut), nil
}

func (b *bench) measure(ctx context.Context, s scenario) (err error) {
	b.scenario, b.counts, b.streams = s.name, s.counts && b.TemporalMetrics != "", nil
	b.order = append(b.order, s.name)
	if b.Remote != nil { // else each stream has a tenant that nobody else has
		defer func() { err = errors.Join(err, b.forget(ctx)) }()
	}
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
	return nil
}

// forget deletes the webhooks of all streams, also when the run is over.
func (b *bench) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTime)
	defer cancel()
	var failures []error
	for _, s := range b.streams {
		failures = append(failures, s.forget(ctx))
	}
	return errors.Join(failures...)
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
		for _, arm := range inTurn(arms, round) {
			if err := arm(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
