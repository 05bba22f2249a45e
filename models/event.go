package models

import (
	"encoding/json"
	"time"
)

// Event is something that happened, as the ledger keeps it.
type Event struct {
	Tenant     string
	ID         string
	Provider   string
	Type       string
	Source     string
	Data       []byte          // canonical JSON, kept byte for byte
	CustomData []byte          // canonical JSON, kept byte for byte; nil = none
	Attributes json.RawMessage // nil = none
	OccurredAt time.Time
	AcceptedAt time.Time
	BodyHash   string // of what the caller enqueued
	WorkflowID string
	RunID      string // the workflow run that owns the event
	WebhookID  string // when set, the event concerns that webhook alone
	Test       bool
}

// eventRow is an event as it lies in the table events. An empty text stands
// for "none" in the three JSON columns.
type eventRow struct {
	Tenant     string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Provider   string
	Type       string
	Source     string
	Data       string
	CustomData string
	Attributes string
	OccurredAt moment
	AcceptedAt moment
	BodyHash   string
	WorkflowID string
	RunID      string
	WebhookID  string
	Test       bool
}

// TableName names the table for gorm.
func (eventRow) TableName() string { return "events" }

// eventSummaryColumns are the columns of an event without its two bodies: what
// a list shows.
var eventSummaryColumns = []string{
	"tenant", "id", "provider", "type", "source", "attributes", "occurred_at", "accepted_at",
	"body_hash", "workflow_id", "run_id", "webhook_id", "test",
}

func eventFromRow(row *eventRow) Event {
	return Event{
		Tenant: row.Tenant, ID: row.ID, Provider: row.Provider, Type: row.Type, Source: row.Source,
		Data: bytesOrNil(row.Data), CustomData: bytesOrNil(row.CustomData), Attributes: bytesOrNil(row.Attributes),
		OccurredAt: time.Time(row.OccurredAt), AcceptedAt: time.Time(row.AcceptedAt),
		BodyHash: row.BodyHash, WorkflowID: row.WorkflowID, RunID: row.RunID,
		WebhookID: row.WebhookID, Test: row.Test,
	}
}

func bytesOrNil(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}
