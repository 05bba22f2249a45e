package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthaste/e2e/audit"
)

// send hands one event over, with a key, and again until it is taken or the time
// is up. It reports whether it was.
func (au *audited) send(eventType string, within time.Duration) bool {
	if au.unkeyed {
		return au.sendNew(eventType, within)
	}
	n, body := au.next(eventType)
	return au.sendBody(eventType, fmt.Sprintf("key-%d", n), body, within)
}

// next is the body of an event that there was not yet, and its number.
func (au *audited) next(eventType string) (n int64, body string) {
	n = au.sent.Add(1)
	return n, fmt.Sprintf(`{"type":%q,"data":{"n":%d,"note":"<é & \u2028>"}}`, eventType, n)
}

// markOf is what tells a body from others: its number. What a receiver gets has it
// in the same place.
func markOf(body string) string {
	var event struct{ Data struct{ N json.RawMessage } }
	if json.Unmarshal([]byte(body), &event) != nil {
		return ""
	}
	return string(event.Data.N)
}

// sendNew hands an event over without a key, and another one in its place until
// one is taken or the time is up. It reports whether one was.
//
// Without a key nobody can ask again what became of an event. A 503 or a broken
// connection leaves it open: the door also says 503 when Temporal has not answered
// in time, and then the start may have happened, with all that shared it; the
// events go out, and what the publisher sends again is a second event. From a 503
// alone a publisher cannot tell this from a door that asked nobody, so after either
// the event counts as one of unknown fate: it may arrive, under one id, or not. Any
// other refusal comes before a start, and what was refused so must not arrive.
func (au *audited) sendNew(eventType string, within time.Duration) bool {
	for deadline := time.Now().Add(within); ; {
		begun := time.Now()
		_, body := au.next(eventType)
		id, status, wait := au.ask("", body)
		if id != "" {
			au.taken(id, eventType, body, begun)
			return true
		}
		au.mu.Lock()
		au.refusals[status]++
		if !strings.HasPrefix(status, "4") {
			au.unanswered = append(au.unanswered, markOf(body))
		}
		au.mu.Unlock()
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(wait)
	}
}

func (au *audited) sendBody(eventType, key, body string, within time.Duration) bool {
	begun := time.Now()
	for deadline := begun.Add(within); ; {
		id, status, wait := au.ask(key, body)
		if id != "" {
			au.taken(id, eventType, body, begun)
			return true
		}
		au.mu.Lock()
		au.refusals[status]++
		au.mu.Unlock()
		if time.Now().After(deadline) {
			au.mu.Lock()
			au.unanswered = append(au.unanswered, markOf(body))
			au.mu.Unlock()
			return false
		}
		<-time.After(wait)
	}
}

// taken is take of an event that was handed over at a known time.
func (au *audited) taken(id, eventType, body string, begun time.Time) {
	au.take(id, eventType, body)
	au.mu.Lock()
	defer au.mu.Unlock()
	au.begun[id] = begun
}

// take notes an event as accepted, by the webhooks that want it.
func (au *audited) take(id, eventType, body string) {
	at := time.Now()
	au.mu.Lock()
	defer au.mu.Unlock()
	event := audit.Accepted{ID: id, Mark: markOf(body), Tenant: au.sys.tenant, At: at}
	for _, w := range au.hooks {
		if w.eventType == "" || w.eventType == eventType {
			event.Webhooks = append(event.Webhooks, w.ID)
		}
	}
	if !slices.ContainsFunc(au.accepted, func(a audit.Accepted) bool { return a.ID == id }) {
		au.accepted = append(au.accepted, event)
	}
}

// post makes one request. It returns the event's id, or what came instead.
func (au *audited) post(key, body string) (id, status string) {
	id, status, _ = au.ask(key, body)
	return id, status
}

// ask is post, and says how long to wait before the next.
func (au *audited) ask(key, body string) (id, status string, wait time.Duration) {
	text, status, wait := au.hand("/api/events", key, body)
	if status != "" {
		return "", status, wait
	}
	var a struct{ Data accepted }
	if err := json.Unmarshal(text, &a); err != nil {
		return "", "none", wait
	}
	return a.Data.ID, "", 0
}

// hand makes one request, without a key where there is none, and returns the
// answer, or what came instead. It says how long to wait before the next: what
// Retry-After asks for, or a moment where nobody answered.
func (au *audited) hand(path, key, body string) (text []byte, status string, wait time.Duration) {
	wait = 100 * time.Millisecond
	request, err := http.NewRequest(http.MethodPost, au.door()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err.Error(), wait
	}
	request.Header.Set("Authorization", "Bearer "+au.sys.token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := au.client.Do(request)
	if err != nil {
		return nil, "none", wait
	}
	defer func() { _ = response.Body.Close() }()
	if text, err = io.ReadAll(response.Body); err != nil {
		return nil, "none", wait
	}
	if response.StatusCode > 299 {
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
			wait = time.Duration(seconds) * time.Second
		}
		return nil, fmt.Sprint(response.StatusCode), wait
	}
	return text, "", wait
}

// load hands over events in an open loop: so many per second whether the earlier
// ones were answered or not. It returns when the last one was sent; wait for the
// answers with settle. Where events come in bursts, those of one come at one time,
// and the bursts so much the more seldom.
func (au *audited) load(eventType string, perSecond int, lasting time.Duration) {
	burst := max(au.burst, 1)
	tick := time.NewTicker(time.Duration(burst) * time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for end := time.After(lasting); ; {
		select {
		case <-tick.C:
			for range burst {
				au.sending.Go(func() { au.send(eventType, time.Minute) })
			}
		case <-end:
			return
		}
	}
}
