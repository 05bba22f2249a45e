package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run found: everything is in its JSON, the table shows what
// matters.
type Report struct {
	Began     time.Time          `json:"began"`
	Command   string             `json:"command"`
	Shape     Shape              `json:"shape,omitempty"`
	Seconds   float64            `json:"seconds"`
	Machine   Machine            `json:"machine"`
	Facts     map[string]string  `json:"facts"` // versions and what was used
	Settings  map[string]string  `json:"settings"`
	Scenarios []string           `json:"scenarios"`
	NotChosen []string           `json:"notChosen,omitempty"`
	LeftOut   []string           `json:"leftOut,omitempty"` // they could not run
	Notes     []string           `json:"notes,omitempty"`   // on how the figures are to be read
	Verdicts  map[string]Verdict `json:"verdicts"`
	Rows      []*Row             `json:"rows"`
}

func (b *bench) report(leftOut []scenario) *Report {
	b.finish()
	settings := map[string]string{
		"rounds": strconv.Itoa(b.rounds), "duration": b.lasting.String(), "warm-up": b.warm.String(),
		"hanging POSTs build up for": b.buildUp.String(), "data of an event": fmt.Sprintf("%d bytes", dataBytes),
		"callers, strict": strconv.Itoa(b.singles), "callers, batch": fmt.Sprintf("%d of %d events", b.batches, batchEvents),
		"callers, coalesced": fmt.Sprintf("%d, %d events per workflow", b.crowd, batchEvents),
	}
	maps.Copy(settings, b.Stage.Settings)
	return &Report{
		Began: b.began.UTC(), Seconds: time.Since(b.began).Seconds(), Command: b.Command, Shape: b.Shape,
		Machine: b.machine, Facts: b.Facts, Settings: settings,
		Scenarios: b.order, NotChosen: without(without(Names(), b.order), namesOf(leftOut)), LeftOut: namesOf(leftOut),
		Notes: b.notes(), Verdicts: b.verdicts, Rows: b.rows,
	}
}

// cutShort reports on a run that ended in a scenario, without that one; nil where it
// was the first.
func (b *bench) cutShort(name string, leftOut []scenario) *Report {
	b.order = without(b.order, []string{name})
	if len(b.order) == 0 {
		return nil
	}
	b.rows = slices.DeleteFunc(b.rows, func(r *Row) bool { return r.Scenario == name })
	report := b.report(leftOut)
	report.NotChosen = nil
	report.Notes = append(report.Notes, fmt.Sprintf("The run was cut short: %s and what comes after it are missing.", name))
	return report
}

// notes say how the figures are to be read.
func (b *bench) notes() []string {
	var notes []string
	if slices.ContainsFunc(b.rows, func(r *Row) bool { return strings.HasSuffix(r.Figure, cpuOf+postgres) }) {
		notes = append(notes, "CPU of PostgreSQL is all that the server on this machine used, Temporal's share included where Temporal has its data there.")
	}
	if b.Profiles != "" {
		notes = append(notes, "Profiles were taken over the middle of the measurements, which costs some per cent.")
	}
	return notes
}

// Lost tells whether any delivery of an accepted event did not come.
func (r *Report) Lost() bool {
	for _, v := range r.Verdicts {
		if v.Lost > 0 {
			return true
		}
	}
	return false
}

// WriteJSON writes the whole report into a file.
func (r *Report) WriteJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// head of the table, which lines and Markdown share.
var head = []string{"scenario", "figure", "median", "spread", "ratio", "wanted", "reached"}

// lines are the rows of the table.
func (r *Report) lines() [][]string {
	var lines [][]string
	for _, scenario := range r.Scenarios {
		for _, row := range r.Rows {
			if row.Scenario == scenario && !row.Detail {
				lines = append(lines, row.cells())
			}
		}
		v, reached := r.Verdicts[scenario], "yes"
		if v.Lost > 0 || v.Duplicates > 0 {
			reached = "no"
		}
		lines = append(lines, []string{
			scenario, fmt.Sprintf("of %d deliveries: lost, twice; events refused", v.Expected),
			fmt.Sprintf("%d, %d; %d", v.Lost, v.Duplicates, v.Refused), "", "", "0, 0", reached,
		})
	}
	return lines
}

func (r *Row) cells() []string {
	cells := []string{r.Scenario, r.Figure, number(r.Median) + unit(r.Unit), "once", "", r.Wanted, ""}
	if len(r.Rounds) > 1 {
		cells[3] = fmt.Sprintf("%s–%s in %d rounds", number(r.Least), number(r.Most), len(r.Rounds))
	}
	if r.Ratio != nil {
		cells[4] = number(r.Ratio.Median)
		if len(r.Rounds) > 1 {
			cells[4] += fmt.Sprintf(" (%s–%s)", number(r.Ratio.Least), number(r.Ratio.Most))
		}
		cells[4] += " of " + r.Ratio.Of
	}
	switch {
	case r.Reached == nil:
	case *r.Reached:
		cells[6] = "yes"
	case r.refusals() > 0:
		cells[6] = fmt.Sprintf("no, %d events of it were refused", r.refusals())
	default:
		cells[6] = "no"
	}
	return cells
}

func unit(name string) string {
	if name == "" || strings.HasPrefix(name, "/") {
		return name
	}
	return " " + name
}

// number writes three digits, or all before the point.
func number(value float64) string {
	digits := 0
	if size := math.Abs(value); size != 0 && size < 100 {
		digits = min(max(2-int(math.Floor(math.Log10(size))), 0), 4)
	}
	text := strconv.FormatFloat(value, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// WriteTable writes the table for a terminal.
func (r *Report) WriteTable(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range append([][]string{head}, r.lines()...) {
		fmt.Fprintln(table, strings.Join(line, "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	_, err := fmt.Fprintf(out, "\n%s\n", r.provenance())
	return err
}

// Markdown is the table for a document, with where it comes from.
func (r *Report) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, line := range r.lines() {
		if why, no := strings.CutPrefix(line[6], "no"); no {
			line[6] = "**no**" + why
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(line, " | "))
	}
	fmt.Fprintf(&out, "\n%s\n", r.provenance())
	return out.String()
}
