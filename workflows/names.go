// Package workflows holds the deterministic half of a delivery: what happens
// after what, what waits, and what a person may ask of it on the way. It knows
// no clock, no randomness and no I/O; those are activities.
package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
)

// TaskQueue is where all work of Posthaste waits. Temporal keeps workflow tasks
// and activities of a task queue apart, so that a backlog of the durable lane
// delays no new event; and only on the task queue of its workflow can an
// activity start eagerly, which saves the server a write and a hop.
const TaskQueue = "posthaste"

// SignalRetryNow asks a waiting delivery to be tried at once. It carries a
// RetryNow.
const SignalRetryNow = "retry-now"

// RetryNow names the delivery that a person wants tried at once.
type RetryNow struct {
	DeliveryID string `json:"deliveryId"`
}

// Search attributes, registered by `posthaste migrate` and `posthaste dev`. They
// are for operators in Temporal Web UI; the product reads its own tables.
var (
	AttributeTenant    = temporal.NewSearchAttributeKeyKeyword("PosthasteTenant")
	AttributeProvider  = temporal.NewSearchAttributeKeyKeyword("PosthasteProvider")
	AttributeEventType = temporal.NewSearchAttributeKeyKeyword("PosthasteEventType")
	// AttributeOutcome is set only on a workflow that did not deliver
	// everything: setting it costs an event and a write.
	AttributeOutcome = temporal.NewSearchAttributeKeyKeyword("PosthasteOutcome")
)

// SearchAttributes names every search attribute; all are of type Keyword.
func SearchAttributes() []string {
	return []string{
		AttributeTenant.GetName(), AttributeProvider.GetName(),
		AttributeEventType.GetName(), AttributeOutcome.GetName(),
	}
}

// EventWorkflowID is the id of the workflow that delivers an event. That an id
// is taken for good is what makes an event deliver once.
func EventWorkflowID(tenant, eventID string) string {
	return fmt.Sprintf("event/%s/%s", tenant, eventID)
}

// SharedWorkflowID is the id of a workflow that events share.
func SharedWorkflowID(tenant, firstEventID string) string {
	return fmt.Sprintf("events/%s/%s", tenant, firstEventID)
}

// TestWorkflowID is the id of the workflow that sends a webhook's samples.
func TestWorkflowID(tenant, firstEventID string) string {
	return fmt.Sprintf("test/%s/%s", tenant, firstEventID)
}

// ResendWorkflowID is the id of the workflow that sends a settled delivery
// again. When it had settled tells one such request from the next, and makes a
// double click one request.
func ResendWorkflowID(tenant, deliveryID string, settledAt time.Time) string {
	return fmt.Sprintf("resend/%s/%s/%d", tenant, deliveryID, settledAt.UnixMilli())
}

// PageWorkflowID is the id of the child that delivers one page of an event's
// large fan-out. Pages count from 1.
func PageWorkflowID(tenant, eventID string, page int) string {
	return fmt.Sprintf("%s/page/%d", EventWorkflowID(tenant, eventID), page)
}

// ReplayWorkflowID is the id of the workflow that replays deliveries of a
// webhook. That there is one id per webhook keeps two replays from running at
// the same time.
func ReplayWorkflowID(tenant, webhookID string) string {
	return fmt.Sprintf("replay/%s/%s", tenant, webhookID)
}

// ReplayPageWorkflowID is the id of the child that drives one page of a replay.
// The deliveries of the page name it as theirs, so it is never used twice. Pages
// count from 1.
func ReplayPageWorkflowID(tenant, replayID string, page int) string {
	return fmt.Sprintf("replay/%s/%s/page/%d", tenant, replayID, page)
}

// ReplayInput is what a replay is started with.
type ReplayInput = activities.ReplayInput

// Actor is who asked for a replay.
type Actor = activities.Actor

// How a replay stands, as the ledger words it.
const (
	ReplayCompleted = "completed"
	ReplayStopped   = "stopped"
	ReplayCancelled = "cancelled"
)
