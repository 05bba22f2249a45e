// Package generate holds a test alone: that each *.templ file of the dashboard
// has the Go file that comes of it. It is a package of its own so that it runs
// when those do not compile.
package generate

import (
	"bytes"
	"flag"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
	"github.com/stretchr/testify/require"
)

// update writes the Go files (make templ).
var update = flag.Bool("update", false, "write the Go files of the templates")

// folder is where templates are.
const folder = ".."

// TestTemplatesAreGenerated makes the Go file of each template with the version
// of templ that go.mod names, so that nobody needs templ's own command.
func TestTemplatesAreGenerated(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob(filepath.Join(folder, "*.templ"))
	require.NoError(t, err)
	require.NotEmpty(t, templates)
	known := map[string]bool{}
	for _, file := range templates {
		target := strings.TrimSuffix(file, ".templ") + "_templ.go"
		known[target] = true
		want := generated(t, file)
		if *update {
			require.NoError(t, os.WriteFile(target, want, 0o644))
		}
		got, err := os.ReadFile(target)
		require.NoError(t, err, "run make templ")
		require.Equal(t, string(want), string(got), "%s is older than its template: run make templ", target)
	}
	written, err := filepath.Glob(filepath.Join(folder, "*_templ.go"))
	require.NoError(t, err)
	for _, file := range written {
		require.True(t, known[file], "%s comes of no template", file)
	}
}

// generated returns the Go code of a template.
func generated(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	template, err := parser.ParseString(string(text))
	require.NoError(t, err, file)
	var code bytes.Buffer
	_, err = generator.Generate(template, &code, generator.WithFileName(filepath.Base(file)))
	require.NoError(t, err, file)
	formatted, err := format.Source(code.Bytes())
	require.NoError(t, err, file)
	return formatted
}
