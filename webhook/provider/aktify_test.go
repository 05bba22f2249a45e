package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
	"posthaste/webhook/signing"
)

func TestAKT01_EnvelopeOfTheSecondGeneration(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	e := aktify.accept(webhook.Event{Type: "lead.message_sent", Attributes: webhook.Attributes{CampaignID: "abc456xyz"}}, `{"phone": "+15555550142"}`)
	r := aktify.request(e, aktify.subscribe(webhook.Subscription{}, "lead.message_sent"), goldenTime)
	require.Equal(t, `{"metadata":{"apiVersion":"2026-02-09","eventType":"lead.message_sent","campaignId":"abc456xyz","eventTime":"2026-05-30T10:00:00.000Z"},"data":{"phone":"+15555550142"}}`, string(r.Body))
	require.Equal(t, "application/json", header(t, r, "Content-Type"))
}

// aktifySignature is the header's form: milliseconds have 13 digits.
var aktifySignature = regexp.MustCompile(`^t=(\d{13}),(v[12])=([0-9a-f]{64})$`)

func readSignature(t *testing.T, r send.Request) (at, version, digest string) {
	t.Helper()
	parts := aktifySignature.FindStringSubmatch(header(t, r, "aktify-signature"))
	require.Len(t, parts, 4)
	return parts[1], parts[2], parts[3]
}

func TestAKT04_SignedAtTheAttempt(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	for version, entry := range map[string]string{"v1": "webchat.lead.created", "v2": "lead.call_ended"} {
		e, w := aktify.sample(entry, version), aktify.subscribe(webhook.Subscription{Version: version})
		for _, wait := range []time.Duration{0, 1234 * time.Millisecond, time.Hour} {
			now := goldenTime.Add(wait)
			r := aktify.request(e, w, now)
			at, signed, digest := readSignature(t, r)
			require.Equal(t, fmt.Sprint(now.UnixMilli()), at)
			require.Equal(t, version, signed)
			want := hmacHex(ownSecret, string(r.Body))
			if version == "v2" {
				want = hmacHex(ownSecret, at, ".", string(r.Body))
			}
			require.Equal(t, want, digest)
		}
	}
}

func TestAKT05_AlteredTime(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	for version, survives := range map[string]bool{"v1": true, "v2": false} {
		r := aktify.request(aktify.sample("dnc.created", version), aktify.subscribe(webhook.Subscription{Version: version}), goldenTime)
		signer, known := aktify.Signer(version)
		require.True(t, known)
		at, _, _ := readSignature(t, r)
		verify := func(edit func(string) string) error {
			altered := func(name string) string { return edit(toHeader(r).Get(name)) }
			return signer.Verify(signing.VerifyInput{Header: altered, Body: r.Body, Secrets: []webhook.Secret{ownSecret}, Now: goldenTime})
		}
		require.NoError(t, verify(func(value string) string { return value }), version)
		err := verify(func(value string) string { return strings.Replace(value, at, "1706443200000", 1) })
		if survives {
			require.NoError(t, err, version)
		} else {
			require.True(t, errs.Is(err, errs.Unauthorized), version)
		}
	}
}

// TestAKT06_OneEventTwoGenerations: whichever name the producer uses, each
// generation gets its own, from the one event.
func TestAKT06_OneEventTwoGenerations(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	old := aktify.subscribe(webhook.Subscription{Version: "v1"}, "dnc.created")
	current := aktify.subscribe(webhook.Subscription{}, "dnc.created")
	require.Equal(t, "v2", current.Version)
	for _, name := range []string{"phone", "phoneNumber"} {
		e := aktify.accept(webhook.Event{Type: "dnc.created", Attributes: webhook.Attributes{CampaignID: "c1"}},
			`{"externalLeadId":"L1","`+name+`":"+15555550142","dncTimestamp":"2026-05-30T09:59:57.293338"}`)
		r := aktify.request(e, old, goldenTime)
		require.Equal(t, `{"apiVersion":"2021-08-23","type":"dnc.created","data":{"externalLeadId":"L1","phoneNumber":"+15555550142","dncTimestamp":"2026-05-30T09:59:57.293338"}}`, string(r.Body))
		_, version, _ := readSignature(t, r)
		require.Equal(t, "v1", version)
		r = aktify.request(e, current, goldenTime)
		require.Equal(t, `{"metadata":{"apiVersion":"2026-02-09","eventType":"dnc.created","campaignId":"c1","eventTime":"2026-05-30T10:00:00.000Z"},"data":{"externalLeadId":"L1","phone":"+15555550142","dncTimestamp":"2026-05-30T09:59:57.293338"}}`, string(r.Body))
		_, version, _ = readSignature(t, r)
		require.Equal(t, "v2", version)
	}
}

// TestAKT07_EachGenerationItsEvents: webchat.lead.created is v1 alone, dnc.created
// is both, the other 17 are v2 alone.
func TestAKT07_EachGenerationItsEvents(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	_, faults := aktify.create(webhook.Subscription{}, "lead.message_sent", "webchat.lead.created")
	require.Equal(t, map[string]string{"events[1]": "is no event of version v2"}, faults)
	count := map[string]int{}
	for _, name := range aktify.EventNames() {
		for _, version := range []string{"v1", "v2"} {
			_, faults := aktify.create(webhook.Subscription{Version: version}, name)
			if len(faults) == 0 {
				count[version]++
			} else {
				require.Equal(t, map[string]string{"events[0]": "is no event of version " + version}, faults)
			}
		}
	}
	require.Equal(t, map[string]int{"v1": 2, "v2": 18}, count)
	require.Len(t, aktify.EventNames(), 19)
	// A webhook on everything gets what its generation has.
	webchat := aktify.sample("webchat.lead.created", "v1")
	require.Equal(t, deliver, aktify.Match(webchat, aktify.subscribe(webhook.Subscription{Version: "v1"})))
	require.Equal(t, ignore, aktify.Match(webchat, aktify.subscribe(webhook.Subscription{})))
}

func TestAKT08_CustomData(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	count := func(n int) map[string]any {
		many := map[string]any{}
		for i := range n {
			many[fmt.Sprintf("k%02d", i)] = "v"
		}
		return many
	}
	tests := []struct {
		name string
		give map[string]any
		kept bool
	}{
		{"two pairs", map[string]any{"plan": "gold", "note": "<&>"}, true},
		{"20 pairs", count(20), true},
		{"21 pairs", count(21), false},
		{"a key of 256", map[string]any{strings.Repeat("é", 256): "v"}, true},
		{"a key of 257", map[string]any{strings.Repeat("k", 257): "v"}, false},
		{"a value of 4096", map[string]any{"k": strings.Repeat("😀", 4096)}, true},
		{"a value of 4097", map[string]any{"k": strings.Repeat("v", 4097)}, false},
		{"a number", map[string]any{"k": "v", "n": 1}, false},
		{"an object", map[string]any{"o": map[string]any{}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			aktify := stage{t, aktify.Profile}
			text, err := json.Marshal(test.give)
			require.NoError(t, err)
			e := aktify.sample("webchat.lead.created", "v1")
			e.CustomData = text
			e = aktify.accept(e, string(e.Data))
			var body map[string]any
			require.NoError(t, json.Unmarshal(aktify.request(e, aktify.subscribe(webhook.Subscription{Version: "v1"}), goldenTime).Body, &body))
			require.Contains(t, body["data"], "phoneNumber")
			if test.kept {
				require.Equal(t, test.give, body["customData"])
			} else {
				require.NotContains(t, body, "customData")
			}
		})
	}
	// No other event has a place for it.
	for _, name := range []string{"dnc.created", "lead.message_sent"} {
		e := aktify.sample(name, "v2")
		e.CustomData = webhook.JSON(`{"k":"v"}`)
		_, faults := aktify.enqueue(e, string(e.Data))
		require.Contains(t, faults, "customData")
	}
}

// TestAKT09_EachAttemptIsSignedAnew: the same body, another time and digest.
func TestAKT09_EachAttemptIsSignedAnew(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	e, w := aktify.sample("lead.link_clicked", "v2"), aktify.subscribe(webhook.Subscription{})
	policy, now := aktify.Policy(w), goldenTime
	digests := map[string]bool{}
	body := aktify.request(e, w, now).Body
	for failed := 1; ; failed++ {
		r := aktify.request(e, w, now)
		require.Equal(t, body, r.Body)
		_, _, digest := readSignature(t, r)
		digests[digest] = true
		wait, more := policy.Delay(failed, 0.5)
		if !more {
			break
		}
		now = now.Add(wait)
	}
	require.Len(t, digests, 5)
	require.Equal(t, 425*time.Second, now.Sub(goldenTime))
}

func TestAKT11_CampaignFilter(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	onlyA := webhook.Subscription{Filters: webhook.Filters{CampaignID: "A"}}
	for _, entry := range aktify.EventTypes() {
		for campaign, want := range map[string]provider.Decision{"A": deliver, "B": ignore} {
			e := aktify.sample(entry.Type, entry.Version)
			e.Attributes.CampaignID = campaign
			onlyA.Version = entry.Version
			require.Equal(t, want, aktify.Match(e, aktify.subscribe(onlyA)), entry.Type)
			require.Equal(t, deliver, aktify.Match(e, aktify.subscribe(webhook.Subscription{Version: entry.Version})), entry.Type)
		}
	}
	// A webchat lead names its campaign in its data; every other event must say.
	webchat := aktify.sample("webchat.lead.created", "v1")
	webchat.Attributes = webhook.Attributes{}
	require.Equal(t, "webchat-7781", aktify.accept(webchat, string(webchat.Data)).Attributes.CampaignID)
	_, faults := aktify.enqueue(webhook.Event{Type: "lead.call_received"}, `{"phone":"+15555550142"}`)
	require.Equal(t, map[string]string{"attributes.campaignId": "is required for lead.call_received"}, faults)
}

// restringify is a receiver as Aktify's documentation shows one: it parses the
// body, writes it again and compares digests.
const restringify = `
const crypto = require("crypto");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(given.map(({body, header, secret}) => {
  const [t, signature] = header.split(",");
  const [version, digest] = signature.split("=");
  const again = JSON.stringify(JSON.parse(body));
  const content = version === "v2" ? t.slice(2) + "." + again : again;
  return crypto.createHmac("sha256", secret).update(content).digest("hex") === digest;
})));`

func TestAKT12_NodeReceiverRestringifies(t *testing.T) {
	t.Parallel()
	node := requireTool(t, "node")
	aktify := on(t, "aktify")
	texts := []string{
		`"<script>&amp; 'single' \"double\" \\ / 😀 \ud83d\ude00 é 漢字"`, `"\u2028\u2029\u0000\u001f\u007f\r\n\t"`,
		`{"b": 1.50, "10": 1e21, "2": [ -0.0, 1E3, 0.000001, 1e-7 ], "a": {"": null}}`, `[true, false, null, "", {}, []]`,
	}
	type received struct {
		Body   string `json:"body"`
		Header string `json:"header"`
		Secret string `json:"secret"`
	}
	var given []received
	for _, text := range texts {
		for _, version := range []string{"v1", "v2"} {
			e := aktify.accept(webhook.Event{Type: "dnc.created", Attributes: webhook.Attributes{CampaignID: "<c&1>"}},
				`{"phone": "+15555550142", "dncTimestamp": "2026-05-30T10:00:00Z", "message": `+text+`, "7": 1}`)
			r := aktify.request(e, aktify.subscribe(webhook.Subscription{Version: version}), goldenTime)
			given = append(given, received{string(r.Body), header(t, r, "aktify-signature"), ownSecret.Reveal()})
		}
	}
	question, err := json.Marshal(given)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), node, "-e", restringify)
	command.Stdin = bytes.NewReader(question)
	answer, err := command.Output()
	require.NoError(t, err)
	var verified []bool
	require.NoError(t, json.Unmarshal(answer, &verified))
	require.Len(t, verified, len(given))
	for i, ok := range verified {
		require.True(t, ok, given[i].Body)
	}
}

func TestAktifySecretsAndURLs(t *testing.T) {
	t.Parallel()
	aktify := on(t, "aktify")
	for secret, fault := range map[webhook.Secret]string{"fifteen-letters": "must be at least 16 characters", "sixteen--letters": ""} {
		require.Equal(t, fault, aktify.CheckSecret(secret))
	}
	made, err := aktify.GenerateSecret(bytes.NewReader(make([]byte, 64)))
	require.NoError(t, err)
	require.Empty(t, aktify.CheckSecret(made))
	_, faults := aktify.create(webhook.Subscription{URL: "http://receiver.example.com/"})
	require.Equal(t, map[string]string{"url": "must use https"}, faults)
	// Receivers know isTestLead by its presence.
	for given, want := range map[string]string{"true": `{"phone":"1","isTestLead":true}`, "false": `{"phone":"1"}`} {
		e := aktify.accept(webhook.Event{Type: "campaign.lead_created", Attributes: webhook.Attributes{CampaignID: "c"}}, `{"phone":"1","isTestLead":`+given+`}`)
		require.Contains(t, string(aktify.request(e, aktify.subscribe(webhook.Subscription{}), goldenTime).Body), `"data":`+want)
	}
}
