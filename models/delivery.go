package models

import (
	"net/url"
	"time"
)

// Delivery is one event to one webhook: a row of the ledger.
type Delivery struct {
	ID         string // DeliveryID
	Tenant     string
	EventID    string
	WebhookID  string
	EventType  string
	WorkflowID string // the workflow that moves it along
	Lane       string // where its first attempt runs; chosen by Match
	State      State
	// TimeoutSeconds bounds one attempt, as planned by Match.
	TimeoutSeconds int
	Attempts       int // attempts made so far, over all rounds
	RoundStart     int // attempts made before the last "send again"

	NextAttemptAt  *time.Time // set while the delivery is retrying
	SlotAt         *time.Time // when its webhook's rate limit lets it be sent; nil = no slot taken (Pace)
	HeldUntil      *time.Time // so long a process has it in hand, by the ledger's clock (Hold); nil = none has
	LastStatusCode *int       // of the last attempt; nil when it got no answer
	Reason         string     // why the last attempt failed, or why there was none

	WebhookName string // the webhook's present name
	Host        string // the host of the webhook's present URL
	Test        bool

	CreatedAt time.Time
	UpdatedAt time.Time
	SettledAt *time.Time // nil while the delivery is under way
}

// deliveryRow is a delivery as it lies in the table deliveries, with name and
// URL joined in from its webhook.
type deliveryRow struct {
	ID             string `gorm:"primaryKey"`
	Tenant         string
	EventID        string
	WebhookID      string
	EventType      string
	WorkflowID     string
	Lane           string
	TimeoutSeconds int
	State          string
	Attempts       int
	RoundStart     int
	NextAttemptAt  *moment
	SlotAt         *moment
	HeldUntil      *moment
	LastStatusCode *int
	Reason         string
	Test           bool
	CreatedAt      moment `gorm:"autoCreateTime:false"`
	UpdatedAt      moment `gorm:"autoUpdateTime:false"`
	SettledAt      *moment

	WebhookName string `gorm:"->"`
	WebhookURL  string `gorm:"->;column:webhook_url"`
}

// TableName names the table for gorm.
func (deliveryRow) TableName() string { return "deliveries" }

var deliveryColumns = []string{
	"id", "tenant", "event_id", "webhook_id", "event_type", "workflow_id", "lane", "timeout_seconds",
	"state", "attempts", "round_start", "next_attempt_at", "slot_at", "held_until",
	"last_status_code", "reason", "test", "created_at", "updated_at", "settled_at",
}

func deliveryFromRow(row *deliveryRow) Delivery {
	return Delivery{
		ID: row.ID, Tenant: row.Tenant, EventID: row.EventID, WebhookID: row.WebhookID, EventType: row.EventType,
		WorkflowID: row.WorkflowID, Lane: row.Lane, TimeoutSeconds: row.TimeoutSeconds,
		State: State(row.State), Attempts: row.Attempts, RoundStart: row.RoundStart,
		NextAttemptAt: timePtr(row.NextAttemptAt), SlotAt: timePtr(row.SlotAt), HeldUntil: timePtr(row.HeldUntil),
		LastStatusCode: row.LastStatusCode, Reason: row.Reason,
		WebhookName: row.WebhookName, Host: hostOf(row.WebhookURL), Test: row.Test,
		CreatedAt: time.Time(row.CreatedAt), UpdatedAt: time.Time(row.UpdatedAt), SettledAt: timePtr(row.SettledAt),
	}
}

// hostOf returns the host, and the port where the URL names one.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Host
}
