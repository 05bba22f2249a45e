package main

import (
	"os"
	"os/exec"
	"path/filepath"
)

// findTemporalCLI returns the path of the Temporal CLI: the one that was named,
// else bin/ beside the executable or in the working directory, else PATH. It
// does not look in the SDK's download cache, which lies in the shared temporary
// folder, where anyone on the machine could put a program for us to run.
func findTemporalCLI(named, executable, path string) (string, error) {
	if named != "" {
		if !isProgram(named) {
			return "", failed(nil, "%s is no program: --temporal-cli must name the Temporal CLI", named)
		}
		return filepath.Abs(named)
	}
	beside := filepath.Dir(executable)
	for _, candidate := range []string{
		filepath.Join(beside, "temporal"),
		filepath.Join(beside, "bin", "temporal"),
		filepath.Join("bin", "temporal"),
	} {
		if isProgram(candidate) {
			return filepath.Abs(candidate)
		}
	}
	for _, folder := range filepath.SplitList(path) {
		if candidate := filepath.Join(folder, "temporal"); filepath.IsAbs(folder) && isProgram(candidate) {
			return candidate, nil
		}
	}
	return "", failed(exec.ErrNotFound, "the Temporal CLI is missing: run `make bin/temporal`, or name one with --temporal-cli")
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
