package bench

import "fmt"

// Row is one figure of a scenario: all that was measured of it.
type Row struct {
	Scenario string    `json:"scenario"`
	Figure   string    `json:"figure"`
	Unit     string    `json:"unit,omitempty"`
	Rounds   []float64 `json:"rounds"`
	spread
	Ratio   *Ratio `json:"ratio,omitempty"`
	Wanted  string `json:"wanted,omitempty"` // of the median, or of the ratio
	Reached *bool  `json:"reached,omitempty"`
	Detail  bool   `json:"detail,omitempty"` // too much for the table
	// Refused counts the events of all rounds that were refused, where the figure is
	// a rate or a latency: it is of the others alone.
	Refused int64 `json:"refused,omitempty"`

	bound   *bound
	ofRatio bool // what the bound is about; else the median
	base    *Row // what the row is compared with; nil = nothing
}

// refusals are the events that are missing in what the bound is about: without
// them nothing is reached, since a server that refuses more has less to do.
func (r *Row) refusals() int64 {
	if r.ofRatio && r.base != nil {
		return r.Refused + r.base.Refused
	}
	return r.Refused
}

// Ratio compares a figure with another of its scenario.
type Ratio struct {
	Of string `json:"of"`
	spread
}

// bound is what a figure must reach.
type bound struct {
	least bool // or most
	value float64
	unit  string
}

func atLeast(value float64, unit string) *bound { return &bound{least: true, value: value, unit: unit} }
func atMost(value float64) *bound               { return &bound{value: value} }

func (b *bound) String() string {
	sign := "≤"
	if b.least {
		sign = "≥"
	}
	return fmt.Sprintf("%s %s%s", sign, number(b.value), b.unit)
}

func (b *bound) holds(value float64) bool {
	if b.least {
		return value >= b.value
	}
	return value <= b.value
}

// results are the rows of a run, in the order in which they were first measured.
type results struct {
	scenario string // the one that is running
	rows     []*Row
	verdicts map[string]Verdict
	order    []string // scenarios that ran
}

// note adds what a round measured.
func (r *results) note(figure, unit string, value float64) *Row {
	row := r.row(figure)
	if row == nil {
		row = &Row{Scenario: r.scenario, Figure: figure, Unit: unit}
		r.rows = append(r.rows, row)
	}
	row.Rounds = append(row.Rounds, value)
	return row
}

// detail is note for what only the JSON shows.
func (r *results) detail(figure, unit string, value float64) {
	r.note(figure, unit, value).Detail = true
}

// noteLoad is note for a rate or a latency of the events of a load.
func (r *results) noteLoad(figure, unit string, value float64, w window) *Row {
	row := r.note(figure, unit, value)
	row.Refused += w.refused()
	return row
}

// want says what the median of a figure must reach.
func (r *results) want(figure string, b *bound) {
	if row := r.row(figure); row != nil {
		row.bound, row.ofRatio = b, false
	}
}

// compare relates a figure to another, with what the ratio must reach; nil where
// nothing is asked of it. Without a ratio nothing is reached, also where what it
// is compared with was never measured.
func (r *results) compare(figure, of string, b *bound) {
	row, base := r.row(figure), r.row(of)
	if row == nil {
		return
	}
	if base != nil {
		row.base = base
		if ratio, ok := ratioOf(row.Rounds, base.Rounds); ok {
			row.Ratio = &Ratio{Of: of, spread: ratio}
		}
	}
	if b != nil {
		row.bound, row.ofRatio = b, true
	}
}

func (r *results) row(figure string) *Row {
	for _, row := range r.rows {
		if row.Scenario == r.scenario && row.Figure == figure {
			return row
		}
	}
	return nil
}

// judge adds what became of a stream's deliveries.
func (r *results) judge(s *stream) {
	v := r.verdicts[r.scenario]
	v.add(s.verdict())
	if refusal := s.refusal.Load(); refusal != nil && v.Refusal == "" {
		v.Refusal = refusal.Error()
	}
	r.verdicts[r.scenario] = v
}

// finish works out what all rounds come to.
func (r *results) finish() {
	for _, row := range r.rows {
		row.spread = spreadOf(row.Rounds)
		if row.bound == nil {
			continue
		}
		reached := false
		switch {
		case row.refusals() > 0:
		case !row.ofRatio:
			reached = row.bound.holds(row.Median)
		case row.Ratio != nil:
			reached = row.bound.holds(row.Ratio.Median)
		}
		row.Wanted, row.Reached = row.bound.String(), &reached
	}
}
