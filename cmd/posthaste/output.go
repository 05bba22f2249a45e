package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-isatty"
)

// output is the choice that every command has which prints data: a table for a
// person, or JSON for a program. What is made for a shell's $(…) and is one bare
// value (a token, a keyset) has no such choice.
type output struct {
	JSON bool `name:"json" help:"Print JSON, for programs."`
}

// writeJSON writes one value on one line.
func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false) // for a terminal, not for a page
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// writeTable writes rows under a head, in columns.
func writeTable(out io.Writer, head []string, rows [][]string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// isTerminal reports whether a person looks at what is written, on something
// that can redraw its last lines.
func isTerminal(out io.Writer) bool {
	file, ok := out.(interface{ Fd() uintptr })
	return ok && isatty.IsTerminal(file.Fd())
}
