package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run found: everything is in its JSON, the table shows what
// matters.
type Report struct {
	Began     time.Time          `json:"began"`
	Seconds   float64            `json:"seconds"`
	Machine   Machine            `json:"machine"`
	Facts     map[string]string  `json:"facts"` // versions and what was used
	Settings  map[string]string  `json:"settings"`
	Scenarios []string           `json:"scenarios"`
	LeftOut   []string           `json:"leftOut,omitempty"`
	Verdicts  map[string]Verdict `json:"verdicts"`
	Rows      []*Row             `json:"rows"`
}

func (b *bench) report(leftOut []scenario) *Report {
	b.finish()
	return &Report{
		Began: b.began.UTC(), Seconds: time.Since(b.began).Seconds(), Machine: b.machine, Facts: b.Facts,
		Settings: map[string]string{
			"rounds": strconv.Itoa(b.rounds), "duration": b.lasting.String(), "warm-up": b.warm.String(),
			"hanging POSTs build up for": b.buildUp.String(), "data of an event": fmt.Sprintf("%d bytes", dataBytes),
			"callers, strict": strconv.Itoa(b.singles), "callers, batch": fmt.Sprintf("%d of %d events", b.batches, batchEvents),
			"callers, coalesced": fmt.Sprintf("%d, %d events per workflow", b.crowd, batchEvents),
		},
		Scenarios: b.order, LeftOut: namesOf(leftOut), Verdicts: b.verdicts, Rows: b.rows,
	}
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
	cells := []string{r.Scenario, r.Figure, number(r.Median) + unit(r.Unit), "", "", r.Wanted, ""}
	if len(r.Rounds) > 1 {
		cells[3] = number(r.Least) + "–" + number(r.Most)
	}
	if r.Ratio != nil {
		cells[4] = number(r.Ratio.Median)
		if len(r.Rounds) > 1 {
			cells[4] += fmt.Sprintf(" (%s–%s)", number(r.Ratio.Least), number(r.Ratio.Most))
		}
		cells[4] += " of " + r.Ratio.Of
	}
	if r.Reached != nil {
		cells[6] = "no"
		if *r.Reached {
			cells[6] = "yes"
		}
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
		if line[6] == "no" {
			line[6] = "**no**"
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(line, " | "))
	}
	fmt.Fprintf(&out, "\n%s\n", r.provenance())
	return out.String()
}

// Marks between which a document keeps the table.
const (
	markBegin = "<!-- bench:begin -->\n"
	markEnd   = "<!-- bench:end -->\n"
)

// WriteDocs puts the table into a document, between its marks.
func (r *Report) WriteDocs(file string) error {
	document, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	before, rest, opened := strings.Cut(string(document), markBegin)
	_, after, closed := strings.Cut(rest, markEnd)
	if !opened || !closed {
		return errors.New("write the table: " + file + " lacks the lines " + strings.TrimSpace(markBegin) + " and " + strings.TrimSpace(markEnd))
	}
	text := before + markBegin + "\n" + r.Markdown() + "\n" + markEnd + after
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // the operator names the document
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
