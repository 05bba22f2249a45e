package bench

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Shape is what a run was measured on, where documents have a table for that; ""
// is anything else.
type Shape string

// The shapes, each by the name of its marks in a document.
const (
	DevShape   Shape = "bench"       // what the bench starts: Temporal's dev server, SQLite
	StackShape Shape = "bench:stack" // as in production: a running Temporal, PostgreSQL
)

// marks are the lines between which a document keeps the table.
func (s Shape) marks() (begin, end string) {
	return fmt.Sprintf("<!-- %s:begin -->\n", s), fmt.Sprintf("<!-- %s:end -->\n", s)
}

// WriteDocs puts the table into a document, between the marks of what it was
// measured on.
func (r *Report) WriteDocs(file string) error {
	begin, end := r.Shape.marks()
	before, after, err := placeIn(file, r.Shape, r.Scenarios)
	if err != nil {
		return err
	}
	text := before + begin + "\n" + r.Markdown() + "\n" + end + after
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// CheckDocs tells before a run whether its table can be put into a document.
func CheckDocs(file string, shape Shape, scenarios []string) error {
	_, _, err := placeIn(file, shape, scenarios)
	return err
}

// placeIn returns what is before and after the table's place. A table of some
// scenarios would drop what the document says of the others.
func placeIn(file string, shape Shape, scenarios []string) (before, after string, err error) {
	if shape == "" {
		return "", "", errors.New("write the table: a document has one of what the bench starts by itself, and one of a running Temporal with PostgreSQL; this is neither")
	}
	if missing := without(Names(), scenarios); len(missing) > 0 {
		return "", "", fmt.Errorf("write the table: a document has that of all scenarios, and here are missing: %s", strings.Join(missing, ", "))
	}
	document, err := os.ReadFile(file)
	if err != nil {
		return "", "", fmt.Errorf("write the table: %w", err)
	}
	begin, end := shape.marks()
	before, rest, opened := strings.Cut(string(document), begin)
	_, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		return "", "", errors.New("write the table: " + file + " lacks the lines " + strings.TrimSpace(begin) + " and " + strings.TrimSpace(end))
	}
	return before, after, nil
}

// without are the names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}
