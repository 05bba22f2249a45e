package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataDirKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "er")
	dir, unlock, err := openDataDir(path)
	require.NoError(t, err)
	first := map[string]string{}
	makers := map[string]func() (string, error){
		fileJWTSecret: dir.jwtSecret, fileDemoSecret: dir.demoSecret,
		fileKeyset: func() (string, error) { return dir.keyset("") },
	}
	for name, make := range makers {
		first[name], err = make()
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(first[name]), 32)
		info, err := os.Stat(dir.file(name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	require.NoError(t, unlock())

	again, unlock, err := openDataDir(path)
	require.NoError(t, err, "the lock is free again")
	defer func() { require.NoError(t, unlock()) }()
	secret, err := again.jwtSecret()
	require.NoError(t, err)
	require.Equal(t, first[fileJWTSecret], secret)
}

func TestFindTemporalCLI(t *testing.T) {
	t.Parallel()
	program := func(folder string) string {
		path := filepath.Join(folder, "temporal")
		require.NoError(t, os.MkdirAll(folder, 0o700))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700))
		return path
	}
	empty, beside, onPath := t.TempDir(), t.TempDir(), t.TempDir()
	besidePath, pathPath := program(beside), program(onPath)
	noProgram := filepath.Join(t.TempDir(), "temporal")
	require.NoError(t, os.WriteFile(noProgram, nil, 0o600))

	tests := []struct{ name, named, executable, path, want, fails string }{
		{"named", pathPath, filepath.Join(beside, "posthaste"), "", pathPath, ""},
		{"beside the executable", "", filepath.Join(beside, "posthaste"), onPath, besidePath, ""},
		{"on PATH", "", filepath.Join(empty, "posthaste"), empty + ":" + onPath, pathPath, ""},
		{"nowhere", "", filepath.Join(empty, "posthaste"), empty, "", "make bin/temporal"},
		{"not from a relative PATH", "", filepath.Join(empty, "posthaste"), ".", "", "--temporal-cli"},
		{"named but no program", noProgram, filepath.Join(beside, "posthaste"), onPath, "", "is no program"},
		{"named but absent", filepath.Join(empty, "x"), filepath.Join(beside, "posthaste"), onPath, "", "is no program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := findTemporalCLI(tt.named, tt.executable, tt.path)
			require.Equal(t, tt.want, got)
			if tt.fails == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.fails)
		})
	}
}

func TestBrowsable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, "http://127.0.0.1:8080"},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}, "http://127.0.0.1:8080"},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 80}, "http://10.0.0.7:80"},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 1}, "http://[::1]:1"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, browsable(tt.give))
	}
}

func TestCleanupRunsInReverseAndOnce(t *testing.T) {
	t.Parallel()
	var order []string
	broken := errors.New("broken")
	var c cleanup
	c.pushFunc("first", func() { order = append(order, "first") })
	c.push("second", func() error { order = append(order, "second"); return broken })
	c.pushFunc("third", func() { order = append(order, "third") })
	err := c.run()
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "close the second")
	require.Equal(t, []string{"third", "second", "first"}, order)
	require.NoError(t, c.run())
	require.Len(t, order, 3)
}

func TestCurlLineNamesTheProviderOnlyWhereNeeded(t *testing.T) {
	t.Parallel()
	d := demo{api: "http://127.0.0.1:8080", token: "t"}
	require.Equal(t, `curl -sS http://127.0.0.1:8080/api/events -H 'Authorization: Bearer t' -H 'Content-Type: application/json' -d '{"type":"order.paid","data":{"orderId":1042,"total":"19.90","currency":"EUR"}}'`, d.curl("standard"))
	require.Contains(t, d.curl("actiwapi"), `{"provider":"standard","type"`)
	require.NotContains(t, strings.TrimSpace(d.curl("standard")), "\n")
}
