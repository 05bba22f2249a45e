package models

import (
	"encoding/json"
	"time"

	"posthaste/errs"
)

// Attempt is one POST of a delivery, or the record that one was lost.
type Attempt struct {
	ID         string // a UUIDv7 (NewID); Record sets it when empty
	Tenant     string
	WebhookID  string
	DeliveryID string
	EventID    string
	EventType  string
	Number     int  // 1 for a delivery's first; set by Record
	StatusCode *int // nil when no answer came
	Success    bool
	Reason     string
	Detail     string
	StartedAt  time.Time
	DurationMS int64

	RequestURL        string
	RequestHeaders    [][2]string // name and value as sent; sealed at rest
	RequestBody       []byte
	ResponseHeaders   [][2]string // name and value as they came
	ResponseBody      []byte
	ResponseTruncated bool
	Test              bool

	// Omitted says that headers and bodies were left out, because there was no
	// room for them (Delivery).
	Omitted bool
}

// attemptRow is an attempt as it lies in the table attempts.
type attemptRow struct {
	ID                string
	Tenant            string
	WebhookID         string
	DeliveryID        string
	EventID           string
	EventType         string
	Number            int
	StatusCode        *int
	Success           bool
	Reason            string
	Detail            string
	StartedAt         moment
	DurationMS        int64  `gorm:"column:duration_ms"`
	RequestURL        string `gorm:"column:request_url"`
	RequestHeaders    []byte // sealed JSON
	RequestBody       []byte
	ResponseHeaders   []byte
	ResponseBody      []byte
	ResponseTruncated bool
	Test              bool
}

// TableName names the table for gorm.
func (attemptRow) TableName() string { return "attempts" }

// attemptSummaryColumns are the columns of an attempt without what was sent:
// what the history shows.
var attemptSummaryColumns = []string{
	"id", "tenant", "webhook_id", "delivery_id", "event_id", "event_type", "number", "status_code",
	"success", "reason", "detail", "started_at", "duration_ms", "request_url",
	"response_body", "response_truncated", "test",
}

// attemptFromRow returns the attempt; its request is empty when the row was
// read without it.
func (s *Store) attemptFromRow(row *attemptRow) (Attempt, error) {
	a := Attempt{
		ID: row.ID, Tenant: row.Tenant, WebhookID: row.WebhookID, DeliveryID: row.DeliveryID,
		EventID: row.EventID, EventType: row.EventType, Number: row.Number,
		StatusCode: row.StatusCode, Success: row.Success, Reason: row.Reason, Detail: row.Detail,
		StartedAt: time.Time(row.StartedAt), DurationMS: row.DurationMS, RequestURL: row.RequestURL,
		RequestBody: row.RequestBody, ResponseBody: row.ResponseBody,
		ResponseTruncated: row.ResponseTruncated, Test: row.Test,
	}
	if len(row.ResponseHeaders) > 0 {
		if err := json.Unmarshal(row.ResponseHeaders, &a.ResponseHeaders); err != nil {
			return a, errs.Wrap(err, errs.Internal, "Cannot read the response headers of attempt %s", row.ID)
		}
	}
	return a, s.openJSON(row.RequestHeaders, row.Tenant, row.ID, sealedRequestHeaders, &a.RequestHeaders)
}
