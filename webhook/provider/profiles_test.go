package provider_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
)

// update rewrites the golden files; read the diff before you keep it.
var update = flag.Bool("update", false, "write the golden files")

// ownEventName is the golden event of providers that take any name.
const ownEventName = "your.own.event"

// goldenTime is when golden events happen; each request is made a little later.
var goldenTime = time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)

// TestEveryProfile walks every shipped profile and every event type of it: the
// sample passes the provider's own rules, and the request a receiver gets for
// it is the golden file, byte for byte. A golden file without an event is as
// red as an event without a golden file.
func TestEveryProfile(t *testing.T) {
	t.Parallel()
	registry := load(t, "")
	files, err := filepath.Glob("profiles/*")
	require.NoError(t, err)
	require.Len(t, registry.Names(), len(files))
	folders, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	for _, folder := range folders {
		require.Contains(t, append(registry.Names(), "operator", "fuzz", "catalogue.yaml"), filepath.Base(folder), "golden files of no profile")
	}
	for _, name := range registry.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := profile(t, registry, name)
			require.NotEmpty(t, p.Title())
			require.NotEmpty(t, p.Description())
			docs, err := url.Parse(p.Docs())
			require.NoError(t, err)
			require.Equal(t, "https", docs.Scheme)
			checkGoldens(t, p)
		})
	}
}

func checkGoldens(t *testing.T, p *provider.Profile) {
	t.Helper()
	folder := filepath.Join("testdata", p.Name())
	entries := p.EventTypes()
	if p.AnyEvent() {
		entry, known := p.Sample(ownEventName, "")
		require.True(t, known)
		entries = append(entries[:len(entries):len(entries)], entry)
	}
	expected := map[string]bool{}
	for _, entry := range entries {
		file := strings.TrimPrefix(entry.Version+"."+entry.Type+".golden", ".")
		expected[file] = true
		t.Run(file, func(t *testing.T) {
			require.NotEmpty(t, entry.Description)
			require.NotEmpty(t, entry.Category)
			golden(t, filepath.Join(folder, file), goldenRequest(t, p, entry))
		})
	}
	found, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	for _, file := range found {
		if expected[filepath.Base(file)] {
			continue
		}
		if *update {
			require.NoError(t, os.Remove(file))
			continue
		}
		require.Fail(t, "a golden file of no event", file)
	}
}

// goldenRequest is the sample as it goes out, with fixed ids, clock and secret.
func goldenRequest(t *testing.T, p *provider.Profile, entry provider.EventType) []byte {
	t.Helper()
	event := webhook.Event{
		ID: "01971c52-7b1e-7c11-9d6a-4f1f5f0b2a10", Tenant: "acme", Provider: p.Name(), Type: entry.Type,
		Source: entry.SampleSource, Data: entry.Sample, CustomData: entry.SampleCustomData,
		Attributes: entry.SampleAttributes, OccurredAt: goldenTime, AcceptedAt: goldenTime.Add(120 * time.Millisecond),
	}
	require.Empty(t, p.CheckEvent(&event))
	s := webhook.Subscription{
		ID: "01971c40-0000-7000-8000-00000000000a", Tenant: "acme", Provider: p.Name(), Name: "Golden",
		URL: "https://receiver.example.com/hooks?team=blue", Events: []string{"*"}, Version: entry.Version,
		Headers: map[string]string{"x-team": "blue"}, Status: webhook.StatusActive,
	}
	require.Empty(t, p.CheckSubscription(&s, provider.URLRules{}))
	s.Secrets = goldenSecrets(t, p)
	require.Equal(t, provider.Decision{Verdict: provider.Deliver}, p.Match(event, s))
	request, err := p.Request(provider.RequestInput{
		Event: event, Subscription: s, DeliveryID: "01971c52-7b96-7d22-8e5b-6a7b8c9d0e1f",
		Now: goldenTime.Add(345 * time.Millisecond), UserAgent: "Posthaste/test",
	})
	require.NoError(t, err)
	return printRequest(request)
}

func goldenSecrets(t *testing.T, p *provider.Profile) []webhook.Secret {
	t.Helper()
	switch p.SecretRule().Rule {
	case provider.SecretNone:
		return nil
	case provider.SecretGiven:
		return []webhook.Secret{"golden-secret-of-32-characters.."}
	case provider.SecretGenerated, provider.SecretEither:
	}
	secret, err := p.GenerateSecret(bytes.NewReader(bytes.Repeat([]byte("golden.."), 16)))
	require.NoError(t, err)
	return []webhook.Secret{secret}
}

func printRequest(r send.Request) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "POST %s\n", r.URL)
	for _, h := range r.Header {
		fmt.Fprintf(&text, "%s: %s\n", h.Name, h.Value)
	}
	fmt.Fprintf(&text, "\n%s\n", r.Body)
	return text.Bytes()
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "no golden file: run the test with -update and read what it wrote")
	require.Equal(t, string(want), string(got))
}

func load(tb testing.TB, dir string) *provider.Registry {
	tb.Helper()
	registry, err := provider.Load(dir)
	require.NoError(tb, err)
	return registry
}

func profile(tb testing.TB, registry *provider.Registry, name string) *provider.Profile {
	tb.Helper()
	p, err := registry.Profile(name)
	require.NoError(tb, err)
	return p
}

// TestShippedProfiles holds the shipped profiles to what each provider promises.
func TestShippedProfiles(t *testing.T) {
	t.Parallel()
	registry := load(t, "")
	standard := profile(t, registry, "standard")
	require.True(t, standard.AnyEvent())
	require.Equal(t, provider.GonePause, standard.Gone())
	require.Equal(t, provider.BrokenRule{AfterFailingFor: 120 * time.Hour, HealedBy: provider.HealedByResume}, standard.Broken())
	require.True(t, standard.SeveralSignatures())
	require.Equal(t, []int{5, 300, 1800, 7200, 18000, 36000, 36000}, standard.Policy(webhook.Subscription{}).DelaysSeconds)
	require.Equal(t, 30*time.Second, standard.Timeout(webhook.Subscription{}))
	require.Equal(t, provider.SecretEither, standard.SecretRule().Rule)

	actiwapi := profile(t, registry, "actiwapi")
	require.Equal(t, []string{
		"message.received", "message.sent", "session.connected", "session.disconnected", "campaign.completed",
	}, actiwapi.EventNames())
	require.Equal(t, []string{"dnc.created", "chat.started", "record.created", "record.deleted"}, profile(t, load(t, "testdata/operator"), "acme").EventNames())
	require.Equal(t, webhook.RetryNever, actiwapi.Policy(webhook.Subscription{}).Mode)
	require.Len(t, actiwapi.RetryModes(), 3)
	require.Equal(t, provider.GoneFailure, actiwapi.Gone())
	require.Zero(t, actiwapi.Broken().AfterFailedAttempts)
	require.False(t, actiwapi.SeveralSignatures())
	require.False(t, actiwapi.AnyEvent())
	require.Equal(t, 7*time.Second, actiwapi.Timeout(webhook.Subscription{TimeoutSeconds: 7}))
	require.Equal(t, provider.Default, registry.Names()[0])
	require.Contains(t, actiwapi.Docs(), "https://actiwapi.com/docs/")
}
