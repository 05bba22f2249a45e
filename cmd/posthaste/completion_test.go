package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompletionScriptsAreAcceptedByTheirShells(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			script := call(t, nil, "completion", shell)
			require.Equal(t, exitOK, script.code, script.errors)
			require.Contains(t, script.out, "__complete")
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			command := exec.CommandContext(t.Context(), path, "-n")
			command.Stdin = strings.NewReader(script.out)
			output, err := command.CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Empty(t, string(output))
		})
	}
}

// TestFishOffersFilesOnlyWhereNothingIsKnown puts a function in place of the
// program, which knows one answer.
func TestFishOffersFilesOnlyWhereNothingIsKnown(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("fish is not installed")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.json"), nil, 0o600))
	for answer, want := range map[string]string{"echo rewrap": "rewrap", "true": "report.json"} {
		command := exec.CommandContext(t.Context(), path, "--no-config")
		command.Dir = dir
		command.Env = append(os.Environ(), "HOME="+dir)
		command.Stdin = strings.NewReader("function posthaste; " + answer + "; end\n" + fishCompletion + "complete -C 'posthaste re'\n")
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
		word, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\t")
		require.Equal(t, want, word)
	}
}

func TestCompletionOffersWhatTheGrammarTakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		words []string
		want  []string // some of them
		not   []string
	}{
		{"commands", []string{""}, []string{"dev", "serve", "send", "listen", "completion"}, []string{"__complete", "--help"}},
		{"commands that begin so", []string{"se"}, []string{"serve", "send"}, []string{"dev", "listen"}},
		{"commands below", []string{"migrate", ""}, []string{"up", "status"}, []string{"send"}},
		{"flags", []string{"send", "--"}, []string{"--data", "--follow", "--api-key", "--json", "--help"}, []string{"--fail"}},
		{"after flags with and without values", []string{"send", "--follow", "--key", "send", "order."}, []string{"order.paid", "order.refunded"}, nil},
		{"events of a provider", []string{"send", "--provider", "akol", "call."}, []string{"call.ended"}, []string{"order.paid"}},
		{"no second event", []string{"send", "order.paid", ""}, nil, []string{"order.paid"}},
		{"providers", []string{"listen", "--provider", "ak"}, []string{"akol", "aktify"}, []string{"standard"}},
		{"providers behind =", []string{"listen", "--provider=ak"}, []string{"--provider=akol", "--provider=aktify"}, nil},
		{"as bash parts it", []string{"listen", "--provider", "=", "ak"}, []string{"akol", "aktify"}, nil},
		{"as bash parts it, at once", []string{"listen", "--provider", "="}, []string{"akol", "standard"}, nil},
		{"closed sets", []string{"serve", "--role", ""}, []string{"all", "api", "worker"}, nil},
		{"shells", []string{"completion", ""}, []string{"bash", "zsh", "fish"}, nil},
		{"a value that nobody knows", []string{"send", "--data", ""}, nil, []string{"order.paid", "--follow"}},
		{"nonsense", []string{"--what", "deliver", "x", "--"}, []string{"--help"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := call(t, nil, append([]string{"__complete", "--"}, tt.words...)...)
			require.Equal(t, exitOK, got.code)
			require.Empty(t, got.errors)
			var words []string
			for line := range strings.Lines(got.out) {
				word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				words = append(words, word)
			}
			require.Subset(t, words, tt.want)
			for _, not := range tt.not {
				require.NotContains(t, words, not)
			}
		})
	}
}
