package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Many ask for the longest answers there are and do not read them: the door gives
// out no more than it has memory for, and others are served meanwhile.
func TestReadersWhoDoNotReadStayInsideTheMemory(t *testing.T) {
	t.Parallel()
	const readers, attempts, mostMiB = 100, 100, 300
	sys := install(t, settings{})
	long := []byte(strings.Repeat("\x01", 64<<10)) // six times as long in JSON
	rec := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/failing" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(long)
	})
	p := sys.start("all").awaitReady()
	hook := sys.createWebhook(rec.URL, `"events":["order.paid"]`)
	sys.createWebhook(rec.URL+"/failing", `"events":["order.lost"]`, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1,1,1,1,1,1]}`)
	lost := sys.emit("order.lost", `{}`)
	sys.enqueueBatch(slices.Repeat([]string{paid}, attempts))
	failed := sys.awaitStates(lost.ID, recovery, "failed")
	sys.await("every attempt", recovery, func() bool { return len(sys.everyAttempt(hook.ID)) == attempts })
	before := p.residentMiB()

	page, delivery := "/api/webhooks/"+hook.ID+"/history?limit=100", "/api/deliveries/"+failed[0].ID
	require.Equal(t, map[int]int{http.StatusOK: 20}, sys.readAtOnce(page, 20), "twenty readers are nothing out of the ordinary")
	answers := map[string]int{}
	for range readers {
		answers[sys.askAndLeaveUnread(page)]++
		answers[sys.askAndLeaveUnread(delivery)]++
	}
	other := sys.as(t, "another")
	require.Equal(t, map[int]int{http.StatusOK: 20}, other.readAtOnce("/api/webhooks", 20))
	code, a := other.call("POST", "/api/events", paid)
	require.Equal(t, http.StatusAccepted, code, a.raw)
	t.Logf("%v; %d MiB before, %d at most", answers, before, p.mostResidentMiB())
	require.Equal(t, 2*readers, answers["200 OK"]+answers["503 Service Unavailable"], answers)
	require.Less(t, p.mostResidentMiB(), mostMiB)
}

// readAtOnce has so many read an answer at the same time, and counts by status.
func (sys *system) readAtOnce(path string, readers int) map[int]int {
	sys.t.Helper()
	codes := make(chan int, readers)
	for range readers {
		go func() {
			request, err := http.NewRequest(http.MethodGet, sys.api+path, nil)
			if err != nil {
				codes <- 0
				return
			}
			request.Header.Set("Authorization", "Bearer "+sys.token)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				codes <- 0
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			codes <- response.StatusCode
		}()
	}
	counts := map[int]int{}
	for range readers {
		counts[<-codes]++
	}
	return counts
}

// everyAttempt walks through a history by its cursors and returns the deliveries
// of its attempts.
func (sys *system) everyAttempt(webhookID string) map[string]bool {
	sys.t.Helper()
	seen, cursor := map[string]bool{}, ""
	for {
		code, a := sys.call("GET", "/api/webhooks/"+webhookID+"/history?limit=100&cursor="+cursor, "")
		require.Equal(sys.t, http.StatusOK, code)
		for _, attempt := range into[[]seenAttempt](sys.t, a) {
			require.False(sys.t, seen[attempt.DeliveryID], "twice: %s", attempt.DeliveryID)
			seen[attempt.DeliveryID] = true
		}
		if a.Pagination.NextCursor == nil {
			return seen
		}
		cursor = *a.Pagination.NextCursor
	}
}

// askAndLeaveUnread asks for a page, takes the answer's status and leaves the rest
// until the test is over.
func (sys *system) askAndLeaveUnread(path string) string {
	sys.t.Helper()
	connection, err := net.DialTimeout("tcp", strings.TrimPrefix(sys.api, "http://"), 10*time.Second)
	require.NoError(sys.t, err)
	sys.t.Cleanup(func() { _ = connection.Close() })
	require.NoError(sys.t, connection.(*net.TCPConn).SetReadBuffer(4<<10))
	require.NoError(sys.t, connection.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: posthaste\r\nAuthorization: Bearer %s\r\n\r\n", path, sys.token)
	require.NoError(sys.t, err)
	line, err := bufio.NewReaderSize(connection, 64).ReadString('\n')
	require.NoError(sys.t, err)
	return strings.TrimSpace(strings.TrimPrefix(line, "HTTP/1.1 "))
}
