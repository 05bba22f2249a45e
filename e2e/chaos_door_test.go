//go:build chaos

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

func doorExperiments() []fault {
	return []fault{
		{"the same event 100 times at once", sameEventAtOnce},
		{"bodies at the limit and beyond", bodiesAtTheLimit},
		{"secrets rotated under 50/s", secretsRotated},
		{"webhooks edited, paused and deleted while retries wait", webhooksChanged},
		{"odd values of Retry-After", oddRetryAfter},
	}
}

func sameEventAtOnce(x *experiment) {
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() { au.sendBody("", "one-key", `{"type":"order.paid","data":{"n":1}}`, 30*time.Second) })
	}
	group.Wait()
	_, status := au.post("one-key", `{"type":"order.paid","data":{"n":2}}`)
	require.Equal(x.t, fmt.Sprint(http.StatusConflict), status, "the key of another event")
	require.Len(x.t, au.ids(), 1)
	x.judge(au, time.Time{}, 15*time.Second, au.refused())
}

func bodiesAtTheLimit(x *experiment) {
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	const limit = 256 << 10
	body := func(size int) string {
		const frame = `{"type":"order.paid","data":{"text":""}}`
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1)
	}
	require.True(x.t, au.sendBody("", "at-limit", body(limit), 10*time.Second))
	for _, size := range []int{limit + 1, 4<<20 + 1} {
		_, status := au.post(fmt.Sprint(size), body(size))
		require.Equal(x.t, fmt.Sprint(http.StatusRequestEntityTooLarge), status, "%d bytes", size)
	}
	x.judge(au, time.Time{}, 15*time.Second, "256 KiB taken, one byte more and 4 MiB refused with 413")
}

// secretsRotated verifies every request with the secrets of its time.
func secretsRotated(x *experiment) {
	au := x.scene(settings{}, 10*time.Millisecond)
	au.sys.start("all").awaitReady()
	w := au.watch("", retryAfterASecond)
	wait := x.load(au, 50, 10*time.Second)
	for range 4 {
		x.pause(2 * time.Second)
		code, a := au.sys.call("POST", "/api/webhooks/"+w.ID+"/rotate-secret", `{"overlapSeconds":1}`)
		require.Equal(x.t, http.StatusOK, code)
		au.mu.Lock()
		w.secrets = append(w.secrets, into[hook](x.t, a).Secret)
		au.mu.Unlock()
	}
	wait()
	au.settle(60 * time.Second)
	x.judge(au, time.Time{}, 15*time.Second, "4 rotations, every signature verified")
	au.mu.Lock()
	w.secrets = w.secrets[len(w.secrets)-1:]
	w.path, w.eventType = "/w1", ""
	au.mu.Unlock()
	after := time.Now()
	require.True(x.t, au.send("order.paid", 10*time.Second))
	au.settle(30 * time.Second)
	for _, a := range au.arrivals() {
		require.True(x.t, a.At.Before(after) || a.Signed, "the newest secret signs alone when the overlap is over")
	}
}

// webhooksChanged has three webhooks that fail: one gets another address, one is
// paused, one is deleted.
func webhooksChanged(x *experiment) {
	au := x.audited(x.install(settings{postgres: true}), func(_ int, w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/new") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	au.sys.start("all").awaitReady()
	const policy = `{"mode":"schedule","delaysSeconds":[4,4,4]}`
	edited, paused, deleted := au.watch("", policy), au.watch("", policy), au.watch("", policy)
	x.load(au, 20, 3*time.Second)()
	au.sending.Wait()
	change := func(method, id, body string) {
		code, a := au.sys.call(method, "/api/webhooks/"+id, body)
		require.Less(x.t, code, 300, a.raw)
	}
	change("PATCH", edited.ID, fmt.Sprintf(`{"url":%q}`, au.rec.URL+edited.path+"/new"))
	change("PATCH", paused.ID, `{"isActive":false}`)
	change("DELETE", deleted.ID, "")
	changed := time.Now().Add(time.Second) // what was being sent may still arrive
	au.settle(60 * time.Second)
	for _, a := range au.rec.all() {
		require.True(x.t, a.at.Before(changed) || strings.HasSuffix(a.path, "/new"), "%s was POSTed to after the change", a.path)
	}
	in := au.input()
	in.SkippedIsRight = true
	x.judgeInput(in, time.Time{}, 30*time.Second, "nothing was sent to an old address, a paused or a deleted webhook")
	for _, d := range in.Deliveries {
		want := map[string]string{edited.ID: "delivered", paused.ID: "skipped"}[d.WebhookID]
		require.Equal(x.t, want, d.State)
	}
}

// oddRetryAfter answers each delivery's first attempt with a Retry-After that
// makes no sense; nothing may be lost or put off past the policy's window.
func oddRetryAfter(x *experiment) {
	odd := []string{
		"0", "-5", "soon", "", "99999999999999999999", "1e3", "0x10", "3.5", "Wed, 21 Oct 1970 07:28:00 GMT",
		"Fri, 31 Dec 9999 23:59:59 GMT", "1, 2", "86400",
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	au := x.audited(x.install(settings{postgres: true}), func(n int, w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := r.Header.Get("X-Delivery-Id")
		if seen[id] {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		seen[id] = true
		w.Header().Set("Retry-After", odd[n%len(odd)])
		w.WriteHeader(slices.Repeat([]int{503, 429}, 2)[n%4])
	})
	au.sys.start("all").awaitReady()
	w := au.watch("", `{"mode":"schedule","delaysSeconds":[1,2,3]}`)
	x.load(au, 10, 6*time.Second)()
	au.sending.Wait()
	au.settle(60 * time.Second)
	in := au.input()
	x.judgeInput(in, time.Time{}, 30*time.Second, fmt.Sprintf("%d values", len(odd)))
	for _, d := range in.Deliveries {
		require.Equal(x.t, "delivered", d.State)
		require.Len(x.t, d.Attempts, 2)
	}
	_ = w
}
