package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	require.Equal(t, spread{Median: 2, Least: 1, Most: 9}, spreadOf([]float64{9, 1, 2}))
	require.Equal(t, spread{Median: 2.5, Least: 1, Most: 4}, spreadOf([]float64{4, 1, 3, 2}))
	require.Equal(t, spread{}, spreadOf(nil))
}

func TestRatioIsThatOfEachRound(t *testing.T) {
	t.Parallel()
	// The machine was slow in the second round: the medians, 20 and 40, would say 0.5.
	ratio, ok := ratioOf([]float64{40, 10, 20}, []float64{50, 20, 40})
	require.True(t, ok)
	require.Equal(t, spread{Median: 0.5, Least: 0.5, Most: 0.8}, ratio)
	ratio, ok = ratioOf([]float64{60, 10, 20}, []float64{40, 20, 10})
	require.True(t, ok)
	require.Equal(t, spread{Median: 1.5, Least: 0.5, Most: 2}, ratio, "the medians would say 1")
	for _, base := range [][]float64{nil, {0}, {1, 2}} {
		_, ok := ratioOf([]float64{20}, base)
		require.False(t, ok, "%v", base)
	}
	_, ok = ratioOf(nil, nil)
	require.False(t, ok)
}

func TestEveryOtherRoundGoesBackwards(t *testing.T) {
	t.Parallel()
	arms := []string{"floor", "events", "more"}
	for round := range 4 {
		want := []string{"floor", "events", "more"}
		if round%2 == 1 {
			want = []string{"more", "events", "floor"}
		}
		require.Equal(t, want, inTurn(arms, round))
	}
	require.Equal(t, []string{"floor", "events", "more"}, arms)
}

// A figure may be compared with one thing and have to reach another.
func TestBoundIsOfWhatItWasGivenFor(t *testing.T) {
	t.Parallel()
	r := results{scenario: "fanout"}
	for range 2 {
		r.note("one", "/s", 300)
		r.note("many", "/s", 5000)
		r.note("nothing", "/s", 0)
		r.note("close", "/s", 310)
	}
	r.compare("many", "one", nil)
	r.want("many", atLeast(4500, "/s"))
	r.compare("close", "one", atMost(1.01))
	r.compare("one", "nothing", atMost(2))
	r.note("late", "", 1)
	r.compare("late", "early", atMost(2))
	r.finish()
	reached := map[string]bool{"many": true, "close": false, "one": false, "late": false}
	for _, row := range r.rows {
		if want, bounded := reached[row.Figure]; bounded {
			require.NotNil(t, row.Reached, row.Figure)
			require.Equal(t, want, *row.Reached, row.Figure)
		}
	}
	require.InDelta(t, 50.0/3, r.row("many").Ratio.Median, 1e-9)
	require.Nil(t, r.row("one").Ratio, "nothing was measured to compare it with")
}

// A server that refuses has less to do: what it does with the rest is no figure
// that reaches anything.
func TestNothingIsReachedWithoutTheRefused(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	whole := window{flow: f, from: f.begin(2, 1, nil), to: 2}
	f.accept(0, 2, 2)
	broken := window{flow: f, from: f.begin(3, 1, nil), to: 5}
	f.accept(2, 1, 2)
	r := results{scenario: "neighbour"}
	r.noteLoad("alone", "ms", 10, broken)
	r.noteLoad("beside", "ms", 10, whole)
	r.noteLoad("rate", "/s", 5000, whole)
	r.noteLoad("rate", "/s", 5000, broken)
	r.noteLoad("whole", "/s", 5000, whole)
	r.compare("beside", "alone", atMost(2))
	r.compare("whole", "beside", nil)
	for _, figure := range []string{"rate", "whole"} {
		r.want(figure, atLeast(4500, "/s"))
	}
	r.finish()
	require.Equal(t, "no, 2 events of it were refused", r.row("rate").cells()[6])
	require.Equal(t, "no, 2 events of it were refused", r.row("beside").cells()[6], "what it is compared with has refusals")
	require.Equal(t, "yes", r.row("whole").cells()[6])
	require.Empty(t, r.row("alone").cells()[6], "nothing is asked of it")
	report := Report{Scenarios: []string{"neighbour"}, Rows: r.rows}
	require.Contains(t, report.Markdown(), "| ≥ 4500/s | **no**, 2 events of it were refused |\n")
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for part, want := range map[float64]int{0: 1, 0.5: 50, 0.95: 95, 0.99: 99, 1: 100} {
		require.Equal(t, want, percentile(hundred, part), "%v", part)
	}
	require.Equal(t, 7, percentile([]int{7}, 0.5))
	require.Zero(t, percentile([]int(nil), 0.5))
}

func TestNumberIn(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int64{
		`{"type":"x","data":{"n":1024,"text":"0"}}`: 1024, `{"n":0}`: 0, `{"n":"4"}`: -1, `{}`: -1, `{"n":`: -1,
	} {
		require.Equal(t, want, numberIn([]byte(body)), body)
	}
}

func TestPartOfABatchRefusedIsRefused(t *testing.T) {
	t.Parallel()
	require.Equal(t, 202, answered(202, []byte(`{"data":[{"status":"accepted"}]}`)))
	require.Equal(t, 503, answered(202, []byte(`[{"status":"accepted"},{"status":"refused","code":"UNAVAILABLE"}]`)))
	require.Equal(t, 429, answered(202, []byte(`[{"status":"accepted"},{"status":"refused","code":"RATE_LIMITED"}]`)))
	require.Equal(t, 400, answered(202, []byte(`[{"status":"refused","code":"VALIDATION_ERROR"}]`)))
	require.Equal(t, 403, answered(403, nil))
}

func TestVerdictTellsLostAndTwice(t *testing.T) {
	t.Parallel()
	f := newFlow(2)
	first := f.begin(3, f.now(), nil)
	f.accept(first, 2, f.now()) // the third is refused
	for n, hooks := range map[int64][]int{first: {0, 1, 1}, first + 1: {0}} {
		for _, hook := range hooks {
			_, ours := f.tried(n, hook)
			require.True(t, ours)
			f.arrive(n, hook, f.now())
		}
	}
	require.Equal(t, Verdict{Accepted: 2, Refused: 1, Expected: 4, Lost: 1, Duplicates: 1}, f.verdict())
	_, ours := f.tried(99, 0)
	require.False(t, ours, "nobody sent it")
	require.EqualValues(t, 4, f.posts.Load())
}

func TestWindowCountsWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	const second = int64(time.Second)
	for _, moments := range [][3]int64{ // scheduled, accepted, arrived
		{1 * second, 2 * second, 3 * second}, // scheduled before the window, arrived in it
		{3 * second, 4 * second, 5 * second},
		{4 * second, 5 * second, 7 * second},
		{5 * second, 6 * second, 20 * second}, // arrived after it
	} {
		n := f.begin(1, moments[0], nil)
		f.accept(n, 1, moments[1])
		f.arrive(n, 0, moments[2])
	}
	w := window{flow: f, to: 4, began: 2 * second, end: 12 * second}
	require.InDelta(t, 0.3, w.perSecond(), 1e-9)
	require.Equal(t, []time.Duration{2 * time.Second, 3 * time.Second, 15 * time.Second}, w.latencies())
	require.Equal(t, []time.Duration{time.Second, time.Second, time.Second}, w.answers())
}

func TestWaiterIsToldOnceAllHasCome(t *testing.T) {
	t.Parallel()
	f, w := newFlow(2), newWaiter()
	n := f.begin(2, 1, w)
	for _, event := range []int64{n, n + 1} {
		for hook := range 2 {
			require.Empty(t, w.done)
			f.arrive(event, hook, 1)
			f.arrive(event, hook, 1) // again, which is no news
		}
	}
	require.NoError(t, w.wait(t.Context()))
}

// measured is a report with every kind of row.
func measured() *Report {
	r := results{scenario: "strict", verdicts: map[string]Verdict{"strict": {Expected: 10, Refused: 3}, "batch": {Expected: 5, Lost: 1}}}
	for i, rate := range []float64{100, 200, 150} {
		r.note(floorRate, "/s", rate)
		r.note(eventsRate, "/s", rate*0.9)
		r.detail("secret", "ms", float64(i))
	}
	r.compare(eventsRate, floorRate, atLeast(0.8, ""))
	r.scenario = "batch"
	r.note(eventsRate, "/s", 2499.4)
	r.want(eventsRate, atLeast(2500, "/s"))
	r.finish()
	return &Report{
		Scenarios: []string{"strict", "batch"}, LeftOut: []string{"memory"}, Verdicts: r.verdicts, Rows: r.rows,
		Facts: map[string]string{"Go": "go1"},
	}
}

func TestLinesOfTheTable(t *testing.T) {
	t.Parallel()
	require.Equal(t, [][]string{
		{"strict", floorRate, "150/s", "100–200 in 3 rounds", "", "", ""},
		{"strict", eventsRate, "135/s", "90–180 in 3 rounds", "0.9 (0.9–0.9) of " + floorRate, "≥ 0.8", "yes"},
		{"strict", "of 10 deliveries: lost, twice; events refused", "0, 0; 3", "", "", "0, 0", "yes"},
		{"batch", eventsRate, "2499/s", "once", "", "≥ 2500/s", "no"},
		{"batch", "of 5 deliveries: lost, twice; events refused", "1, 0; 0", "", "", "0, 0", "no"},
	}, measured().lines())
	require.True(t, measured().Lost())
}

func TestNumbersAreShort(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 1.5: "1.5", 2: "2", 12.345: "12.3", 123.45: "123", 1234.5: "1234", 0.00001: "0",
	} {
		require.Equal(t, want, number(value))
	}
}

func TestWriteDocsReplacesWhatIsBetweenTheMarks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	markBegin, markEnd := DevShape.marks()
	require.NoError(t, os.WriteFile(file, []byte("before\n"+markBegin+"old\n"+markEnd+"after\n"), 0o600))
	all := measured()
	all.Scenarios, all.Shape = Names(), DevShape
	for range 2 {
		require.NoError(t, all.WriteDocs(file))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "before\n"+markBegin+"\n"+all.Markdown()+"\n"+markEnd+"after\n", string(text))
	require.Contains(t, string(text), "| batch | events | 2499/s | once |  | ≥ 2500/s | **no** |\n")
	require.Contains(t, string(text), "Left out, since they could not run: memory.")

	require.NoError(t, os.WriteFile(file, []byte(markEnd+markBegin), 0o600))
	require.ErrorContains(t, all.WriteDocs(file), "lacks the lines")
}

func TestJSONHasEveryRound(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bench.json")
	require.NoError(t, measured().WriteJSON(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var read Report
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, []float64{90, 180, 135}, read.Rows[1].Rounds)
	require.InDelta(t, 135, read.Rows[1].Median, 1e-9)
	require.InDelta(t, 0.9, read.Rows[1].Ratio.Median, 1e-9)
	require.Equal(t, "secret", read.Rows[2].Figure)
}

func TestChoose(t *testing.T) {
	t.Parallel()
	remote := Stage{Remote: &Server{}}
	chosen, leftOut, err := choose(nil, remote)
	require.NoError(t, err)
	require.Len(t, chosen, 3)
	require.Equal(t, []string{"strict", "coalesced", "idle", "neighbour", "hanging", "memory"}, namesOf(leftOut))

	_, _, err = choose([]string{"memory"}, remote)
	require.ErrorContains(t, err, "memory needs a Posthaste of its own")
	_, _, err = choose([]string{"nonsense"}, Stage{})
	require.ErrorContains(t, err, "strict, batch")
}
