// Package docs holds no code, only the tests that hold the documents: what they
// name exists, and what they repeat is fresh. Tables between markers are
// rewritten by
//
//	go test ./docs -update
package docs

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/config"
	"posthaste/models"
)

var update = flag.Bool("update", false, "rewrite the tables between markers")

// root is the repository, seen from this package.
const root = ".."

// generated lists every table that is written by a program: in which document,
// between which markers, and what belongs there.
var generated = []struct {
	file, marker string
	want         func() string
}{
	{"README.md", "settings", config.MarkdownTable},
	{"docs/architecture.md", "states", stateTable},
}

func TestGeneratedTablesAreFresh(t *testing.T) {
	t.Parallel()
	for _, table := range generated {
		t.Run(table.marker, func(t *testing.T) {
			t.Parallel()
			text := read(t, table.file)
			before, rest, opened := strings.Cut(text, "<!-- "+table.marker+" -->\n")
			got, after, closed := strings.Cut(rest, "<!-- /"+table.marker+" -->\n")
			require.True(t, opened && closed, "%s has no markers %s", table.file, table.marker)
			want := "\n" + strings.TrimSpace(table.want()) + "\n\n"
			if *update && got != want {
				fresh := before + "<!-- " + table.marker + " -->\n" + want + "<!-- /" + table.marker + " -->\n" + after
				require.NoError(t, os.WriteFile(filepath.Join(root, table.file), []byte(fresh), 0o600))
				return
			}
			require.Equal(t, want, got, "run: go test ./docs -update")
		})
	}
}

// stateTable writes models.Transitions as one row per state and one column per
// step; an empty cell is a step that the state refuses.
func stateTable() string {
	next := map[models.State]map[models.Step]models.State{}
	used := map[models.Step]bool{}
	for _, transition := range models.Transitions() {
		if next[transition.From] == nil {
			next[transition.From] = map[models.Step]models.State{}
		}
		next[transition.From][transition.Step] = transition.To
		used[transition.Step] = true
	}
	steps := slices.DeleteFunc(slices.Clone(models.Steps()), func(s models.Step) bool { return !used[s] })
	var out strings.Builder
	out.WriteString("| from \\ step |")
	for _, step := range steps {
		fmt.Fprintf(&out, " %s |", step)
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(steps)) + "\n")
	for _, state := range append([]models.State{""}, models.States()...) {
		name := "`" + string(state) + "`"
		if state == "" {
			name = "(not yet made)"
		}
		fmt.Fprintf(&out, "| %s |", name)
		for _, step := range steps {
			fmt.Fprintf(&out, " %s |", next[state][step])
		}
		out.WriteString("\n")
	}
	return out.String()
}

// pathInText finds what looks like a path of this repository in a code span.
var pathInText = regexp.MustCompile("`([A-Za-z0-9_.@<>*{},/-]+)`")

func TestPathsExist(t *testing.T) {
	t.Parallel()
	tops := topLevel(t)
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, match := range pathInText.FindAllStringSubmatch(text, -1) {
				path := strings.TrimSuffix(match[1], "/...")
				top, _, isPath := strings.Cut(path, "/")
				if !tops[top] || !isPath && !strings.Contains(path, ".") || top == "bin" {
					continue
				}
				found, err := filepath.Glob(filepath.Join(root, placeholder.ReplaceAllString(path, "*")))
				require.NoError(t, err, path)
				require.NotEmpty(t, found, "%s names %s, which does not exist", name, path)
			}
		})
	}
}

// placeholder is a part of a path that stands for any name: <name>.
var placeholder = regexp.MustCompile(`<[a-z-]+>`)

// link is a Markdown link to something that is not on the web.
var link = regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join(root, filepath.Dir(name), match[1]))
			require.NoError(t, err, "%s links to %s", name, match[1])
		}
	}
}

// makeCall is a call of make, with its targets.
var makeCall = regexp.MustCompile(`(?m)(?:^|[\s;&|(])make((?: [a-z][a-z0-9/_-]*)+)`)

func TestMakeTargetsExist(t *testing.T) {
	t.Parallel()
	targets := makeTargets(t)
	seen := 0
	for name, text := range documents(t) {
		for _, code := range codeOf(text) {
			for _, match := range makeCall.FindAllStringSubmatch(code, -1) {
				for target := range strings.FieldsSeq(match[1]) {
					seen++
					require.True(t, targets[target], "%s says make %s, which the Makefile does not have", name, target)
				}
			}
		}
	}
	require.Positive(t, seen)
}

// variable is a setting of ours.
var variable = regexp.MustCompile(`POSTHASTE_[A-Z0-9_]*[A-Z0-9]`)

func TestSettingsNamedExist(t *testing.T) {
	t.Parallel()
	texts := documents(t)
	for _, name := range []string{"docker-compose.yml", "Dockerfile", ".github/workflows/ci.yml"} {
		texts[name] = read(t, name)
	}
	known := settings()
	for _, name := range []string{"POSTHASTE_TEST_REQUIRE", "POSTHASTE_TEST_DATABASE_URL", "POSTHASTE_FAILPOINTS"} {
		known[name] = "" // of the tests, not of the program as it is built for use
	}
	for _, flag := range commandLineVariables(t) {
		known[flag] = "" // of a command's own flag, and no setting of the service
	}
	for name, text := range texts {
		for _, setting := range variable.FindAllString(text, -1) {
			require.Contains(t, known, setting, "%s names a setting that config does not have", name)
		}
	}
}

// settings maps every variable of config to its flag.
func settings() map[string]string {
	flags := map[string]string{}
	for _, setting := range config.Table() {
		flags[setting.Variable] = setting.Flag
	}
	return flags
}

// route is one row of the API's route table.
var route = regexp.MustCompile(`\{http\.Method(\w+), ("[^"]+"|path\w+),`)

// constant is a path that the route table names elsewhere.
var constant = regexp.MustCompile(`(?m)^\s*(path\w+)\s*= ("[^"]+")`)

// curl is a call of the API in a document.
var curl = regexp.MustCompile(`curl\b[^\n]*?\$API(/[^\s"'?]*)[^\n]*`)

// method is the method that a curl line names.
var method = regexp.MustCompile(`-X ([A-Z]+)`)

func TestCurlLinesMatchRoutes(t *testing.T) {
	t.Parallel()
	routes, constants := map[string]bool{}, map[string]string{}
	table := read(t, "api/router.go")
	for _, match := range constant.FindAllStringSubmatch(table, -1) {
		constants[match[1]] = match[2]
	}
	for _, match := range route.FindAllStringSubmatch(table, -1) {
		path := cmp.Or(constants[match[2]], match[2])
		path = regexp.MustCompile(`:\w+`).ReplaceAllString(strings.Trim(path, `"`), "*")
		routes[strings.ToUpper(match[1])+" "+path] = true
	}
	require.Greater(t, len(routes), 10, "the route table was not found")
	readme := strings.ReplaceAll(read(t, "README.md"), "\\\n", " ")
	calls := curl.FindAllStringSubmatch(readme, -1)
	require.Greater(t, len(calls), 10)
	for _, call := range calls {
		verb := "GET"
		if named := method.FindStringSubmatch(call[0]); named != nil {
			verb = named[1]
		} else if strings.Contains(call[0], " -d ") || strings.Contains(call[0], " --json ") {
			verb = "POST"
		}
		path := regexp.MustCompile(`\$[A-Z]+`).ReplaceAllString(call[1], "*")
		require.Contains(t, routes, verb+" "+path, "README calls it: %s", call[0])
	}
}

// testName is a test that a document relies on.
var testName = regexp.MustCompile(`\bTest[A-Z]\w*`)

func TestTestsNamedExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	walk(t, "_test.go", func(_, text string) {
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
			known[match[1]] = true
		}
	})
	for name, text := range documents(t) {
		for _, test := range testName.FindAllString(text, -1) {
			require.True(t, known[test], "%s names %s, which does not exist", name, test)
		}
	}
}

func TestDecisionsAreNumberedOnce(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("decisions/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	numbers := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		require.Regexp(t, `^\d{4}-[a-z0-9-]+\.md$`, name)
		require.Empty(t, numbers[name[:4]], "two decisions have the number %s", name[:4])
		numbers[name[:4]] = name
		text := read(t, filepath.Join("docs", file))
		require.Regexp(t, `^# \S`, text, "%s has no title", name)
	}
}

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(text)
}

// documents returns every Markdown file of the repository by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	walk(t, ".md", func(name, text string) { found[name] = text })
	require.Contains(t, found, "README.md")
	return found
}

// walk visits every file of the repository whose name ends so.
func walk(t *testing.T, suffix string, visit func(name, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && path != root
		if entry.IsDir() && (hidden || slices.Contains([]string{"node_modules", "bin", "testdata"}, entry.Name())) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(name), read(t, name))
		return nil
	})
	require.NoError(t, err)
}

// topLevel names what lies in the repository's own folder.
func topLevel(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	return names
}

// fence is a block of code; span is code within a line.
var (
	fence = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	span  = regexp.MustCompile("`([^`\n]+)`")
)

// codeOf returns all code of a document: blocks and spans.
func codeOf(text string) []string {
	var code []string
	for _, match := range fence.FindAllStringSubmatch(text, -1) {
		code = append(code, match[1])
	}
	for _, match := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		code = append(code, match[1])
	}
	return code
}

// target is the head of a rule in the Makefile.
var target = regexp.MustCompile(`(?m)^([a-z][a-z0-9/_-]*):`)

func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	targets := map[string]bool{}
	for _, match := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[match[1]] = true
	}
	require.NotEmpty(t, targets)
	return targets
}
