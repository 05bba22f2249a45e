package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// twoTables is a document with a place for each shape.
const twoTables = "<!-- bench:begin -->\none\n<!-- bench:end -->\nbetween\n<!-- bench:stack:begin -->\nother\n<!-- bench:stack:end -->\nafter\n"

func document(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "benchmarks.md")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestWriteDocsPutsTheTableWhereItsShapeBelongs(t *testing.T) {
	t.Parallel()
	report := measured()
	report.Scenarios = Names()
	table := "\n" + report.Markdown() + "\n"
	for shape, want := range map[Shape]string{
		DevShape:   "<!-- bench:begin -->\n" + table + "<!-- bench:end -->\nbetween\n<!-- bench:stack:begin -->\nother\n<!-- bench:stack:end -->\nafter\n",
		StackShape: "<!-- bench:begin -->\none\n<!-- bench:end -->\nbetween\n<!-- bench:stack:begin -->\n" + table + "<!-- bench:stack:end -->\nafter\n",
	} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			file, report := document(t, twoTables), *report
			report.Shape = shape
			require.NoError(t, report.WriteDocs(file))
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, want, string(text))
		})
	}
}

func TestTheDocumentOfThisHouseHasAPlaceForEachShape(t *testing.T) {
	t.Parallel()
	for _, shape := range []Shape{DevShape, StackShape} {
		require.NoError(t, CheckDocs("../../../docs/benchmarks.md", shape, Names()), "%s", shape)
	}
}

// A part would drop the rows of the others, and another shape is comparable with
// neither.
func TestADocumentGetsNoPartOfATable(t *testing.T) {
	t.Parallel()
	file, report := document(t, twoTables), measured()
	report.Shape = DevShape
	require.ErrorContains(t, report.WriteDocs(file), "here are missing: coalesced, fanout, idle, neighbour, hanging, storm, memory")
	require.ErrorContains(t, CheckDocs(file, StackShape, Names()[1:]), "here are missing: strict")
	require.ErrorContains(t, CheckDocs(file, "", Names()), "this is neither")
	require.ErrorContains(t, CheckDocs(document(t, "<!-- bench:begin -->\n<!-- bench:end -->\n"), StackShape, Names()), "lacks the lines <!-- bench:stack:begin -->")
	require.ErrorContains(t, CheckDocs(file+".none", DevShape, Names()), "no such file")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, twoTables, string(text))
}

func TestProvenanceSaysHowItWasMeasuredAndWhatWasNot(t *testing.T) {
	t.Parallel()
	report, err := Run(t.Context(), Options{
		Quick: true, Scenarios: []string{"batch", "memory", "idle"}, Receiver: "127.0.0.1:0", Progress: t.Output(), Command: "posthaste bench --quick",
	}, withSettings(newStandIn(t).stage()))
	require.NoError(t, err)
	text := report.provenance()
	require.Contains(t, text, "with `posthaste bench --quick`")
	require.Contains(t, text, "GOGC 50;")
	require.Contains(t, text, "Not chosen: strict, coalesced, fanout, neighbour, hanging, storm.")
	require.Contains(t, text, "Left out, since they could not run: idle, memory.")
	require.NotContains(t, text, "rofiles")
	require.NotContains(t, text, "PostgreSQL")
}

func withSettings(s Stage) Stage {
	s.Settings = map[string]string{"GOGC": "50"}
	return s
}
