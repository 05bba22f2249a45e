package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
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
		fileJWTSecret: dir.jwtSecret, fileKeyset: dir.keyset, fileDemoSecret: dir.demoSecret,
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

// The API below is a stand-in of ten lines; that the real one takes these
// requests is for the whole-system tests to show.
func TestDemoWebhookIsMadeOnce(t *testing.T) {
	t.Parallel()
	var calls []string
	var webhooks []map[string]any
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method+" "+r.URL.Path)
		if r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"no","errors":{"url":"must use https"}}`))
			return
		}
		var body map[string]any
		if r.Method != http.MethodGet {
			_ = json.NewDecoder(r.Body).Decode(&body)
		}
		switch r.Method {
		case http.MethodPost:
			body["id"] = "w1"
			webhooks = append(webhooks, body)
		case http.MethodPatch:
			webhooks[0]["url"] = body["url"]
		case http.MethodGet:
			if r.URL.Query().Get("cursor") == "" { // the webhook is on the second page
				_, _ = w.Write([]byte(`{"data":[{"id":"w0","name":"other"}],"pagination":{"nextCursor":"2"}}`))
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"data": webhooks})
		}
	}))
	defer api.Close()

	d := demo{api: api.URL, token: "token", target: "http://127.0.0.1:8090/webhooks", secret: demoSecret}
	require.NoError(t, d.ensure(t.Context()))
	require.NoError(t, d.ensure(t.Context()))
	d.target = "http://127.0.0.1:9090/webhooks"
	require.NoError(t, d.ensure(t.Context()))

	require.Len(t, webhooks, 1)
	require.Equal(t, map[string]any{
		"id": "w1", "provider": "standard", "name": demoName, "url": d.target, "events": []any{"*"}, "secret": demoSecret,
	}, webhooks[0])
	require.Equal(t, []string{
		"GET /api/webhooks", "GET /api/webhooks", "POST /api/webhooks",
		"GET /api/webhooks", "GET /api/webhooks",
		"GET /api/webhooks", "GET /api/webhooks", "PATCH /api/webhooks/w1",
	}, calls)

	d.token = "another"
	require.ErrorContains(t, d.ensure(t.Context()), "must use https")
}

func TestCurlLineNamesTheProviderOnlyWhereNeeded(t *testing.T) {
	t.Parallel()
	d := demo{api: "http://127.0.0.1:8080", token: "t"}
	require.Equal(t, `curl -sS http://127.0.0.1:8080/api/events -H 'Authorization: Bearer t' -H 'Content-Type: application/json' -d '{"type":"order.paid","data":{"orderId":1042,"total":"19.90","currency":"EUR"}}'`, d.curl("standard"))
	require.Contains(t, d.curl("actiwapi"), `{"provider":"standard","type"`)
	require.NotContains(t, strings.TrimSpace(d.curl("standard")), "\n")
}
