package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKT(t *testing.T) {
	t.Parallel()
	accept(t, "aktify",
		acceptance{"AKT01_MessageSentArrivesInTheSecondGenerationsEnvelope", akt01},
		acceptance{"AKT04_TimeIsInMillisecondsAndFresh", akt04},
		acceptance{"AKT05_AlteredTimeFailsTheSecondGenerationOnly", akt05},
		acceptance{"AKT06_EachGenerationHasItsOwnBodyAndHeader", akt06},
		acceptance{"AKT07_WebchatIsNoEventOfTheSecondGeneration", akt07},
		acceptance{"AKT08_CustomDataIsTopLevelAndLeftOutOverItsLimits", akt08},
		acceptance{"AKT09_ThreePostsEachFreshlyTimedAndSigned", akt09},
		acceptance{"AKT10_FiveFailedAttemptsBreakTheWebhookAndAnEditHealsIt", akt10},
		acceptance{"AKT10_BrokenInTheMiddleOfALongerSchedule", akt10Longer},
		acceptance{"AKT11_CampaignFilter", akt11},
		acceptance{"AKT12_NodeReceiverMayParseAndStringifyAgain", akt12},
	)
}

const (
	aktifySecret  = "an-aktify-client-secret"
	aktifyOptions = `"secret":"` + aktifySecret + `"`
	smsData       = `{"phone":"+15555550142","externalLeadId":"lead-1","message":"Hi \"Robin\" <now> & 🙂"}`
	campaignA     = `"attributes":{"campaignId":"campaign-a"}`
	campaignB     = `"attributes":{"campaignId":"campaign-b"}`
)

var aktifyHeader = regexp.MustCompile(`^t=(\d{13}),(v[12])=([0-9a-f]{64})$`)

// aktifyVerifies checks a signature as Aktify tells its receivers to.
func aktifyVerifies(t *testing.T, signature, body string) bool {
	t.Helper()
	parts := aktifyHeader.FindStringSubmatch(signature)
	require.NotNil(t, parts, "aktify-signature: %q", signature)
	signed := body
	if parts[2] == "v2" {
		signed = parts[1] + "." + body
	}
	return hmacHex(aktifySecret, signed) == parts[3]
}

// verifyAktify expects a good signature of the generation, made at the attempt,
// and returns its time.
func verifyAktify(t *testing.T, a arrival, version string) time.Time {
	t.Helper()
	signature := a.header.Get("aktify-signature")
	require.True(t, aktifyVerifies(t, signature, a.body), "aktify-signature: %q", signature)
	parts := aktifyHeader.FindStringSubmatch(signature)
	require.Equal(t, version, parts[2])
	ms, err := strconv.ParseInt(parts[1], 10, 64)
	require.NoError(t, err)
	at := time.UnixMilli(ms)
	require.WithinDuration(t, a.at, at, 5*time.Second, "taken at the attempt")
	return at
}

func akt01(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL, aktifyOptions, `"events":["lead.message_sent"]`)
	event := sys.emit("lead.message_sent", smsData, campaignA, `"occurredAt":"2026-05-30T12:00:00.5+02:00"`)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	got := rec.all()
	require.Len(sys.t, got, 1)
	require.Equal(sys.t, "POST", got[0].method)
	require.Equal(sys.t, `{"metadata":{"apiVersion":"2026-02-09","eventType":"lead.message_sent",`+
		`"campaignId":"campaign-a","eventTime":"2026-05-30T10:00:00.500Z"},"data":`+smsData+`}`, got[0].body)
	verifyAktify(sys.t, got[0], "v2")
}

func akt04(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL, aktifyOptions)
	before := time.Now()
	event := sys.emit("lead.message_sent", smsData, campaignA, `"occurredAt":"2020-01-01T00:00:00Z"`)
	got := rec.await(1, 20*time.Second)
	at := verifyAktify(sys.t, got[0], "v2") // which asks for 13 digits
	require.False(sys.t, at.Before(before.Truncate(time.Millisecond)), "not the time of the event")
	sys.awaitStates(event.ID, 20*time.Second, "delivered")
}

func akt05(sys *system) {
	for version, survives := range map[string]bool{"v1": true, "v2": false} {
		rec := newReceiver(sys.t, nil)
		w := sys.createWebhook(rec.URL, aktifyOptions, fmt.Sprintf(`"version":%q`, version))
		event := sys.emit("dnc.created", `{"phone":"+15555550142","dncTimestamp":"2026-05-30T09:59:57"}`, campaignA)
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
		got := rec.all()
		require.Len(sys.t, got, 1)
		at := verifyAktify(sys.t, got[0], version)

		signature := got[0].header.Get("aktify-signature")
		for _, by := range []int64{1, -1, 60_000} {
			altered := strings.Replace(signature, fmt.Sprint(at.UnixMilli()), fmt.Sprint(at.UnixMilli()+by), 1)
			require.NotEqual(sys.t, signature, altered)
			require.Equal(sys.t, survives, aktifyVerifies(sys.t, altered, got[0].body), "%s, t altered by %d ms", version, by)
		}
		require.False(sys.t, aktifyVerifies(sys.t, signature, got[0].body+" "), "no generation survives another body")

		code, a := sys.call("DELETE", "/api/webhooks/"+w.ID, "")
		require.Equal(sys.t, http.StatusOK, code, a.raw)
	}
}

func akt06(sys *system) {
	v1, v2 := newReceiver(sys.t, nil), newReceiver(sys.t, nil)
	sys.createWebhook(v1.URL, aktifyOptions, `"version":"v1"`, `"events":["dnc.created"]`)
	sys.createWebhook(v2.URL, aktifyOptions, `"version":"v2"`, `"events":["dnc.created"]`)
	for i, name := range []string{"phone", "phoneNumber"} { // enqueued under either name
		event := sys.emit("dnc.created", fmt.Sprintf(`{%q:"+15555550142","dncTimestamp":"2026-05-30T09:59:57"}`, name), campaignA,
			`"occurredAt":"2026-05-30T10:00:00Z"`)
		require.Equal(sys.t, map[string]int{"delivered": 2}, sys.awaitDone(event.ID))
		require.Len(sys.t, v1.all(), i+1)
		require.Len(sys.t, v2.all(), i+1)
		first, second := v1.all()[i], v2.all()[i]
		require.JSONEq(sys.t, `{"apiVersion":"2021-08-23","type":"dnc.created",
			"data":{"phoneNumber":"+15555550142","dncTimestamp":"2026-05-30T09:59:57"}}`, first.body)
		require.JSONEq(sys.t, `{"metadata":{"apiVersion":"2026-02-09","eventType":"dnc.created","campaignId":"campaign-a",
			"eventTime":"2026-05-30T10:00:00.000Z"},
			"data":{"phone":"+15555550142","dncTimestamp":"2026-05-30T09:59:57"}}`, second.body)
		verifyAktify(sys.t, first, "v1")
		verifyAktify(sys.t, second, "v2")
	}
}

func akt07(sys *system) {
	const webchat = `"events":["webchat.lead.created"]`
	refused := func(code int, a answer) {
		sys.t.Helper()
		require.Equal(sys.t, http.StatusBadRequest, code, a.raw)
		require.False(sys.t, a.Success)
		require.Equal(sys.t, "VALIDATION_ERROR", a.Code)
		require.Equal(sys.t, []string{"events[0]"}, slices.Collect(maps.Keys(a.Errors)), a.raw)
		require.Contains(sys.t, a.Errors["events[0]"], "v2")
	}
	rec := newReceiver(sys.t, nil)
	for _, version := range []string{``, `,"version":"v2"`} { // v2 is the default
		refused(sys.call("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,%s,%s%s}`, rec.URL+"/v2", aktifyOptions, webchat, version)))
	}
	_, a := sys.call("GET", "/api/webhooks", "")
	require.Empty(sys.t, into[[]hook](sys.t, a))

	second := sys.createWebhook(rec.URL+"/v2", aktifyOptions, `"events":["lead.message_sent"]`)
	refused(sys.call("PATCH", "/api/webhooks/"+second.ID, `{`+webchat+`}`))
	require.Equal(sys.t, []string{"lead.message_sent"}, sys.webhook(second.ID).Events)

	first := sys.createWebhook(rec.URL+"/v1", aktifyOptions, webchat, `"version":"v1"`)
	require.Equal(sys.t, []string{"webchat.lead.created"}, first.Events)
	event := sys.emit("webchat.lead.created", `{"campaignId":"webchat-1","phoneNumber":"+15555550142","timestamp":"2026-05-30T09:59:57"}`)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	got := rec.all()
	require.Len(sys.t, got, 1)
	require.Equal(sys.t, "/v1", got[0].path)
	verifyAktify(sys.t, got[0], "v1")
}

func akt08(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL, aktifyOptions, `"version":"v1"`, `"events":["webchat.lead.created"]`)
	const lead = `{"campaignId":"webchat-1","phoneNumber":"+15555550142","timestamp":"2026-05-30T09:59:57"}`
	for i, pairs := range []int{2, 20, 21} {
		custom := make(map[string]string, pairs)
		for n := range pairs {
			custom[fmt.Sprintf("key%02d", n)] = fmt.Sprintf("value %d", n)
		}
		text, err := json.Marshal(custom)
		require.NoError(sys.t, err)
		event := sys.emit("webchat.lead.created", lead, `"customData":`+string(text))
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), "%d pairs", pairs)

		got := rec.all()[i]
		want := `{"apiVersion":"2021-08-23","type":"webchat.lead.created","data":` + lead + `,"customData":` + string(text) + `}`
		if pairs > 20 {
			want = `{"apiVersion":"2021-08-23","type":"webchat.lead.created","data":` + lead + `}`
		}
		require.Equal(sys.t, want, got.body, "%d pairs", pairs)
		verifyAktify(sys.t, got, "v1")
	}
}

func akt09(sys *system) {
	rec := newReceiver(sys.t, statuses(500, 500, 200))
	w := sys.createWebhook(rec.URL, aktifyOptions, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1,1]}`)
	event := sys.emit("lead.message_sent", smsData, campaignA)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	got := rec.all()
	require.Len(sys.t, got, 3)
	var last time.Time
	for _, a := range got {
		at := verifyAktify(sys.t, a, "v2")
		require.True(sys.t, at.After(last), "each attempt has its own time")
		require.Equal(sys.t, got[0].body, a.body, "the body stays")
		last = at
	}
	var codes, numbers []int
	for _, attempt := range sys.history(w.ID) {
		codes, numbers = append(codes, *attempt.StatusCode), append(numbers, attempt.Attempt)
	}
	require.Equal(sys.t, []int{200, 500, 500}, codes)
	require.Equal(sys.t, []int{3, 2, 1}, numbers)
	require.Equal(sys.t, "active", sys.webhook(w.ID).Status)
}

func akt10(sys *system) {
	// Five attempts, as the provider's own policy has, but sooner after another.
	breakAndHeal(sys, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1,1]}`, "failed")
}

// akt10Longer: it is the fifth failure that breaks the webhook, not the end of
// its schedule; what still waits then is not sent.
func akt10Longer(sys *system) {
	breakAndHeal(sys, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1,1,1,1,1]}`, "skipped")
}

func breakAndHeal(sys *system, retry, state string) {
	sys.t.Helper()
	rec := newReceiver(sys.t, statuses(500, 500, 500, 500, 500, 200))
	w := sys.createWebhook(rec.URL, aktifyOptions, retry)
	event := sys.emit("lead.message_sent", smsData, campaignA)
	require.Equal(sys.t, map[string]int{state: 1}, sys.awaitDone(event.ID))
	require.Len(sys.t, rec.all(), 5)
	require.Equal(sys.t, "broken", sys.webhook(w.ID).Status)
	require.False(sys.t, sys.webhook(w.ID).IsActive)

	later := sys.emit("lead.message_sent", smsData, campaignA)
	require.Equal(sys.t, map[string]int{"skipped": 1}, sys.awaitDone(later.ID))
	require.Equal(sys.t, "webhook_broken", sys.event(later.ID).Deliveries[0].Reason)
	require.Len(sys.t, rec.all(), 5)
	require.Len(sys.t, sys.history(w.ID), 5)

	code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, `{"url":"`+rec.URL+`/mended"}`)
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	require.Equal(sys.t, "active", into[hook](sys.t, a).Status)
	healed := sys.emit("lead.message_sent", smsData, campaignA)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(healed.ID))
	got := rec.all()
	require.Len(sys.t, got, 6, "what was missed stays missed")
	require.Equal(sys.t, "/mended", got[5].path)
}

func akt11(sys *system) {
	one, all := newReceiver(sys.t, nil), newReceiver(sys.t, nil)
	only := sys.createWebhook(one.URL, aktifyOptions, `"filters":{"campaignId":"campaign-a"}`)
	every := sys.createWebhook(all.URL, aktifyOptions)

	other := sys.emit("lead.message_sent", smsData, campaignB)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(other.ID))
	require.Empty(sys.t, one.all())
	own := sys.emit("lead.message_sent", smsData, campaignA)
	require.Equal(sys.t, map[string]int{"delivered": 2}, sys.awaitDone(own.ID))
	require.Len(sys.t, one.all(), 1)
	require.Len(sys.t, all.all(), 2)
	require.Len(sys.t, sys.history(only.ID), 1)
	require.Len(sys.t, sys.history(every.ID), 2)
}

// nodeReceiver verifies aktify-signature over the parsed body, stringified
// again: at /v1 and /v2 with the secret, at /wrong with another.
const nodeReceiver = `
const { createHmac } = require("node:crypto");
require("node:http").createServer((request, response) => {
  let text = "";
  request.setEncoding("utf8");
  request.on("data", (part) => { text += part; });
  request.on("end", () => {
    const [, t, version, digest] = /^t=(\d+),(v\d)=(\w+)$/.exec(request.headers["aktify-signature"]);
    const again = JSON.stringify(JSON.parse(text));
    const hmac = createHmac("sha256", request.url === "/wrong" ? "another" : process.env.SECRET);
    const want = hmac.update(version === "v2" ? t + "." + again : again).digest("hex");
    response.writeHead(want === digest ? 204 : 400).end();
  });
}).listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`

func akt12(sys *system) {
	t := sys.t
	needNode(t)
	node := exec.Command("node", "-e", nodeReceiver)
	node.Env, node.Stderr = append(os.Environ(), "SECRET="+aktifySecret), os.Stderr
	stdout, err := node.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())
	t.Cleanup(func() { _ = node.Process.Kill(); _ = node.Wait() })
	port, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "the receiver did not start")
	at := "http://127.0.0.1:" + strings.TrimSpace(port)

	const never = `"retry":{"mode":"never"}`
	sys.createWebhook(at+"/v1", aktifyOptions, never, `"version":"v1"`)
	sys.createWebhook(at+"/v2", aktifyOptions, never)
	wrong := sys.createWebhook(at+"/wrong", aktifyOptions, never)
	const hard = `<b>\"5\" & 'six'</b> \\ \u2028\u2029 \u00e9 😀 \ud83d\ude00 \u0007\t`
	event := sys.emit("dnc.created", `{"phone":"+1","dncTimestamp":"`+hard+`","10":1.50,"9":1e21,"n":[1E-7,-0.0,{}]}`, campaignA)
	require.Equal(t, map[string]int{"delivered": 2, "failed": 1}, sys.awaitDone(event.ID))
	require.Equal(t, 400, *sys.history(wrong.ID)[0].StatusCode, "the receiver does verify")
	event = sys.emit("webchat.lead.created", `{"campaignId":"c","phoneNumber":"+1","timestamp":"t","firstName":"`+hard+`"}`,
		`"customData":{"question":"`+hard+`","<&>":"é"}`)
	require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	event = sys.emit("lead.message_sent", `{"message":"`+hard+`"}`, campaignA)
	require.Equal(t, map[string]int{"delivered": 1, "failed": 1}, sys.awaitDone(event.ID))
}
