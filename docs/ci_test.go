package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCIScriptInstallsWhatIsMissing runs .ci/run where nothing is but stand-ins,
// of which make and apt-get say what they were asked for.
func TestCIScriptInstallsWhatIsMissing(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	for _, test := range []struct {
		name, missing string
		targets       []string
		want          []string
	}{
		{name: "all is there", want: []string{"make check test"}},
		{name: "a target", targets: []string{"race"}, want: []string{"make race"}},
		{name: "no shells", missing: "zsh fish", targets: []string{"test"}, want: []string{
			"ci: installing zsh fish", "apt-get update -qq", "make test",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for _, name := range []string{"go", "git", "node", "npm", "php", "chromium", "initdb", "zsh", "fish", "make", "apt-get"} {
				if !strings.Contains(test.missing, name) {
					standIn(t, bin, name, `echo "`+name+` $*"`)
				}
			}
			standIn(t, bin, "sudo", `shift; exec "$@"`)
			for _, name := range []string{"dirname", "id"} {
				path, err := exec.LookPath(name)
				require.NoError(t, err)
				require.NoError(t, os.Symlink(path, filepath.Join(bin, name)))
			}
			command := exec.CommandContext(t.Context(), bash, append([]string{filepath.Join(root, ".ci/run")}, test.targets...)...)
			command.Env = []string{"PATH=" + bin}
			said, err := command.Output()
			require.NoError(t, err)
			require.Equal(t, test.want, strings.Split(strings.TrimSpace(string(said)), "\n"))
		})
	}
}

func standIn(t *testing.T, bin, name, script string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
}
