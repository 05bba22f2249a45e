package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// TestProfileMistakes edits a good profile and expects the loader to name the
// file, the key and the reason.
func TestProfileMistakes(t *testing.T) {
	t.Parallel()
	acme, err := os.ReadFile("testdata/operator/acme.yaml")
	require.NoError(t, err)
	legacy, err := os.ReadFile("testdata/operator/legacy.yml")
	require.NoError(t, err)
	for _, test := range []struct {
		name     string
		old, new string // the edit, made once
		key      string // "" = the decoder's fault
		reason   string
	}{
		{"unknown key", "nameRequired: true", "nameNeeded: true", "", "unknown field"},
		{"unknown key deep inside", "minLength: 16", "minimum: 16", "", "unknown field"},
		{"unknown key in a payload", "format: json\n      envelope:\n        apiVersion", "formal: json\n      envelope:\n        apiVersion", "", "unknown field"},
		{"key twice", "nameRequired: true", "gone: failure", "", "already defined"},
		{"wrong type", "nameRequired: true", "nameRequired: 7", "", "must be true or false, not a number"},
		{"no YAML", "nameRequired: true", "nameRequired: [", "", ""},
		{"another name", "name: acme", "name: other", "name", `must be "acme"`},
		{"no title", "title: Acme", "title: ''", "title", "is required"},
		{"no description", "description: Two generations of one company's webhooks.", "description:", "description", "is required"},
		{"docs over http", "docs: https:", "docs: http:", "docs", "https URL"},
		{"unknown format", "  format: json\n  envelope:\n    metadata", "  format: xml\n  envelope:\n    metadata", "payload.format", "xml"},
		{"unknown reference", "$event.tenant", "$event.owner", "payload.envelope.metadata.tenant", "owner"},
		{"unknown scheme", "scheme: hmac\n      header: Acme-Signature\n      digest: sha256\n      encoding: hex\n      content", "scheme: rsa\n      header: Acme-Signature\n      digest: sha256\n      encoding: hex\n      content", "versions[0].signing.scheme", "unknown scheme"},
		{"unknown placeholder", `"{t}.{body}"`, `"{time}.{body}"`, "versions[1].signing.content", "unknown placeholder"},
		{"unknown secret rule", "rule: either", "rule: any", "secret.rule", "must be given"},
		{"secret without a signature", "rule: either", "rule: none", "secret.rule", "there is a signature"},
		{"secret longer than possible", "minLength: 16", "minLength: 300", "secret.minLength", "must be between"},
		{"generated secret too short", "minLength: 16", "minLength: 41", "secret", "do not suit"},
		{"few random bytes", "bytes: 20", "bytes: 8", "secret.bytes", "must be between"},
		{"unknown secret encoding", "encoding: hex, bytes", "encoding: base32, bytes", "secret.encoding", "unknown encoding"},
		{"unknown URL scheme", "schemes: [https]", "schemes: [https, ftp]", "url.schemes[1]", "must be https or http"},
		{"no URL scheme", "schemes: [https]", "schemes: []", "url.schemes", "must list"},
		{"impossible port", "[443, 8443]", "[443, 0]", "url.ports.https[1]", "between 1 and 65535"},
		{"ports of another scheme", "{https: [443, 8443]}", "{http: [80]}", "url.ports", "of a scheme"},
		{"unknown filter", "filters: [campaignId]", "filters: [leadId]", "filters[0]", "must be campaignId"},
		{"unknown retry mode", "modes: [exponential, never]", "modes: [exponential, often]", "retry.modes[1]", "must be never"},
		{"default mode not permitted", "modes: [exponential, never]", "modes: [never]", "retry.modes", "must contain the default"},
		{"impossible retry", "factor: 2", "factor: 0.5", "retry.default.factor", "between 1 and 10"},
		{"timeout too long", "maxSeconds: 20", "maxSeconds: 31", "timeout.maxSeconds", "between 1 and 30"},
		{"timeout over the longest", "defaultSeconds: 10", "defaultSeconds: 21", "timeout.defaultSeconds", "maxSeconds"},
		{"unknown gone rule", "gone: failure", "gone: delete", "gone", "must be failure"},
		{"negative broken rule", "afterFailedAttempts: 5", "afterFailedAttempts: -5", "broken.afterFailedAttempts", "negative"},
		{"broken without a cure", "healedBy: edit", "healedBy: time", "broken.healedBy", "must be edit or resume"},
		{"cure of nothing", "afterFailedAttempts: 5", "afterFailedAttempts: 0", "broken.healedBy", "has no meaning"},
		{"negative span", "afterFailedAttempts: 5", "afterFailingFor: -1h", "broken.afterFailingFor", "negative"},
		{"span without a unit", "afterFailedAttempts: 5", "afterFailingFor: 120", "", "must be a span such as 120h, not a number"},
		{"span in days", "afterFailedAttempts: 5", "afterFailingFor: 5d", "", "duration"},
		{"header of the connection", "name: X-Acme-Region", "name: Host", "headers[0]", "set by Posthaste"},
		{"header with a line break", "value: eu-1", `value: "a\nb"`, "headers[0]", "no header may hold"},
		{"header twice", "name: X-Acme-Region", "name: acme-signature", "versions[0].signing", "set twice"},
		{"delivery id in a header of the connection", "deliveryIdHeader: X-Delivery-Id", "deliveryIdHeader: Connection", "deliveryIdHeader", "set by Posthaste"},
		{"id prefix with a space", "event: evt_", "event: 'evt '", "idPrefixes.event", "letters"},
		{"customData of no event", "events: [chat.started]", "events: [chat.ended]", "customData.events[0]", "is no event"},
		{"customData with an unknown answer", "overLimit: drop", "overLimit: cut", "customData.overLimit", "drop or refuse"},
		{"attribute from nowhere", "from: data.campaignId", "from: webhook.id", "attributes.campaignId.from", "source or data"},
		{"no default version", "default: true", "default: false", "versions", "default: true"},
		{"version twice", "name: v2", "name: v1", "versions[1].name", "listed twice"},
		{"malformed version", "name: v2", "name: V 2", "versions[1].name", "small letters"},
		{"event of no version", "version: v1\n    category: Chat", "version: v9\n    category: Chat", "events[1].version", "no version"},
		{"event twice", "type: record.deleted", "type: record.created", "events[4].type", "listed twice"},
		{"event with a space", "type: record.deleted", "type: record deleted", "events[4].type", "letters"},
		{"event without category", "category: Chat", "category: ''", "events[1]", "category and a description"},
		{"event filter the profile lacks", "filters: []", "filters: [listId]", "events[3].filters[0]", "no filter of this profile"},
		{"unknown field type", "name: attempts, type: integer", "name: attempts, type: int", "events[0].data[1].type", "unknown type"},
		{"field twice", "name: attempts, type: integer", "name: phoneNumber, type: string", "events[0].data[1].name", "once"},
		{"rename to a number", "rename: {phone: phoneNumber}", "rename: {phone: '12'}", "events[0].rename", "cannot become"},
		{"no sample", "sample:\n      data: {fields: [{id: 1, value: a}]}\n      attributes: {campaignId: cmp_1}", "filters: []", "", ""},
		{"sample without data", "data: {}\n", "source: api\n", "events[4].sample", "must have data"},
		{"sample that is no object", "data: {}\n", "data: 7\n", "events[4].sample.data", "object"},
		{"sample from an unknown source", "data: {}\n", "data: {}\n      source: robot\n", "events[4].sample.source", "must be one of"},
		{"sample against the profile's own rules", `data: {phone: "+18015550123"}`, `data: {phone: 18015550123}`, "events[2].sample", "data.phone must be of type string"},
		{"sample over the limits", "customData: {plan: gold}", "customData: {plan: 'more than sixteen letters'}", "events[1].sample.customData", "over the limits"},

		{"legacy: rule of no event", "events: [subscribe], when", "events: [subscribed], when", "rules[0].events[0]", "is no event"},
		{"legacy: rule without a condition", "when: {bulk: true}", "when: {}", "rules[0].when", "must have a condition"},
		{"legacy: rule without effect", ", suppress: bulk_import", "", "rules[0]", "either suppress or source"},
		{"legacy: reason with a space", "suppress: bulk_import", "suppress: bulk import", "rules[0].suppress", "small letters"},
		{"legacy: unknown trigger", "campaignTrigger: automation", "campaignTrigger: robot", "rules[2].when.campaignTrigger", "must be one of"},
		{"legacy: rule to an unknown source", "source: system}", "source: robot}", "rules[2].source", "must be one of"},
		{"legacy: form of no event", "      sent:\n", "      sends:\n", "payload.form.events", "is no event"},
		{"legacy: signing forgotten", "signing: {scheme: none}", "timeout: {}", "signing", "is required"},
		{"legacy: secret for nothing", "secret: {rule: none}", "secret: {rule: given}", "secret.rule", "nothing is signed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file, source := "profiles.d/acme.yaml", string(acme)
			if strings.HasPrefix(test.name, "legacy") {
				file, source = "profiles.d/legacy.yml", string(legacy)
			}
			require.Equal(t, 1, strings.Count(source, test.old), "the edit must be in one place")
			_, err := provider.Parse(file, []byte(strings.Replace(source, test.old, test.new, 1)))
			require.Error(t, err)
			requireMistake(t, err, file, test.key, test.reason)
		})
	}
}

func requireMistake(t *testing.T, err error, file, key, reason string) {
	t.Helper()
	for _, fault := range mistakes(err) {
		require.Equal(t, file, fault.File)
		require.Positive(t, fault.Line)
		if fault.Key == key && strings.Contains(fault.Reason, reason) {
			return
		}
	}
	require.Fail(t, "not the expected mistake", "want %q: %q; got:\n%v", key, reason, err)
}

func mistakes(err error) []*provider.ProfileError {
	var list []*provider.ProfileError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			list = append(list, mistakes(one)...)
		}
		return list
	}
	var fault *provider.ProfileError
	if errors.As(err, &fault) {
		list = append(list, fault)
	}
	return list
}

func TestProfileMistakesNameTheLine(t *testing.T) {
	t.Parallel()
	_, err := provider.Parse("acme.yaml", []byte("name: acme\ntitle: Acme\ndescription: x\ndocs: https://example.com/\n"+
		"payload: {format: standard}\nsigning: {scheme: none}\nsecret: {rule: none}\nurl: {schemes: [https]}\n"+
		"retry: {modes: [never], default: {mode: never}}\ngone: failure\nevents:\n  - type: a\n    category: x\n"+
		"    description: x\n    sample: {data: {}}\n    data:\n      - name: b\n        type: texts\n"))
	require.EqualError(t, err, `acme.yaml:18: events[0].data[0].type: unknown type "texts"; known: any, array, boolean, integer, number, object, scalar, string`)

	_, err = provider.Parse("empty.yaml", nil)
	require.EqualError(t, err, "empty.yaml:1: must hold exactly one YAML document")
	_, err = provider.Parse("two.yaml", []byte("name: two\n---\nname: two\n"))
	require.EqualError(t, err, "two.yaml:1: must hold exactly one YAML document")
	_, err = provider.Parse("bad.yaml", []byte("name: bad\ntitles: x\n"))
	require.EqualError(t, err, `bad.yaml:2: unknown field "titles"`)
}

func TestLoadOperatorFolder(t *testing.T) {
	t.Parallel()
	registry := load(t, "testdata/operator")
	names := registry.Names()
	require.Equal(t, provider.Default, names[0])
	require.IsIncreasing(t, names[1:])
	require.Subset(t, names, []string{"acme", "actiwapi", "legacy"})

	_, err := registry.Profile("nope")
	requireField(t, err, "provider")
	var coded *errs.Error
	require.ErrorAs(t, err, &coded)
	require.Contains(t, coded.Fields["provider"], "acme")

	_, err = provider.Load(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestLoadRefusesATakenName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := os.ReadFile("profiles/actiwapi.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "actiwapi.yaml"), text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no profile"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.yml"), []byte("name: broken\n"), 0o600))
	_, err = provider.Load(dir)
	require.ErrorContains(t, err, filepath.Join(dir, "actiwapi.yaml")+":1: name: there is a provider actiwapi already")
	require.ErrorContains(t, err, "broken.yml:1: title: is required") // every file is looked at
}

// FuzzProfile: no text crashes the loader, and a profile that it accepts can
// send every sample it has.
func FuzzProfile(f *testing.F) {
	for _, pattern := range []string{"profiles/*.yaml", "testdata/operator/*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(string(text))
		}
	}
	f.Add("name: acme\npayload: &a {format: *a}\n")
	f.Add("events: [{sample: {data: {a: !!binary x, .inf: .nan}}}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := provider.Parse("acme.yaml", []byte(text))
		if err != nil {
			require.NotEmpty(t, mistakes(err))
			return
		}
		for _, entry := range p.EventTypes() {
			in := input(p.Name(), entry.Type, string(entry.Sample))
			in.Subscription.Version = entry.Version
			if secret, err := p.GenerateSecret(strings.NewReader(strings.Repeat("x", 64))); err == nil {
				in.Subscription.Secrets = []webhook.Secret{secret}
			}
			_, err := p.Request(in)
			require.NoError(t, err)
		}
	})
}

// TestOverrideFailingFor: only profiles that have a span get another one.
func TestOverrideFailingFor(t *testing.T) {
	t.Parallel()
	registry, err := provider.Load("")
	require.NoError(t, err)
	for _, span := range []time.Duration{time.Hour, 0} {
		registry.OverrideFailingFor(span)
		require.Equal(t, provider.BrokenRule{AfterFailingFor: span, HealedBy: provider.HealedByResume}, profile(t, registry, "standard").Broken())
		require.Equal(t, provider.BrokenRule{AfterFailedAttempts: 5, HealedBy: provider.HealedByEdit}, profile(t, registry, "aktify").Broken())
		require.Zero(t, profile(t, registry, "actiwapi").Broken())
	}
}
