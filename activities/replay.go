package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"posthaste/errs"
	"posthaste/models"
)

// ReplayInput asks for settled deliveries of a webhook to be sent again. It is
// also what each page of the replay is given.
type ReplayInput struct {
	ID        string    `json:"id"`
	Tenant    string    `json:"tenant"`
	WebhookID string    `json:"webhookId"`
	Since     time.Time `json:"since"` // of when the events were accepted; inclusive
	Until     time.Time `json:"until"` // exclusive
	Status    string    `json:"status"`
	PerSecond int       `json:"perSecond"`
	Count     int       `json:"count"` // deliveries that there were when it was asked for
	More      bool      `json:"more,omitempty"`
	AskedAt   time.Time `json:"askedAt"`
	BodyHash  string    `json:"bodyHash,omitempty"` // of the request, where it had an Idempotency-Key
	By        Actor     `json:"by,omitzero"`
}

// Actor is who asked for it, for the audit log.
type Actor struct {
	Kind      string `json:"kind"`
	Name      string `json:"name,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

// Replayable is what of the ledger the replay takes.
func (in ReplayInput) Replayable() models.Replayable {
	return models.Replayable{
		Tenant: in.Tenant, WebhookID: in.WebhookID, Since: in.Since, Until: in.Until, States: models.ReplayStates(in.Status),
	}
}

// Row is the replay as the ledger keeps it, for the run that does it.
func (in ReplayInput) Row(runID string) models.Replay {
	return models.Replay{
		ID: in.ID, Tenant: in.Tenant, WebhookID: in.WebhookID, RunID: runID, BodyHash: in.BodyHash, Since: in.Since, Until: in.Until,
		Status: in.Status, PerSecond: in.PerSecond, Count: in.Count, More: in.More, CreatedAt: in.AskedAt,
	}
}

// FindReplayInput asks for the next deliveries of a replay, at most PageSize.
type FindReplayInput struct {
	Replay ReplayInput `json:"replay"`
	After  string      `json:"after"`
}

// FindReplayResult is what one page of a replay takes.
type FindReplayResult struct {
	DeliveryIDs []string `json:"deliveryIds,omitempty"`
	Last        string   `json:"last,omitempty"` // the next page begins after it
	End         bool     `json:"end,omitempty"`  // there is none
}

// ReopenReplayInput asks for deliveries of a replay to be reopened.
type ReopenReplayInput struct {
	Replay      ReplayInput `json:"replay"`
	DeliveryIDs []string    `json:"deliveryIds"`
}

// ReopenReplayResult says what can be sent now. Stop says why nothing can any
// more.
type ReopenReplayResult struct {
	Deliveries []Planned `json:"deliveries,omitempty"`
	Stop       string    `json:"stop,omitempty"`
}

// NoteReplayInput asks for a page's progress to be written.
type NoteReplayInput struct {
	Tenant      string   `json:"tenant"`
	ReplayID    string   `json:"replayId"`
	Page        int      `json:"page"`
	DeliveryIDs []string `json:"deliveryIds"`
}

// EndReplayInput says how a replay ended.
type EndReplayInput struct {
	Tenant   string `json:"tenant"`
	ReplayID string `json:"replayId"`
	State    string `json:"state"`
	Reason   string `json:"reason,omitempty"`
}

// BeginReplay writes the replay into the ledger and the audit log. Where the API
// has done so, or an earlier try, it does nothing.
func (a *Activities) BeginReplay(ctx context.Context, in ReplayInput) error {
	by := models.Actor{Kind: in.By.Kind, Name: in.By.Name, RequestID: in.By.RequestID}
	err := a.store.BeginReplay(ctx, by, in.Row(activity.GetInfo(ctx).WorkflowExecution.RunID))
	return replayError(in.ID, "begin", err)
}

// FindReplayable reads which deliveries the calling page takes. Run again after
// a crash it finds the same, reopened or not.
func (a *Activities) FindReplayable(ctx context.Context, in FindReplayInput) (FindReplayResult, error) {
	found, err := a.store.FindReplayable(ctx, in.Replay.Replayable(), in.After, activity.GetInfo(ctx).WorkflowExecution.ID, PageSize)
	return FindReplayResult{DeliveryIDs: found.IDs, Last: found.Last, End: found.End}, replayError(in.Replay.ID, "read", err)
}

// ReopenReplayable makes deliveries pending again for the calling page. Run
// again after a crash it returns them as they stand. A webhook that receives
// nothing stops the replay: reopening would only turn failures into skips.
func (a *Activities) ReopenReplayable(ctx context.Context, in ReopenReplayInput) (ReopenReplayResult, error) {
	done, err := a.store.ReopenSome(ctx, in.Replay.Replayable(), in.DeliveryIDs, activity.GetInfo(ctx).WorkflowExecution.ID)
	if errs.Is(err, errs.NotFound) {
		return ReopenReplayResult{Stop: "the webhook was deleted"}, nil
	}
	if err != nil {
		return ReopenReplayResult{}, replayError(in.Replay.ID, "reopen deliveries of", err)
	}
	var result ReopenReplayResult
	if done.Webhook.Status != models.StatusActive {
		result.Stop = "the webhook is " + done.Webhook.Status
	}
	lane := a.laneFor(&done.Webhook)
	for _, delivery := range done.Deliveries {
		p := planned(delivery)
		if delivery.State == models.StatePending {
			p.Lane = lane // as its webhook behaves now, and not when the event came
		}
		result.Deliveries = append(result.Deliveries, p)
	}
	return result, nil
}

// NoteReplay writes how far the calling page has come, as the ledger has it.
func (a *Activities) NoteReplay(ctx context.Context, in NoteReplayInput) error {
	return replayError(in.ReplayID, "note the progress of", a.store.NoteReplay(ctx, models.ReplayPage{
		Tenant: in.Tenant, ReplayID: in.ReplayID, Number: in.Page, DeliveryIDs: in.DeliveryIDs,
		WorkflowID: activity.GetInfo(ctx).WorkflowExecution.ID,
	}))
}

// EndReplay writes how a replay ended.
func (a *Activities) EndReplay(ctx context.Context, in EndReplayInput) error {
	return replayError(in.ReplayID, "end", a.store.EndReplay(ctx, in.Tenant, in.ReplayID, in.State, in.Reason))
}

func replayError(id, what string, err error) error {
	if err == nil {
		return nil
	}
	return temporalError(fmt.Errorf("%s replay %s: %w", what, id, err))
}
