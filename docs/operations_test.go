package docs

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

// temporalCall is a call of the Temporal CLI, up to the end of the command.
var temporalCall = regexp.MustCompile("(?m)(?:^|[\\s\"(])temporal ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)+)((?: +(?:\"[^\"]*\"|[^\\s|;&)]+))*)")

// TestTemporalCommandsExist asks the Temporal CLI for each command that a
// document names whether it has it, with these flags.
func TestTemporalCommandsExist(t *testing.T) {
	t.Parallel()
	cli := filepath.Join(root, "bin/temporal")
	if _, err := os.Stat(cli); err != nil {
		t.Skip("bin/temporal is not built: make bin/temporal")
	}
	help := map[string]string{}
	for name, text := range documents(t) {
		for _, code := range codeOf(text) {
			for _, match := range temporalCall.FindAllStringSubmatch(code, -1) {
				words := strings.Fields(match[1])
				if len(words) > 3 {
					words = words[:3] // a value follows
				}
				key := strings.Join(words, " ")
				if help[key] == "" {
					output, err := exec.CommandContext(t.Context(), cli, append(words, "--help")...).CombinedOutput()
					require.NoError(t, err, "%s: temporal %s", name, key)
					help[key] = string(output)
				}
				require.Contains(t, help[key], "temporal "+key, "%s: there is no command temporal %s", name, key)
				for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(match[2], -1) {
					require.Contains(t, help[key], flag, "%s: temporal %s has no flag %s", name, key, flag)
				}
			}
		}
	}
	require.Greater(t, len(help), 3)
}

// TestKubernetesRunsCommandsThatExist holds the arguments of the manifests'
// containers to the grammar of the command line. That they are manifests at all
// is held in deploy/.
func TestKubernetesRunsCommandsThatExist(t *testing.T) {
	t.Parallel()
	grammar, seen := commandLine(t), []string{}
	files, err := filepath.Glob(filepath.Join(root, "deploy/kubernetes/*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		decoder := yaml.NewDecoder(strings.NewReader(read(t, "deploy/kubernetes/"+filepath.Base(file))))
		for {
			var manifest struct {
				Kind string `yaml:"kind"`
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct {
								Args []string `yaml:"args"`
							} `yaml:"containers"`
						} `yaml:"spec"`
					} `yaml:"template"`
				} `yaml:"spec"`
			}
			err := decoder.Decode(&manifest)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, file)
			for _, container := range manifest.Spec.Template.Spec.Containers {
				grammar.accepts(t, container.Args, file)
				seen = append(seen, strings.Join(container.Args, " "))
			}
		}
	}
	require.ElementsMatch(t, []string{"migrate up", "serve --role api", "serve --role worker"}, seen)
}

// TestQueriesRun runs each query of the operator's document on a database that
// has our tables and nothing in them.
func TestQueriesRun(t *testing.T) {
	t.Parallel()
	target := modelstest.URL(t, modelstest.Postgres)
	_, err := models.MigrateUp(t.Context(), target)
	require.NoError(t, err)
	connection, err := pgx.Connect(t.Context(), target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })
	seen := 0
	for _, code := range codeOf(read(t, "docs/operations.md")) {
		if !strings.HasPrefix(code, "SELECT ") && !strings.HasPrefix(code, "SET ") {
			continue
		}
		seen++
		_, err := connection.Exec(t.Context(), code)
		require.NoError(t, err, code)
	}
	require.Greater(t, seen, 3)
}
