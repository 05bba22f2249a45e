package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"posthaste/workflows"
)

func TestSYS(t *testing.T) {
	t.Parallel()
	accept(t, "standard",
		acceptance{"SYS01_OneCallIsOneVisibleWorkflow", sys01},
		acceptance{"SYS02_SameKeyIsOneWorkflowAndOneDelivery", sys02},
		acceptance{"SYS04_OneThatHangsDelaysNoOther", sys04},
		acceptance{"SYS06_EventsBelongToTheirProvider", sys06},
		acceptance{"SYS07_NoSecretInTemporal", sys07},
	)
}

// visible lists the tenant's workflows as Temporal Web UI does.
func (sys *system) visible() map[string]*workflowpb.WorkflowExecutionInfo {
	sys.t.Helper()
	list, err := sys.temporalClient().ListWorkflow(sys.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("PosthasteTenant = %q", sys.tenant),
	})
	require.NoError(sys.t, err)
	found := map[string]*workflowpb.WorkflowExecutionInfo{}
	for _, execution := range list.GetExecutions() {
		found[execution.GetExecution().GetWorkflowId()] = execution
	}
	require.Len(sys.t, found, len(list.GetExecutions()), "one run each")
	return found
}

func sys01(sys *system) {
	sys.createWebhook(newReceiver(sys.t, nil).URL, `"events":["order.paid"]`)
	sys.createWebhook(newReceiver(sys.t, status(400)).URL, `"events":["order.lost"]`, `"retry":{"mode":"never"}`)
	require.Empty(sys.t, sys.visible())
	paid, lost := sys.emit("order.paid", `{}`), sys.emit("order.lost", `{}`)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(paid.ID))
	require.Equal(sys.t, map[string]int{"failed": 1}, sys.awaitDone(lost.ID))
	names := map[string]string{
		workflows.EventWorkflowID(sys.tenant, paid.ID): "order.paid",
		workflows.EventWorkflowID(sys.tenant, lost.ID): "order.lost",
	}
	outcome := func(execution *workflowpb.WorkflowExecutionInfo) string {
		if value := execution.GetSearchAttributes().GetIndexedFields()["PosthasteOutcome"]; value != nil {
			return text(sys.t, value)
		}
		return ""
	}
	sys.await("both to be listed as completed", 20*time.Second, func() bool {
		for _, execution := range sys.visible() {
			if execution.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
				return false
			}
		}
		return len(sys.visible()) == 2
	})
	listed := sys.visible()
	require.ElementsMatch(sys.t, slices.Collect(maps.Keys(names)), slices.Collect(maps.Keys(listed)))
	for id, execution := range listed {
		fields := execution.GetSearchAttributes().GetIndexedFields()
		require.Equal(sys.t, "standard", text(sys.t, fields["PosthasteProvider"]))
		require.Equal(sys.t, names[id], text(sys.t, fields["PosthasteEventType"]))
	}
	require.Empty(sys.t, outcome(listed[workflows.EventWorkflowID(sys.tenant, paid.ID)]), "all was delivered")
	require.Equal(sys.t, "failed", outcome(listed[workflows.EventWorkflowID(sys.tenant, lost.ID)]))
	require.Equal(sys.t, workflows.EventWorkflowID(sys.tenant, paid.ID), sys.event(paid.ID).WorkflowID)
}

func sys02(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createWebhook(rec.URL)
	const callers = 8
	answers := make([]int, callers)
	ids := make([]string, callers)
	var group sync.WaitGroup
	for i := range callers { // all at once: none knows of another
		group.Go(func() {
			code, a := sys.call("POST", "/api/events", paid, "Idempotency-Key", "order-1042")
			answers[i], ids[i] = code, into[accepted](sys.t, a).ID
		})
	}
	group.Wait()
	slices.Sort(answers)
	require.Equal(sys.t, append(slices.Repeat([]int{http.StatusOK}, callers-1), http.StatusAccepted), answers)
	require.Len(sys.t, slices.Compact(slices.Sorted(slices.Values(ids))), 1)

	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(ids[0]))
	code, a := sys.call("POST", "/api/events", paid, "Idempotency-Key", "order-1042") // and after it is done
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	require.True(sys.t, into[accepted](sys.t, a).Duplicate)
	require.Len(sys.t, rec.all(), 1)
	require.Len(sys.t, sys.history(w.ID), 1)
	require.Len(sys.t, sys.event(ids[0]).Deliveries, 1)
	sys.await("the workflow to be listed", 20*time.Second, func() bool { return len(sys.visible()) > 0 })
	require.Len(sys.t, sys.visible(), 1)
}

// TestSYS03_EventsWaitWhileNoWorkerRuns stops the worker of an installation that
// works, and starts another.
func TestSYS03_EventsWaitWhileNoWorkerRuns(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	worker := sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	w := sys.createWebhook(rec.URL)
	require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(sys.enqueue(paid).ID))
	worker.stop()

	const waiting = 25
	ids := []string{}
	for range waiting {
		ids = append(ids, sys.enqueue(paid).ID)
	}
	require.Len(t, rec.all(), 1, "nobody delivers")
	sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	for _, id := range ids {
		require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(id))
	}
	require.Len(t, sys.history(w.ID), 1+waiting)
	require.Len(t, rec.all(), 1+waiting)
}

func sys04(sys *system) {
	hanging := newReceiver(sys.t, hang)
	stuck := sys.createWebhook(hanging.URL, `"timeoutSeconds":30`)
	var others []*receiver
	for range 3 {
		rec := newReceiver(sys.t, nil)
		sys.createWebhook(rec.URL)
		others = append(others, rec)
	}
	for n := 1; n <= 3; n++ {
		enqueued := time.Now()
		event := sys.enqueue(paid)
		for _, rec := range others {
			rec.await(n, 10*time.Second)
		}
		require.Less(sys.t, time.Since(enqueued), 5*time.Second)
		hanging.await(n, 10*time.Second) // it hangs by now
		states := sys.awaitStates(event.ID, 10*time.Second, "delivered", "delivered", "delivered", "pending")
		require.Less(sys.t, time.Since(enqueued), 10*time.Second, "on record long before the 30 s are over")
		for _, d := range states {
			require.Equal(sys.t, d.WebhookID == stuck.ID, d.State == "pending")
		}
	}
	require.Empty(sys.t, sys.history(stuck.ID))
}

// TestSYS05_TwoWorkersShareAThousandEvents runs three processes on PostgreSQL.
func TestSYS05_TwoWorkersShareAThousandEvents(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{postgres: true}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	var workers []*process
	for range 2 {
		workers = append(workers, sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort())))
	}
	w := sys.createWebhook(rec.URL)
	const events, publishers = 1000, 10
	var group sync.WaitGroup
	var mu sync.Mutex
	taken := map[string]bool{}
	for publisher := range publishers {
		group.Go(func() {
			for n := range events / publishers {
				id, ok := sys.tryEnqueue(fmt.Sprintf(`{"type":"order.paid","data":{"n":"%d-%d"}}`, publisher, n))
				mu.Lock()
				if ok {
					taken[id] = true
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Len(t, taken, events, "all were accepted")
	rec.await(events, 120*time.Second)
	for id := range taken {
		require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(id))
	}

	history := sys.wholeHistory(w.ID)
	require.Len(t, history, events)
	for _, attempt := range history {
		require.True(t, attempt.Success)
		delete(taken, attempt.EventID)
	}
	require.Empty(t, taken, "each has its own line")
	require.Len(t, rec.all(), events)
	for _, worker := range workers {
		log, err := os.ReadFile(worker.log)
		require.NoError(t, err)
		require.Greater(t, bytes.Count(log, []byte(`"msg":"attempt"`)), events/20, "both worked")
	}
}

// wholeHistory reads all pages of a webhook's history.
func (sys *system) wholeHistory(webhookID string) []seenAttempt {
	sys.t.Helper()
	var all []seenAttempt
	cursor := ""
	for {
		code, a := sys.call("GET", "/api/webhooks/"+webhookID+"/history?limit=100&cursor="+cursor, "")
		require.Equal(sys.t, http.StatusOK, code, a.raw)
		all = append(all, into[[]seenAttempt](sys.t, a)...)
		if a.Pagination.NextCursor == nil {
			return all
		}
		cursor = *a.Pagination.NextCursor
	}
}

func sys06(sys *system) {
	receivers := map[string]*receiver{}
	for _, name := range []string{"actiwapi", "akol", "standard"} {
		receivers[name] = newReceiver(sys.t, nil)
		sys.createWebhook(receivers[name].URL, fmt.Sprintf(`"provider":%q,"name":"all"`, name))
	}
	for _, test := range []struct{ provider, eventType string }{
		{"standard", "message.received"}, // a name of ActiWAPI
		{"standard", "call.ended"},       // a name of Akol
		{"actiwapi", "message.received"},
		{"akol", "call.ended"},
	} {
		before := len(receivers[test.provider].all())
		event := sys.emit(test.eventType, `{}`, fmt.Sprintf(`"provider":%q`, test.provider))
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), "%s of %s", test.eventType, test.provider)
		require.Len(sys.t, receivers[test.provider].all(), before+1)
	}
	require.Len(sys.t, receivers["actiwapi"].all(), 1)
	require.Len(sys.t, receivers["akol"].all(), 1)
	require.Len(sys.t, receivers["standard"].all(), 2)
}

// sys07 searches all that Temporal keeps of a tenant's workflows, finished and
// waiting, for every secret there is.
func sys07(sys *system) {
	t := sys.t
	const never, later = `"retry":{"mode":"never"}`, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`
	echo := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.Header.Get("X-Api-Key"))
	})
	good := newReceiver(t, nil)
	// A receiver that answers what it was sent has told its own secret, and the
	// ledger keeps answers; Temporal must not have it all the same. Nor has it
	// what customers see: addresses and event data.
	const credentials = `"headers":{"Authorization":"Bearer canary-credential","X-Api-Key":"canary-key"}`
	const echoed = `"headers":{"Authorization":"Bearer echoed-credential","X-Api-Key":"echoed-key"}`
	secrets := []string{"canary-credential", "canary-key", "canary-given-secret"}
	for _, word := range []string{"echoed-credential", "echoed-key", "canary-token"} {
		secrets = append(secrets, word)
		everyCanary.add(word, word)
	}
	everyCanary.add("event data", "canary-in-data")
	for i, url := range []string{good.URL, echo.URL, "http://127.0.0.1:1"} {
		for _, extra := range [][]string{
			{`"provider":"standard"`, later}, {`"provider":"akol","name":"all"`, later},
			{`"provider":"actiwapi","secret":"canary-given-secret"`, never},
			{`"provider":"aktify","secret":"canary-given-secret"`, later},
			{`"provider":"activecampaign"`},
		} {
			headers := credentials
			if url == echo.URL {
				headers = echoed
			}
			w := sys.createWebhook(fmt.Sprintf("%s/%d?token=canary-token", url, i), append(extra, headers)...)
			if w.Secret != "" {
				secrets = append(secrets, w.Secret, strings.TrimPrefix(w.Secret, "whsec_"))
			}
		}
	}
	ids := []string{
		sys.emit("order.paid", `{"canary":"canary-in-data"}`).ID,
		sys.emit("call.ended", `{"canary":"canary-in-data"}`, `"provider":"akol"`).ID,
		sys.emit("message.sent", `{"canary":"canary-in-data"}`, `"provider":"actiwapi"`).ID,
		sys.emit("lead.message_sent", `{"canary":"canary-in-data"}`, `"provider":"aktify"`, campaignA).ID,
		sys.emit("update", `{"canary":"canary-in-data"}`, `"provider":"activecampaign"`).ID,
	}
	sys.awaitStates(ids[0], 20*time.Second, "delivered", "retrying", "retrying")
	sys.awaitStates(ids[1], 20*time.Second, "delivered", "retrying", "retrying")
	sys.awaitStates(ids[2], 20*time.Second, "delivered", "failed", "failed")
	sys.awaitStates(ids[3], 20*time.Second, "delivered", "retrying", "retrying")
	sys.awaitStates(ids[4], 20*time.Second, "delivered", "failed", "failed")
	for i, id := range ids {
		if i != 2 && i != 4 {
			sys.awaitWaiting(id, 2)
		}
		workflowID := workflows.EventWorkflowID(sys.tenant, id)
		kept := sys.kept(t.Context(), workflowID)
		require.Contains(t, string(kept), `{"canary":"canary-in-data"}`, "the search sees payloads")
		for _, secret := range secrets {
			require.NotContains(t, string(kept), secret, "%s of %s", secret, workflowID)
		}
	}
}

// awaitWaiting waits until the event's retries wait in Temporal, each with the
// failure that Temporal Web UI shows.
func (sys *system) awaitWaiting(eventID string, retries int) {
	sys.t.Helper()
	id := workflows.EventWorkflowID(sys.tenant, eventID)
	sys.await("the retries in Temporal", 20*time.Second, func() bool {
		described, err := sys.temporalClient().DescribeWorkflowExecution(sys.t.Context(), id, "")
		require.NoError(sys.t, err)
		waiting := 0
		for _, pending := range described.GetPendingActivities() {
			if pending.GetLastFailure() != nil {
				waiting++
			}
		}
		return waiting == retries
	})
}

// kept is all that Temporal holds of a workflow, as bytes: its history with
// every payload, and what it shows of what is pending.
func (sys *system) kept(ctx context.Context, workflowID string) []byte {
	sys.t.Helper()
	c := sys.temporalClient()
	var all []byte
	for _, event := range events(sys.t, c, workflowID) {
		raw, err := proto.Marshal(event)
		require.NoError(sys.t, err)
		all = append(all, raw...)
	}
	described, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
	require.NoError(sys.t, err)
	raw, err := proto.Marshal(described)
	require.NoError(sys.t, err)
	return append(all, raw...)
}
