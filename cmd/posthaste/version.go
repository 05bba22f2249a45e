package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version string

// currentVersion is what the build set, else what Go recorded, else dev.
func currentVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// userAgent is how Posthaste names itself: in every POST, and in --version.
func userAgent() string {
	return "Posthaste/" + strings.TrimPrefix(currentVersion(), "v")
}

type versionCommand struct {
	output
}

// Run prints the version.
func (v versionCommand) Run(c console) error {
	if v.JSON {
		return writeJSON(c.out, map[string]string{"version": currentVersion(), "go": runtime.Version()})
	}
	_, err := fmt.Fprintln(c.out, userAgent())
	return err
}
