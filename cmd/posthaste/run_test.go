package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"posthaste/config"
	"posthaste/keyset"
)

const testSecret = "0123456789abcdef0123456789abcdef"

type result struct {
	code        int
	out, errors string
}

// call runs the program with this environment and no other.
func call(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	return callWith(t, t.Context(), env, "", args...)
}

// callWith is call with something coming in, and until ctx ends.
func callWith(t *testing.T, ctx context.Context, env map[string]string, stdin string, args ...string) result {
	t.Helper()
	var out, errors strings.Builder
	lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }
	code := run(ctx, args, console{in: strings.NewReader(stdin), out: &out, err: &errors, lookupEnv: lookup})
	return result{code, out.String(), errors.String()}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}} {
		got := call(t, nil, args...)
		require.Equal(t, exitOK, got.code)
		require.Empty(t, got.errors)
		for _, command := range []string{"dev", "serve", "migrate up", "migrate status", "token", "keygen", "rewrap", "send", "listen", "health", "version", "completion"} {
			require.Contains(t, got.out, "\n  "+command, command)
		}
	}
}

func TestServeHelpNamesEverySetting(t *testing.T) {
	t.Parallel()
	got := call(t, nil, "serve", "--help")
	require.Equal(t, exitOK, got.code)
	words := strings.Join(strings.Fields(got.out), " ")
	for _, setting := range config.Table() {
		require.Contains(t, words, setting.Flag, setting.Variable)
		require.Contains(t, words, "($"+setting.Variable+")", setting.Variable)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}} {
		got := call(t, nil, args...)
		require.Equal(t, exitOK, got.code)
		require.Regexp(t, `^Posthaste/[^v\s]\S*\n$`, got.out)
	}
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"deliver"}, "deliver"},
		{"unknown flag", []string{"serve", "--nonsense"}, "--nonsense"},
		{"unknown role", []string{"serve", "--role", "both"}, `"all","api","worker"`},
		{"not a number", []string{"serve", "--pollers", "many"}, "--pollers"},
		{"missing tenant", []string{"token"}, "--tenant"},
		{"missing event", []string{"send"}, "<type>"},
		{"no status", []string{"listen", "--fail", "99"}, "--fail"},
		{"a status of nothing", []string{"listen", "--fail", "0"}, "--fail must be a status from 200 to 599"},
		{"first of less than none", []string{"listen", "--fail-first=-1"}, "--fail-first must be 1 or more"},
		{"first of none", []string{"listen", "--fail-first", "0"}, "--fail-first must be 1 or more: leave it out, and without --fail nothing fails"},
		{"a secret where nothing is signed", []string{"listen", "--provider", "activecampaign", "--secret", "hunter2"}, "ActiveCampaign signs nothing, so there is no secret to verify by: leave --secret (POSTHASTE_LISTEN_SECRET) out"},
		{"a secret that is none", []string{"listen", "--secret", "whsec_not base64"}, "--secret must be whsec_ followed by base64"},
		{"a secret without its prefix", []string{"listen", "--provider", "standard", "--secret", "plain"}, "--secret must begin with whsec_"},
		{"unknown shell", []string{"completion", "cmd"}, "bash"},
		{"a key set signs nothing", []string{"token", "--tenant", "acme", "--jwks-url", "https://login.example.com/keys"}, "--jwks-url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := call(t, nil, tt.args...)
			require.Equal(t, exitUsage, got.code)
			require.Empty(t, got.out)
			require.Contains(t, got.errors, "posthaste: ")
			require.Contains(t, got.errors, tt.want)
		})
	}
}

func TestKeygenPrintsOneLineThatWorks(t *testing.T) {
	t.Parallel()
	got := call(t, nil, "keygen")
	require.Equal(t, exitOK, got.code)
	require.Empty(t, got.errors)
	require.Equal(t, 1, strings.Count(got.out, "\n"))
	keys, err := keyset.Parse(got.out)
	require.NoError(t, err)
	sealed, err := keys.Seal([]byte("before"), nil)
	require.NoError(t, err)

	env := map[string]string{"POSTHASTE_ENCRYPTION_KEYSET": strings.TrimSpace(got.out)}
	for _, step := range []string{"--add", "--promote", "--retire"} {
		next := call(t, env, "keygen", step)
		require.Equal(t, exitOK, next.code, next.errors)
		require.NotEqual(t, env["POSTHASTE_ENCRYPTION_KEYSET"], strings.TrimSpace(next.out))
		keys, err = keyset.Parse(next.out)
		require.NoError(t, err)
		_, err = keys.Open(sealed, nil)
		require.Equal(t, step == "--retire", err != nil, step)

		again := call(t, map[string]string{"POSTHASTE_ENCRYPTION_KEYSET": strings.TrimSpace(next.out)}, "keygen", step)
		require.Equal(t, exitFailure, again.code, "a step taken twice is a mistake")
		require.Empty(t, again.out)
		none := call(t, nil, "keygen", step)
		require.Equal(t, exitFailure, none.code)
		require.Empty(t, none.out)
		require.Contains(t, none.errors, "POSTHASTE_ENCRYPTION_KEYSET")
		env["POSTHASTE_ENCRYPTION_KEYSET"] = strings.TrimSpace(next.out)
	}
	require.Equal(t, exitUsage, call(t, env, "keygen", "--add", "--promote").code)
}

func TestTokenPrintsAJWTAlone(t *testing.T) {
	t.Parallel()
	env := map[string]string{"POSTHASTE_JWT_SECRET": testSecret}
	tests := []struct {
		name  string
		args  []string
		scope any
		hours float64
	}{
		{"tenant", []string{"token", "--tenant", "acme"}, nil, 24},
		{"admin for an hour", []string{"token", "--tenant", "acme", "--admin", "--ttl", "1h"}, "admin", 1},
		{"secret by flag", []string{"token", "--tenant", "acme", "--jwt-secret", testSecret}, nil, 24},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := call(t, env, tt.args...)
			require.Equal(t, exitOK, got.code, got.errors)
			require.Empty(t, got.errors)
			claims := jwt.MapClaims{}
			_, err := jwt.ParseWithClaims(strings.TrimSuffix(got.out, "\n"), claims,
				func(*jwt.Token) (any, error) { return []byte(testSecret), nil },
				jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
			require.NoError(t, err)
			require.Equal(t, "acme", claims["tenant"])
			require.Equal(t, tt.scope, claims["scope"])
			require.InDelta(t, tt.hours*3600, claims["exp"].(float64)-claims["iat"].(float64), 1)
		})
	}
}

func TestTokenFailures(t *testing.T) {
	t.Parallel()
	env := map[string]string{"POSTHASTE_JWT_SECRET": testSecret}
	empty := t.TempDir()
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"no secret", nil, []string{"token", "--tenant", "acme", "--data-dir", empty}, "POSTHASTE_JWT_SECRET"},
		{"bad tenant", env, []string{"token", "--tenant", "a/b"}, "tenant must be"},
		{"no time", env, []string{"token", "--tenant", "acme", "--ttl", "0s"}, "ttl must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := call(t, tt.env, tt.args...)
			require.Equal(t, exitFailure, got.code)
			require.Empty(t, got.out)
			require.Contains(t, got.errors, tt.want)
			require.Equal(t, 1, strings.Count(got.errors, "\n"), "one sentence: %s", got.errors)
		})
	}
}

func TestTokenUsesTheSecretOfDev(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret, err := dataDir{folder}.jwtSecret()
	require.NoError(t, err)
	got := call(t, nil, "token", "--tenant", "acme", "--data-dir", folder)
	require.Equal(t, exitOK, got.code, got.errors)
	_, err = jwt.Parse(strings.TrimSpace(got.out), func(*jwt.Token) (any, error) { return []byte(secret), nil })
	require.NoError(t, err)
}

func TestServeNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	got := call(t, nil, "serve")
	require.Equal(t, exitFailure, got.code)
	for _, variable := range []string{"DATABASE_URL", "TEMPORAL_ADDRESS", "ENCRYPTION_KEYSET", "JWT_SECRET"} {
		require.Contains(t, got.errors, "\n  POSTHASTE_"+variable+" ")
	}
	worker := call(t, nil, "serve", "--role", "worker")
	require.NotContains(t, worker.errors, "JWT_SECRET", "a worker checks no tokens")
}

func TestVariablesThatCannotBeReadAreAllReported(t *testing.T) {
	t.Parallel()
	got := call(t, map[string]string{
		"POSTHASTE_POLLERS": "many", "POSTHASTE_ALLOW_HTTP": "perhaps", "POSTHASTE_FAST_SLOTS": "",
	}, "serve")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.errors, `POSTHASTE_POLLERS is "many"`)
	require.Contains(t, got.errors, `POSTHASTE_ALLOW_HTTP is "perhaps"`)
	require.NotContains(t, got.errors, "FAST_SLOTS", "an empty variable is absent")
}

func TestFailuresAreOneSentence(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel tests below
	busy := taken.Addr().String()
	_, busyPort, err := net.SplitHostPort(busy)
	require.NoError(t, err)
	line, err := keyset.Generate()
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	keyless := t.TempDir()
	_, err = dataDir{keyless}.keyset("")
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(keyless, fileKeyset)))
	locked := t.TempDir()
	_, unlock, err := openDataDir(locked)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unlock()) })

	// A program that is there, so that looking for the CLI is not what fails.
	program := filepath.Join(t.TempDir(), "temporal")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho no space left >&2\nexit 3\n"), 0o700))

	serve := []string{"serve", "--http", "127.0.0.1:0", "--encryption-keyset", line, "--jwt-secret", testSecret}
	dev := func(args ...string) []string {
		return append([]string{"dev", "--data-dir", t.TempDir(), "--http", "127.0.0.1:0", "--receiver", "127.0.0.1:0",
			"--temporal-port", "0", "--temporal-ui-port", "0", "--temporal-cli", program}, args...)
	}
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"dev: port in use", dev("--http", busy), []string{busy + " is in use", "--http"}},
		{"dev: receiver's port in use", dev("--receiver", busy), []string{busy + " is in use", "--receiver"}},
		{"dev: Temporal's port in use", dev("--temporal-port", busyPort), []string{busy + " is in use", "--temporal-port"}},
		{"dev: Web UI's port in use", dev("--temporal-ui-port", busyPort), []string{busy + " is in use", "--temporal-ui-port"}},
		{"dev: CLI missing", dev("--temporal-cli", file), []string{"is no program", "--temporal-cli"}},
		{"dev: CLI ends", dev(), []string{"Temporal server ended (exit status 3)", "temporal.log", "no space left"}},
		{"dev: data directory is a file", dev("--data-dir", file), []string{"data directory", "--data-dir"}},
		{"dev: data directory in use", dev("--data-dir", locked), []string{"another posthaste dev (process ", locked, "--data-dir"}},
		{"serve: port in use", append(serve, "--database-url", "sqlite://"+file, "--temporal-address", busy, "--http", busy), []string{busy + " is in use", "POSTHASTE_HTTP_ADDR"}},
		{"serve: not migrated", append(serve, "--database-url", "sqlite://"+filepath.Join(t.TempDir(), "new.db"), "--temporal-address", "127.0.0.1:1"), []string{"lacks migrations", "posthaste migrate up"}},
		{"serve: no database", append(serve, "--database-url", "postgres://user:c4n4ry@127.0.0.1:1/posthaste", "--temporal-address", "127.0.0.1:1"), []string{"127.0.0.1:1/posthaste cannot be used", "POSTHASTE_DATABASE_URL"}},
		{"serve: bad keyset and short secret", append(serve, "--encryption-keyset", "c4n4ry!", "--jwt-secret", "short"), []string{"POSTHASTE_DATABASE_URL is not set", "POSTHASTE_ENCRYPTION_KEYSET cannot be used", "POSTHASTE_JWT_SECRET is too short"}},
		{"dev: bad keyset", dev("--encryption-keyset", "c4n4ry!"), []string{"POSTHASTE_ENCRYPTION_KEYSET cannot be used"}},
		{"dev: bad limit", dev("--limit-webhooks=-1"), []string{"POSTHASTE_LIMIT_WEBHOOKS is -1"}},
		{"dev: keyset gone", dev("--data-dir", keyless), []string{filepath.Join(keyless, fileKeyset) + " is gone", "restore it"}},
		{"serve: bad keyset", append(serve, "--database-url", "sqlite://"+file, "--temporal-address", busy, "--encryption-keyset", "c4n4ry!"), []string{"POSTHASTE_ENCRYPTION_KEYSET", "posthaste keygen"}},
		{"migrate: no database", []string{"migrate", "up", "--skip-temporal", "--database-url", "postgres://user:c4n4ry@127.0.0.1:1/posthaste"}, []string{"127.0.0.1:1/posthaste cannot be used (connection refused):"}},
		{"migrate: a file that is no database", []string{"migrate", "status", "--database-url", "sqlite://" + program}, []string{program + " cannot be used"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := call(t, nil, tt.args...)
			require.Equal(t, exitFailure, got.code)
			require.True(t, strings.HasPrefix(got.errors[strings.LastIndex(got.errors, "posthaste: "):], "posthaste: "), got.errors)
			for _, want := range tt.want {
				require.Contains(t, got.errors, want)
			}
			require.NotContains(t, got.errors, "c4n4ry")
			require.NotContains(t, got.errors, "map[")
			for _, cause := range []string{"connection refused", "dial error"} {
				require.LessOrEqual(t, strings.Count(got.errors, cause), 1, got.errors)
			}
		})
	}
}

func TestMigrateOnAnEmptyMachine(t *testing.T) {
	t.Parallel()
	env := map[string]string{"POSTHASTE_DATABASE_URL": "sqlite://" + filepath.Join(t.TempDir(), "posthaste.db")}
	before := call(t, env, "migrate", "status")
	require.Equal(t, exitFailure, before.code, before.out)
	require.Contains(t, before.errors, "there is no database")

	up := call(t, env, "migrate", "up", "--skip-temporal")
	require.Equal(t, exitOK, up.code, up.errors)
	require.Contains(t, up.out, "database: applied 1 ")
	again := call(t, env, "migrate", "up", "--skip-temporal")
	require.Equal(t, exitOK, again.code, again.errors)
	require.NotContains(t, again.out, "applied")

	after := call(t, env, "migrate", "status")
	require.NotContains(t, after.out, "pending")

	unreachable := call(t, env, "migrate", "up", "--temporal-address", "127.0.0.1:1")
	require.Equal(t, exitFailure, unreachable.code)
	require.Contains(t, unreachable.errors, "Temporal does not answer at 127.0.0.1:1")
}

func TestAnInterruptedStartIsQuiet(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "temporal")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700))
	ctx, cancel := context.WithCancel(t.Context())
	cancelWhenStarting := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "starting") {
			cancel()
		}
		return len(p), nil
	})
	var errors strings.Builder
	code := run(ctx, []string{"dev", "--data-dir", t.TempDir(), "--http", "127.0.0.1:0", "--receiver", "127.0.0.1:0",
		"--temporal-port", "0", "--temporal-ui-port", "0", "--temporal-cli", program},
		console{in: strings.NewReader(""), out: cancelWhenStarting, err: &errors, lookupEnv: func(string) (string, bool) { return "", false }})
	require.Equal(t, exitFailure, code)
	require.Equal(t, "posthaste: interrupted before it was done\n", errors.String())
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
