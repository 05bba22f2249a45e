package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// scenario is one thing to measure.
type scenario struct {
	name string
	run  func(*bench, context.Context) error
	// What it cannot do without.
	temporal bool // a Temporal to compare with
	own      bool // a Posthaste that the bench started: its metrics, tenants and settings
	// What Temporal wrote is its point: a quick run waits for that too.
	counts bool
}

var scenarios = []scenario{
	{name: "strict", run: (*bench).strict, temporal: true, counts: true},
	{name: "batch", run: (*bench).batch},
	{name: "coalesced", run: (*bench).coalesced, own: true, counts: true},
	{name: "fanout", run: (*bench).fanout},
	{name: "idle", run: (*bench).idle, temporal: true},
	{name: "neighbour", run: (*bench).neighbour, own: true},
	{name: "hanging", run: (*bench).hanging, own: true},
	{name: "storm", run: (*bench).storm},
	{name: "memory", run: (*bench).memory, own: true},
}

// Names are the scenarios in the order in which they run.
func Names() []string { return namesOf(scenarios) }

func namesOf(scenarios []scenario) []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// choose returns the scenarios that were asked for: those that can run here, and
// those that cannot.
func choose(names []string, stage Stage) (chosen, leftOut []scenario, err error) {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, nil, fmt.Errorf("there is no scenario %q: choose of %s", name, strings.Join(Names(), ", "))
		}
	}
	for _, s := range scenarios {
		switch {
		case len(names) > 0 && !slices.Contains(names, s.name):
		case s.lacks(stage) != "":
			leftOut = append(leftOut, s)
		default:
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, fmt.Errorf("nothing is left to measure: %s needs %s", leftOut[0].name, leftOut[0].lacks(stage))
	}
	return chosen, leftOut, nil
}

// lacks says what keeps the scenario from running; "" when nothing does.
func (s scenario) lacks(stage Stage) string {
	switch {
	case s.own && stage.Remote != nil:
		return "a Posthaste of its own (leave out --url)"
	case s.temporal && stage.Temporal == nil:
		return "the Temporal of that Posthaste (--temporal-address)"
	default:
		return ""
	}
}
