package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKO(t *testing.T) {
	t.Parallel()
	accept(t, "akol",
		acceptance{"AKO06_ThirtySecondsAreTheLimit", ako06}, // the longest first
		acceptance{"AKO01_SecretIsShownOnceAndHTTPRefused", ako01},
		acceptance{"AKO03_AllFourteenArriveOnceAndSigned", ako03},
		acceptance{"AKO04_NextEventAfterRotation", ako04Next},
		acceptance{"AKO04_PendingRetryAfterRotation", ako04Pending},
		acceptance{"AKO05_OneSignedSamplePerSubscribedType", ako05},
		acceptance{"AKO07_LogHoldsWhatTheReceiverSaid", ako07},
		acceptance{"AKO08_InactiveMissesAndKeepsItsLog", ako08},
		acceptance{"AKO09_DeleteLeavesNoRow", ako09},
		acceptance{"AKO10_GoneIsAnOrdinaryFailure", ako10},
		acceptance{"AKO11_NothingIsMadeUp", ako11},
	)
}

const callData = `{"callId":"call_1","outcome":"completed","summary":"\"R&D\" <asked> 🙂","duration":166.50}`

// signedAkol reports whether the request verifies with the secret.
func signedAkol(a arrival, secret string) bool {
	values := a.header.Values("X-Webhook-Signature")
	return len(values) == 1 && values[0] == hmacHex(secret, a.body)
}

func (sys *system) createAkol(url string, extra ...string) hook {
	sys.t.Helper()
	return sys.createWebhook(url, append(extra, `"name":"Front desk"`)...)
}

func ako01(sys *system) {
	t := sys.t
	w := sys.createAkol("https://hooks.example.com/akol", `"events":["call.ended"]`)
	require.Equal(t, "Front desk", w.Name)
	require.Regexp(t, `^whsec_[A-Za-z0-9_-]{32,}$`, w.Secret)
	other := sys.createAkol("https://hooks.example.com/other")
	require.NotEqual(t, w.Secret, other.Secret)

	answers := []string{}
	for _, call := range [][3]string{
		{"GET", "/api/webhooks", ""},
		{"GET", "/api/webhooks/" + w.ID, ""},
		{"PATCH", "/api/webhooks/" + w.ID, `{"name":"Renamed"}`},
		{"GET", "/api/webhooks/" + w.ID + "/history", ""},
	} {
		code, a := sys.call(call[0], call[1], call[2])
		require.Equal(t, http.StatusOK, code, a.raw)
		answers = append(answers, a.raw)
	}
	require.NotContains(t, strings.Join(answers, "\n"), w.Secret)
	require.NotContains(t, strings.Join(answers, "\n"), strings.TrimPrefix(w.Secret, "whsec_"))

	// The same installation as it is in production, without the development switch.
	address := fmt.Sprintf("127.0.0.1:%d", freePort())
	strict := sys.as(t, sys.tenant)
	strict.api = "http://" + address
	strict.start("api", "POSTHASTE_HTTP_ADDR="+address, "POSTHASTE_ALLOW_HTTP=false").awaitReady()
	const body = `{"name":"Front desk","url":"%s://hooks.example.com/strict","events":["call.ended"]}`
	code, a := strict.call("POST", "/api/webhooks", fmt.Sprintf(body, "http"))
	require.Equal(t, http.StatusBadRequest, code, a.raw)
	require.Contains(t, a.Errors["url"], "https")
	require.Len(t, a.Errors, 1)
	code, a = strict.call("POST", "/api/webhooks", fmt.Sprintf(body, "https"))
	require.Equal(t, http.StatusCreated, code, a.raw)
	code, a = strict.call("POST", "/api/webhooks", `{"url":"https://hooks.example.com/unnamed","events":["call.ended"]}`)
	require.Equal(t, http.StatusBadRequest, code, a.raw)
	require.Contains(t, a.Errors, "name")
}

func ako03(sys *system) {
	t := sys.t
	code, a := sys.call("GET", "/api/webhooks/events", "")
	require.Equal(t, http.StatusOK, code, a.raw)
	names := into[[]string](t, a)
	require.Len(t, names, 14)
	listed, err := json.Marshal(names)
	require.NoError(t, err)
	rec := newReceiver(t, nil)
	w := sys.createAkol(rec.URL, `"events":`+string(listed))
	for _, name := range names {
		event := sys.emit(name, callData)
		require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), name)
	}
	var arrived []string
	for _, got := range rec.all() {
		var body struct {
			Event, Timestamp, BusinessID, WebhookID string
			Data                                    json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(got.body), &body))
		arrived = append(arrived, body.Event)
		require.True(t, signedAkol(got, w.Secret), body.Event)
		require.Contains(t, body.WebhookID, w.ID)
		require.Contains(t, body.BusinessID, sys.tenant)
		require.Equal(t, strings.Replace(callData, "166.50", "166.5", 1), string(body.Data))
	}
	require.Equal(t, names, arrived, "each once")
}

// rotate gives the webhook a new secret.
func (sys *system) rotate(w hook) string {
	sys.t.Helper()
	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/rotate-secret", "")
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	secret := into[hook](sys.t, a).Secret
	require.NotEmpty(sys.t, secret)
	require.NotEqual(sys.t, w.Secret, secret)
	return secret
}

func ako04Next(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createAkol(rec.URL)
	sys.awaitDone(sys.emit("call.ended", callData).ID)
	secret := sys.rotate(w)
	sys.awaitDone(sys.emit("call.ended", callData).ID)
	got := rec.all()
	require.Len(sys.t, got, 2)
	require.True(sys.t, signedAkol(got[0], w.Secret))
	require.True(sys.t, signedAkol(got[1], secret), "the new one")
	require.False(sys.t, signedAkol(got[1], w.Secret), "the old one stopped at once")

	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/rotate-secret", `{"overlapSeconds":3600}`)
	require.Equal(sys.t, http.StatusBadRequest, code, "one signature has no room for an overlap: %s", a.raw)
}

func ako04Pending(sys *system) {
	for _, byHand := range []bool{true, false} {
		rec := newReceiver(sys.t, statuses(500, 200))
		delay := map[bool]int{true: 3600, false: 3}[byHand]
		w := sys.createAkol(rec.URL, fmt.Sprintf(`"events":["call.ended"],"retry":{"mode":"schedule","delaysSeconds":[%d]}`, delay))
		event := sys.emit("call.ended", callData)
		delivery := sys.awaitStates(event.ID, 20*time.Second, "retrying")[0]
		secret := sys.rotate(w)
		require.Len(sys.t, rec.all(), 1, "rotated before the retry")
		if byHand {
			code, a := sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "")
			require.Equal(sys.t, http.StatusAccepted, code, a.raw)
		}
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
		got := rec.all()
		require.Len(sys.t, got, 2)
		require.True(sys.t, signedAkol(got[0], w.Secret))
		require.True(sys.t, signedAkol(got[1], secret))
		require.False(sys.t, signedAkol(got[1], w.Secret))
		code, a := sys.call("DELETE", "/api/webhooks/"+w.ID, "")
		require.Equal(sys.t, http.StatusOK, code, a.raw)
	}
}

func ako05(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createAkol(rec.URL, `"events":["call.ended","transcript.ready","agent.created"]`)
	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/test", "")
	require.Equal(sys.t, http.StatusAccepted, code, a.raw)
	sys.await("the log", 20*time.Second, func() bool { return len(sys.history(w.ID)) == 3 })
	var arrived []string
	for _, got := range rec.all() {
		require.True(sys.t, signedAkol(got, w.Secret))
		var body struct {
			Event string
			Data  map[string]any
		}
		require.NoError(sys.t, json.Unmarshal([]byte(got.body), &body))
		require.NotEmpty(sys.t, body.Data)
		arrived = append(arrived, body.Event)
	}
	require.ElementsMatch(sys.t, []string{"call.ended", "transcript.ready", "agent.created"}, arrived)
	for _, attempt := range sys.history(w.ID) {
		require.True(sys.t, attempt.Test)
		require.True(sys.t, attempt.Success)
	}

	code, a = sys.call("POST", "/api/webhooks/"+w.ID+"/test", `{"event":"transcript.ready"}`)
	require.Equal(sys.t, http.StatusAccepted, code, a.raw)
	sys.await("the log", 20*time.Second, func() bool { return len(sys.history(w.ID)) == 4 })
	require.Equal(sys.t, "transcript.ready", sys.history(w.ID)[0].Event)
	code, a = sys.call("POST", "/api/webhooks/"+w.ID+"/test", `{"event":"call.failed"}`)
	require.Equal(sys.t, http.StatusBadRequest, code, a.raw)
}

func ako06(sys *system) {
	after := func(wait time.Duration) *receiver {
		return newReceiver(sys.t, func(_ int, w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(wait):
				w.WriteHeader(http.StatusNoContent)
			case <-r.Context().Done():
			}
		})
	}
	inTime, late := after(29*time.Second), after(31*time.Second)
	good, bad := sys.createAkol(inTime.URL), sys.createAkol(late.URL)
	event := sys.emit("call.ended", callData)
	sys.awaitStates(event.ID, 50*time.Second, "delivered", "failed")

	history := sys.history(good.ID)
	require.Len(sys.t, history, 1)
	require.True(sys.t, history[0].Success)
	require.Equal(sys.t, 204, *history[0].StatusCode)
	history = sys.history(bad.ID)
	require.Len(sys.t, history, 1)
	require.False(sys.t, history[0].Success)
	require.Nil(sys.t, history[0].StatusCode)
	require.Equal(sys.t, "timeout", history[0].Reason)
	require.Equal(sys.t, map[string]int{"delivered": 1, "failed": 1}, sys.awaitDone(event.ID))
	require.Len(sys.t, inTime.all(), 1)
	require.Len(sys.t, late.all(), 1)
}

func ako07(sys *system) {
	rec := newReceiver(sys.t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("nope"))
	})
	w := sys.createAkol(rec.URL)
	before := time.Now().Truncate(time.Millisecond)
	event := sys.emit("call.ended", callData)
	require.Equal(sys.t, map[string]int{"failed": 1}, sys.awaitDone(event.ID))
	history := sys.history(w.ID)
	require.Len(sys.t, history, 1)
	at, err := time.Parse("2006-01-02T15:04:05.000Z", history[0].DeliveredAt)
	require.NoError(sys.t, err)
	require.WithinRange(sys.t, at, before, time.Now())
	require.Equal(sys.t, "call.ended", history[0].Event)
	require.Equal(sys.t, 404, *history[0].StatusCode)
	require.False(sys.t, history[0].Success)
	require.Equal(sys.t, "nope", history[0].Body)
	require.False(sys.t, history[0].Test)
}

func ako08(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createAkol(rec.URL)
	toggle := func(active bool) {
		code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, fmt.Sprintf(`{"isActive":%v}`, active))
		require.Equal(sys.t, http.StatusOK, code, a.raw)
		require.Equal(sys.t, active, into[hook](sys.t, a).IsActive)
	}
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(sys.emit("call.started", callData).ID))
	toggle(false)
	for range 2 {
		missed := sys.emit("call.ended", callData)
		require.Equal(sys.t, map[string]int{"skipped": 1}, sys.awaitDone(missed.ID))
	}
	require.Len(sys.t, rec.all(), 1)
	require.Len(sys.t, sys.history(w.ID), 1, "the log stays")
	toggle(true)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(sys.emit("call.completed", callData).ID))
	got := rec.all()
	require.Len(sys.t, got, 2)
	require.Contains(sys.t, got[1].body, `"event":"call.completed"`)
	require.Len(sys.t, sys.history(w.ID), 2)
}

func ako09(sys *system) {
	t := sys.t
	rec := newReceiver(t, statuses(200, 500))
	w := sys.createAkol(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
	kept := sys.createAkol(newReceiver(t, nil).URL)
	sys.awaitDone(sys.emit("call.ended", callData).ID)
	waiting := sys.emit("call.ended", callData)
	delivery := ""
	for _, d := range sys.awaitStates(waiting.ID, 20*time.Second, "retrying", "delivered") {
		if d.WebhookID == w.ID {
			delivery = d.ID
		}
	}
	for _, table := range []string{"webhooks", "deliveries", "attempts"} {
		require.Contains(t, sys.tablesWith(w.ID), table, "the search sees rows")
	}

	code, a := sys.call("DELETE", "/api/webhooks/"+w.ID, "")
	require.Equal(t, http.StatusOK, code, a.raw)
	code, a = sys.call("GET", "/api/webhooks/"+w.ID+"/history", "")
	require.Equal(t, http.StatusNotFound, code, a.raw)
	require.Equal(t, "NOT_FOUND", a.Code)
	code, a = sys.call("GET", "/api/deliveries/"+delivery, "")
	require.Equal(t, http.StatusNotFound, code, a.raw)
	require.Equal(t, []string{"audit"}, sys.tablesWith(w.ID), "that it was deleted, and by whom, stays on record")
	require.Empty(t, sys.tablesWith(delivery))
	require.Contains(t, sys.tablesWith(kept.ID), "attempts", "another webhook's log stays")
	require.Len(t, sys.history(kept.ID), 2)
}

// tablesWith searches every column of every table of the database, and returns
// the tables that hold the text.
func (sys *system) tablesWith(text string) []string {
	sys.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(sys.dir, "posthaste.db")+"?mode=ro")
	require.NoError(sys.t, err)
	defer func() { _ = db.Close() }()
	var found []string
	for _, name := range sys.column(db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
		for _, column := range sys.column(db, "SELECT name FROM pragma_table_info(?)", name) {
			query := fmt.Sprintf("SELECT 1 FROM %q WHERE instr(CAST(%q AS TEXT), ?) > 0 LIMIT 1", name, column)
			if len(sys.column(db, query, text)) > 0 {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

// column returns what a query of one column finds.
func (sys *system) column(db *sql.DB, query string, arguments ...any) []string {
	sys.t.Helper()
	rows, err := db.QueryContext(sys.t.Context(), query, arguments...)
	require.NoError(sys.t, err, query)
	defer func() { _ = rows.Close() }()
	var values []string
	for rows.Next() {
		var value string
		require.NoError(sys.t, rows.Scan(&value))
		values = append(values, value)
	}
	require.NoError(sys.t, rows.Err())
	return values
}

func ako10(sys *system) {
	rec := newReceiver(sys.t, statuses(410, 204))
	w := sys.createAkol(rec.URL)
	require.Equal(sys.t, map[string]int{"failed": 1}, sys.awaitDone(sys.emit("call.ended", callData).ID))
	require.Equal(sys.t, 410, *sys.history(w.ID)[0].StatusCode)
	require.True(sys.t, sys.webhook(w.ID).IsActive)
	require.Equal(sys.t, "active", sys.webhook(w.ID).Status)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(sys.emit("call.ended", callData).ID))
}

func ako11(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createAkol(rec.URL)
	event := sys.emit("call.ended", callData)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	got := rec.all()
	require.Len(sys.t, got, 1)
	require.Contains(sys.t, got[0].body, `{"event":"call.ended",`)
	require.Len(sys.t, sys.history(w.ID), 1)
	code, a := sys.call("GET", "/api/events", "")
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	require.Len(sys.t, into[[]seenEvent](sys.t, a), 1, "one event is on record")
}
