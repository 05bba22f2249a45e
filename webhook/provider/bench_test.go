package provider

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// sizes are how large the data of an event is in the benchmarks.
var sizes = []struct {
	name  string
	bytes int
}{{"1KiB", 1 << 10}, {"64KiB", 64 << 10}}

func BenchmarkRender(b *testing.B) {
	benchmark(b, func(b *testing.B, p *Profile, in RequestInput) {
		b.Helper()
		k, known := p.kind(in.Subscription.Version, in.Event.Type)
		require.True(b, known)
		for b.Loop() {
			given, err := p.payloadInput(in, k)
			if err == nil {
				_, err = k.renderer.Render(given)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRequest is all that is done between reading a delivery and sending
// it: the body, its signature and the headers.
func BenchmarkRequest(b *testing.B) {
	benchmark(b, func(b *testing.B, p *Profile, in RequestInput) {
		b.Helper()
		for b.Loop() {
			if _, err := p.Request(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckEvent(b *testing.B) {
	benchmark(b, func(b *testing.B, p *Profile, in RequestInput) {
		b.Helper()
		for b.Loop() {
			event := in.Event
			if faults := p.CheckEvent(&event); len(faults) > 0 {
				b.Fatal(faults)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	benchmark(b, func(b *testing.B, p *Profile, in RequestInput) {
		b.Helper()
		for b.Loop() {
			if decision := p.Match(in.Event, in.Subscription); decision.Verdict != Deliver {
				b.Fatal(decision)
			}
		}
	})
}

// benchmark runs one step with every shipped provider, and with one of
// CloudEvents.
func benchmark(b *testing.B, step func(*testing.B, *Profile, RequestInput)) {
	b.Helper()
	registry, err := Load("")
	require.NoError(b, err)
	profiles := make([]*Profile, 0, len(registry.Names())+1)
	for _, name := range registry.Names() {
		profiles = append(profiles, registry.profiles[name])
	}
	for _, p := range append(profiles, cloudEvents(b)) {
		for _, size := range sizes {
			b.Run("provider="+p.Name()+"/size="+size.name, func(b *testing.B) {
				in := benchInput(b, p, size.bytes)
				b.SetBytes(int64(len(in.Event.Data)))
				b.ReportAllocs()
				step(b, p, in)
			})
		}
	}
}

// cloudEvents is the standard provider with the body of CloudEvents.
func cloudEvents(b *testing.B) *Profile {
	b.Helper()
	text, err := shipped.ReadFile("profiles/standard.yaml")
	require.NoError(b, err)
	text = bytes.Replace(text, []byte("name: standard\n"), []byte("name: cloudevents\n"), 1)
	text = bytes.Replace(text, []byte("format: standard\n"), []byte("format: cloudevents\n"), 1)
	p, err := Parse("cloudevents.yaml", text)
	require.NoError(b, err)
	return p
}

// benchInput is the first event of the provider's catalogue, with rows behind
// its sample's data up to the size.
func benchInput(b *testing.B, p *Profile, size int) RequestInput {
	b.Helper()
	sample := p.EventTypes()[0]
	var data bytes.Buffer
	data.Write(bytes.TrimSuffix(sample.Sample, []byte("}")))
	data.WriteString(`,"rows":[0`)
	for i := 0; data.Len() < size-80; i++ {
		fmt.Fprintf(&data, `,{"sku":"sku-%d","title":"Tea & biscuits, no. %d","price":%d.25,"count":%d}`, i, i, i, i%7)
	}
	data.WriteString("]}")
	now := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	in := RequestInput{
		Event: webhook.Event{
			ID: "0197b1a4-7c00-7000-8000-000000000001", Tenant: "acme", Provider: p.Name(), Type: sample.Type, Source: sample.SampleSource,
			Data: data.Bytes(), Attributes: sample.SampleAttributes, OccurredAt: now, AcceptedAt: now,
		},
		Subscription: webhook.Subscription{
			ID: "0197b1a4-0000-7000-8000-0000000000aa", Tenant: "acme", Provider: p.Name(), URL: "https://example.com/hook", Version: sample.Version,
			Events: []string{anyEventName}, Status: webhook.StatusActive, Headers: map[string]string{"X-Team": "blue"},
		},
		DeliveryID: "0197b1a4-0000-7000-8000-0000000000dd", Now: now, UserAgent: "Posthaste/1",
	}
	if p.SecretRule().Rule != SecretNone {
		in.Subscription.Secrets = []webhook.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	}
	require.Empty(b, p.CheckEvent(&in.Event))
	return in
}
