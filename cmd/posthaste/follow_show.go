package main

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

const (
	// liveLines is how many waiting deliveries are shown at the bottom of a
	// terminal; more would push the attempts out of sight.
	liveLines = 8
	// liveWidth keeps each of them on one line of a narrow terminal: a wrapped
	// line would not be taken back whole.
	liveWidth = 78
)

// silentProgress tells nobody: a program waits for the end.
type silentProgress struct{}

func (silentProgress) attempt(*followedDelivery, attempt, bool) {}
func (silentProgress) settled(*followedDelivery)                {}
func (silentProgress) trouble(error)                            {}
func (silentProgress) all(bool, []*followedDelivery)            {}
func (silentProgress) unwanted()                                {}
func (silentProgress) end()                                     {}

// followLines writes a line for each thing that happens. On a terminal there are
// lines below them which show what is waited for, and are redrawn.
type followLines struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	drawn    int             // lines at the bottom that will be taken back
	told     map[string]bool // deliveries whose end was told
}

func newFollowLines(out io.Writer, accepted acceptedEvent) *followLines {
	lines := &followLines{out: out, terminal: isTerminal(out), now: time.Now, told: map[string]bool{}}
	lines.line("%s  event %s  %s", clock(lines.now()), accepted.ID, accepted.word())
	return lines
}

// line writes a line that stays.
func (l *followLines) line(format string, args ...any) {
	l.takeBack()
	fmt.Fprintf(l.out, format+"\n", args...)
}

// attempt tells of one POST, and of the next one where it is known.
func (l *followLines) attempt(d *followedDelivery, a attempt, isLast bool) {
	answer := "no answer"
	if a.StatusCode != nil {
		answer = strconv.Itoa(*a.StatusCode)
	}
	if a.Reason != "" {
		answer += " " + printable([]byte(a.Reason), lineShown)
	}
	next := ""
	switch {
	case isLast && d.NextAttemptAt != nil:
		next = fmt.Sprintf("  next try at %s, in %s", clock(*d.NextAttemptAt), shortly(max(d.NextAttemptAt.Sub(l.now()), 0)))
	case isLast && d.SettledAt != nil:
		next = "  " + d.State
		l.told[d.ID] = true
	}
	l.line("%s  %s  attempt %d  %s  in %s%s", clock(a.DeliveredAt), d.name(), a.Attempt, answer,
		shortly(time.Duration(a.DurationMS)*time.Millisecond), next)
}

// settled tells the end of a delivery that no attempt has told already.
func (l *followLines) settled(d *followedDelivery) {
	if l.told[d.ID] {
		return
	}
	l.told[d.ID] = true
	text := d.State
	if d.Reason != "" {
		text += ": " + printable([]byte(d.Reason), lineShown)
	}
	l.line("%s  %s  %s", clock(*d.SettledAt), d.name(), text)
}

// trouble tells that we look again.
func (l *followLines) trouble(err error) {
	l.line("%s  cannot look just now, trying on: %s", clock(l.now()), explain(err))
}

// unwanted tells that the event is for nobody.
func (l *followLines) unwanted() {
	l.line("%s  no webhook wants it", clock(l.now()))
}

// all redraws what is waited for; a pipe has no use for it.
func (l *followLines) all(known bool, deliveries []*followedDelivery) {
	if !l.terminal {
		return
	}
	var waiting []string
	if !known {
		waiting = append(waiting, "waiting for a worker")
	}
	for _, d := range deliveries {
		switch {
		case d.SettledAt != nil:
		case d.NextAttemptAt != nil && d.NextAttemptAt.After(l.now()):
			waiting = append(waiting, fmt.Sprintf("%s  %s, next try in %s", d.name(), d.State, shortly(d.NextAttemptAt.Sub(l.now()))))
		default:
			waiting = append(waiting, fmt.Sprintf("%s  %s", d.name(), d.State))
		}
	}
	if more := len(waiting) - liveLines; more > 0 {
		waiting = append(waiting[:liveLines], fmt.Sprintf("and %d more", more))
	}
	l.takeBack()
	for _, text := range waiting {
		fmt.Fprintf(l.out, "  %s\n", printable([]byte(text), liveWidth-3))
	}
	l.drawn = len(waiting)
}

// takeBack removes the redrawn lines: up to where they begin, then all below.
func (l *followLines) takeBack() {
	if l.drawn > 0 {
		_, _ = io.WriteString(l.out, "\x1b["+strconv.Itoa(l.drawn)+"A\r\x1b[J") // a terminal that is gone is no reason to stop
		l.drawn = 0
	}
}

// end leaves nothing behind that looks as if it went on.
func (l *followLines) end() { l.takeBack() }

// undeliveredText says how many did not arrive.
func undeliveredText(undelivered, all int) string {
	noun, verb := "deliveries", "were"
	if all == 1 {
		noun = "delivery"
	}
	if undelivered == 1 {
		verb = "was"
	}
	return fmt.Sprintf("%d of %d %s %s not made", undelivered, all, noun, verb)
}
