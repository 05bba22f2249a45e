package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"posthaste/config"
)

const canary = "c4n4ry-of-a-secret"

// complete is a configuration without a problem.
func complete() config.Config {
	var c config.Config
	c.DatabaseURL = "postgres://user:" + canary + "@db.internal/posthaste"
	c.TemporalAddress = "temporal.internal:7233"
	c.HTTPAddr = ":8080"
	c.JWTSecret = canary
	c.EncryptionKeyset = canary
	c.Provider = "standard"
	c.EventsPerWorkflow = 1
	c.MaxEventBytes = 262144
	c.DurableSlots, c.FastSlots, c.Pollers = 10000, 1000, 8
	return c
}

func everything() config.Needs {
	return config.Needs{Database: true, Temporal: true, Keyset: true, Tokens: true}
}

func TestCompleteSettingsHaveNoProblem(t *testing.T) {
	t.Parallel()
	require.Empty(t, complete().Validate(everything()))
	require.NoError(t, config.AsError(nil))
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	problems := config.Config{}.Validate(everything())
	var variables []string
	for _, p := range problems {
		variables = append(variables, p.Variable)
		require.NotEmpty(t, p.Text, p.Variable)
	}
	require.Equal(t, []string{
		"POSTHASTE_DATABASE_URL", "POSTHASTE_TEMPORAL_ADDRESS", "POSTHASTE_ENCRYPTION_KEYSET",
		"POSTHASTE_JWT_SECRET", "POSTHASTE_PROVIDER", "POSTHASTE_EVENTS_PER_WORKFLOW",
		"POSTHASTE_MAX_EVENT_BYTES", "POSTHASTE_DURABLE_SLOTS", "POSTHASTE_FAST_SLOTS", "POSTHASTE_POLLERS",
	}, variables)

	text := config.AsError(problems).Error()
	for _, variable := range variables {
		require.Contains(t, text, "\n  "+variable+" ")
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		give     func(*config.Config)
		variable string
		want     string
	}{
		{"short secret", func(c *config.Config) { c.JWTSecret = "abc" }, "POSTHASTE_JWT_SECRET", "at least 16"},
		{"unknown database", func(c *config.Config) { c.DatabaseURL = "mysql://x" }, "POSTHASTE_DATABASE_URL", "postgres:// or sqlite://"},
		{"sqlite without a file", func(c *config.Config) { c.DatabaseURL = "sqlite://" }, "POSTHASTE_DATABASE_URL", "names no file"},
		{"database URL that does not parse", func(c *config.Config) { c.DatabaseURL = "postgres://u:" + canary + "%zz@h/d" }, "POSTHASTE_DATABASE_URL", "escape"},
		{"address without port", func(c *config.Config) { c.TemporalAddress = "temporal" }, "POSTHASTE_TEMPORAL_ADDRESS", "host:port"},
		{"port out of range", func(c *config.Config) { c.HTTPAddr = ":70000" }, "POSTHASTE_HTTP_ADDR", "host:port"},
		{"UI without scheme", func(c *config.Config) { c.TemporalUIURL = "ui.internal" }, "POSTHASTE_TEMPORAL_UI_URL", "http"},
		{"key set without host", func(c *config.Config) { c.JWKSURL = "https://" }, "POSTHASTE_JWKS_URL", "http"},
		{"network", func(c *config.Config) { c.AllowNetworks = []string{"10.0.0.0/8", "nonsense"} }, "POSTHASTE_ALLOW_NETWORKS", `"nonsense"`},
		{"name server without port", func(c *config.Config) { c.DNSServer = "10.0.0.2" }, "POSTHASTE_DNS_SERVER", "host:port"},
		{"span without a unit", func(c *config.Config) { c.BrokenAfter = "48" }, "POSTHASTE_BROKEN_AFTER", `"48"`},
		{"span of nothing", func(c *config.Config) { c.BrokenAfter = "0" }, "POSTHASTE_BROKEN_AFTER", "off for never"},
		{"negative span", func(c *config.Config) { c.BrokenAfter = "-1h" }, "POSTHASTE_BROKEN_AFTER", "off for never"},
		{"too many events", func(c *config.Config) { c.EventsPerWorkflow = 65 }, "POSTHASTE_EVENTS_PER_WORKFLOW", "1 to 64"},
		{"event too large", func(c *config.Config) { c.MaxEventBytes = 2 << 20 }, "POSTHASTE_MAX_EVENT_BYTES", "1024 to 1048576"},
		{"webhooks below none", func(c *config.Config) { c.LimitWebhooks = -1 }, "POSTHASTE_LIMIT_WEBHOOKS", "from 0 to 100000"},
		{"events below none", func(c *config.Config) { c.LimitEventsPerMinute = -1 }, "POSTHASTE_LIMIT_EVENTS_PER_MINUTE", "from 0 to 100000000"},
		{"collector without scheme", func(c *config.Config) { c.OTLPEndpoint = "collector:4318" }, "POSTHASTE_OTLP_ENDPOINT", "http"},
		{"trace that nobody keeps", func(c *config.Config) { c.TraceReceivers = true }, "POSTHASTE_TRACE_RECEIVERS", "POSTHASTE_OTLP_ENDPOINT"},
		{"retention below none", func(c *config.Config) { c.RetentionDays = -1 }, "POSTHASTE_RETENTION_DAYS", "from 0 to 3650"},
		{"no slot beside the pollers", func(c *config.Config) { c.FastSlots, c.Pollers = 8, 8 }, "POSTHASTE_FAST_SLOTS", "POSTHASTE_POLLERS (8)"},
		{"no slots", func(c *config.Config) { c.FastSlots = 0 }, "POSTHASTE_FAST_SLOTS", "from 1"},
		{"one poller", func(c *config.Config) { c.Pollers = 1 }, "POSTHASTE_POLLERS", "2 to 100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := complete()
			tt.give(&c)
			problems := c.Validate(everything())
			require.Len(t, problems, 1)
			require.Equal(t, tt.variable, problems[0].Variable)
			require.Contains(t, problems[0].Text, tt.want)
			require.NotContains(t, problems[0].Text, canary)
		})
	}
}

func TestJWKSAloneIsEnough(t *testing.T) {
	t.Parallel()
	c := complete()
	c.JWTSecret, c.JWKSURL = "", "https://login.example.com/jwks.json"
	require.Empty(t, c.Validate(everything()))
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	d := config.Delivery{AllowNetworks: []string{"127.0.0.0/8", " ::1 ", "10.1.2.3/16", ""}}
	networks, err := d.Networks()
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.1.0.0/16"),
	}, networks)
}

func TestCheckNumber(t *testing.T) {
	t.Parallel()
	require.Nil(t, config.CheckNumber("V", "12", reflect.Int))
	require.Nil(t, config.CheckNumber("V", "YES", reflect.Bool))
	require.Nil(t, config.CheckNumber("V", "anything", reflect.String))
	require.Contains(t, config.CheckNumber("V", "12x", reflect.Int64).Text, `"12x"`)
	require.Contains(t, config.CheckNumber("V", "maybe", reflect.Bool).Text, "true or false")
}

func TestNoSecretPrints(t *testing.T) {
	t.Parallel()
	c := complete()
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		fmt.Fprintf(&printed, verb+"\n", c)
		fmt.Fprintf(&printed, verb+"\n", &c)
		fmt.Fprintf(&printed, verb+"\n", c.JWTSecret)
	}
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	asYAML, err := yaml.Marshal(c)
	require.NoError(t, err)
	printed.Write(asJSON)
	printed.Write(asYAML)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("settings", "config", c, "secret", c.JWTSecret)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("settings", "config", c, "secret", c.JWTSecret)

	require.NotContains(t, printed.String(), canary)
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", canary))
	require.Contains(t, printed.String(), "[secret]")
	require.Equal(t, canary, c.JWTSecret.Reveal())
}

func TestTableNamesEverySetting(t *testing.T) {
	t.Parallel()
	table := config.Table()
	seen := map[string]bool{}
	for _, s := range table {
		require.Regexp(t, `^POSTHASTE_[A-Z_]+$`, s.Variable)
		require.False(t, seen[s.Variable], "%s twice", s.Variable)
		seen[s.Variable] = true
		require.Regexp(t, `^--[a-z-]+$`, s.Flag)
		require.NotEmpty(t, s.Group, s.Variable)
		require.True(t, strings.HasSuffix(s.Help, "."), "%s: the help is a sentence", s.Variable)
	}
	for _, name := range []string{
		"DATABASE_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_UI_URL", "HTTP_ADDR", "JWT_SECRET",
		"JWKS_URL", "ENCRYPTION_KEYSET", "PROVIDER", "PROVIDERS_DIR", "ALLOW_HTTP", "ALLOW_NETWORKS",
		"DNS_SERVER", "JWT_AUDIENCE", "JWT_ISSUER",
		"EVENTS_PER_WORKFLOW", "MAX_EVENT_BYTES",
	} {
		require.True(t, seen["POSTHASTE_"+name], name)
	}

	lines := strings.Split(strings.TrimSpace(config.MarkdownTable()), "\n")
	require.Len(t, lines, len(table)+2)
	require.Contains(t, lines, "| `POSTHASTE_EVENTS_PER_WORKFLOW` | `--events-per-workflow` | `1` | Up to this many events (1 to 64) that arrive while a workflow start is under way share the next one. Events with an Idempotency-Key never share. |")
}

func TestBrokenSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		span  time.Duration
		given bool
	}{
		"": {0, false}, " ": {0, false}, "off": {0, true}, "OFF": {0, true}, "48h": {48 * time.Hour, true}, " 1h30m ": {90 * time.Minute, true},
	} {
		span, given, err := config.Delivery{BrokenAfter: text}.BrokenSpan()
		require.NoError(t, err, "%q", text)
		require.Equal(t, want.span, span, "%q", text)
		require.Equal(t, want.given, given, "%q", text)
	}
}
