package models

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"posthaste/errs"
)

// The statuses of a webhook.
const (
	StatusActive = "active" // receives events
	StatusPaused = "paused" // switched off by a person
	StatusGone   = "gone"   // answered 410
	StatusBroken = "broken" // failed too often
)

// Filters narrow a webhook to events with these attributes; an empty filter
// lets everything through.
type Filters struct {
	CampaignID string
	ListID     string
	SchemaID   string
}

// Webhook is who wants which events, where and how.
type Webhook struct {
	ID       string // set by CreateWebhook when empty
	Tenant   string
	Provider string
	Name     string
	URL      string
	Events   []string // event types, or "*" alone
	Sources  []string // empty = all
	Version  string
	Filters  Filters
	Headers  map[string]string // sealed at rest
	Retry    json.RawMessage   // a retry policy; nil = the provider's default
	// TimeoutSeconds is 0 for the provider's default.
	TimeoutSeconds int
	MaxPerSecond   int // how many attempts may begin in a second; 0 = no limit

	Status       string // StatusActive when empty at creation
	StatusReason string
	StatusAt     time.Time // when Status last changed

	Secret              Secret     // sealed at rest
	PreviousSecret      Secret     // sealed at rest; signs beside Secret until PreviousSecretUntil
	PreviousSecretUntil *time.Time // nil when there is no overlap

	FailedInARow int        // failed attempts since the last success
	FailingSince *time.Time // the first of them; nil when there is none
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// OverlapUntil returns until when the previous secret signs beside the present
// one; nil when it does not, at this time.
func (w *Webhook) OverlapUntil(now time.Time) *time.Time {
	if w.PreviousSecret == "" || w.PreviousSecretUntil == nil || !now.Before(*w.PreviousSecretUntil) {
		return nil
	}
	return w.PreviousSecretUntil
}

// webhookRow is a webhook as it lies in the table webhooks.
type webhookRow struct {
	ID                  string `gorm:"primaryKey"`
	Tenant              string
	Provider            string
	Name                string
	URL                 string `gorm:"column:url"`
	Events              string // JSON
	Sources             string // JSON
	Version             string
	FilterCampaign      string
	FilterList          string
	FilterSchema        string
	Headers             []byte // sealed JSON
	Retry               *string
	TimeoutSeconds      int
	MaxPerSecond        int
	Status              string
	StatusReason        string
	StatusAt            moment
	Secret              []byte // sealed
	PreviousSecret      []byte // sealed
	PreviousSecretUntil *moment
	FailedInARow        int `gorm:"column:failed_in_a_row"`
	FailingSince        *moment
	Fingerprint         string // see fingerprint
	CreatedAt           moment `gorm:"autoCreateTime:false"`
	UpdatedAt           moment `gorm:"autoUpdateTime:false"`
}

// TableName names the table for gorm.
func (webhookRow) TableName() string { return "webhooks" }

// openColumns are the columns of a webhook that hold nothing sealed: all that
// matching needs, and all of a webhook that costs no decryption.
var openColumns = []string{
	"id", "tenant", "provider", "name", "url", "events", "sources", "version",
	"filter_campaign", "filter_list", "filter_schema", "retry", "timeout_seconds",
	"max_per_second", "status", "status_reason", "status_at", "previous_secret_until", "failed_in_a_row",
	"failing_since",
	"created_at", "updated_at",
}

var webhookColumns = append(slices.Clone(openColumns), "headers", "secret", "previous_secret")

// fingerprint is what makes two webhooks of a tenant the same: provider, URL,
// version, filters, and the sets of event types and of sources, whatever their
// order. It is unique per tenant. Webhooks that differ in any of these get
// different requests, or different events, and may share a URL.
func (w *Webhook) fingerprint() string {
	parts := []string{
		w.Provider, w.URL, w.Version, w.Filters.CampaignID, w.Filters.ListID, w.Filters.SchemaID,
		setOf(w.Events), setOf(w.Sources),
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// setOf writes a set of words the same way for any order of them.
func setOf(words []string) string {
	sorted := slices.Sorted(slices.Values(words))
	return strings.Join(slices.Compact(sorted), "\x01")
}

func (s *Store) webhookToRow(w *Webhook) (webhookRow, error) {
	row := webhookRow{
		ID: w.ID, Tenant: w.Tenant, Provider: w.Provider, Name: w.Name, URL: w.URL,
		Events: jsonList(w.Events), Sources: jsonList(w.Sources), Version: w.Version,
		FilterCampaign: w.Filters.CampaignID, FilterList: w.Filters.ListID, FilterSchema: w.Filters.SchemaID,
		TimeoutSeconds: w.TimeoutSeconds, MaxPerSecond: w.MaxPerSecond,
		Status: w.Status, StatusReason: w.StatusReason, StatusAt: moment(w.StatusAt),
		PreviousSecretUntil: momentPtr(w.PreviousSecretUntil),
		FailedInARow:        w.FailedInARow, FailingSince: momentPtr(w.FailingSince),
		Fingerprint: w.fingerprint(), CreatedAt: moment(w.CreatedAt), UpdatedAt: moment(w.UpdatedAt),
	}
	if len(w.Retry) > 0 {
		row.Retry = new(string(w.Retry))
	}
	var err error
	if len(w.Headers) > 0 {
		if row.Headers, err = s.sealJSON(w.Headers, w.Tenant, w.ID, sealedHeaders); err != nil {
			return row, err
		}
	}
	if row.Secret, err = s.seal([]byte(w.Secret), w.Tenant, w.ID, sealedSecret); err != nil {
		return row, err
	}
	row.PreviousSecret, err = s.seal([]byte(w.PreviousSecret), w.Tenant, w.ID, sealedPreviousSecret)
	return row, err
}

// webhookFromRow returns the webhook; its sealed parts are empty when the row
// was read without them.
func (s *Store) webhookFromRow(row *webhookRow) (Webhook, error) {
	w := Webhook{
		ID: row.ID, Tenant: row.Tenant, Provider: row.Provider, Name: row.Name, URL: row.URL, Version: row.Version,
		Filters:        Filters{CampaignID: row.FilterCampaign, ListID: row.FilterList, SchemaID: row.FilterSchema},
		TimeoutSeconds: row.TimeoutSeconds, MaxPerSecond: row.MaxPerSecond,
		Status: row.Status, StatusReason: row.StatusReason, StatusAt: time.Time(row.StatusAt),
		PreviousSecretUntil: timePtr(row.PreviousSecretUntil),
		FailedInARow:        row.FailedInARow, FailingSince: timePtr(row.FailingSince),
		CreatedAt: time.Time(row.CreatedAt), UpdatedAt: time.Time(row.UpdatedAt),
	}
	if row.Retry != nil {
		w.Retry = json.RawMessage(*row.Retry)
	}
	if err := errors.Join(readList(row.Events, &w.Events), readList(row.Sources, &w.Sources)); err != nil {
		return w, errs.Wrap(err, errs.Internal, "Cannot read the events and sources of webhook %s", row.ID)
	}
	if err := s.openJSON(row.Headers, row.Tenant, row.ID, sealedHeaders, &w.Headers); err != nil {
		return w, err
	}
	secret, err := s.open(row.Secret, row.Tenant, row.ID, sealedSecret)
	if err != nil {
		return w, err
	}
	previous, err := s.open(row.PreviousSecret, row.Tenant, row.ID, sealedPreviousSecret)
	w.Secret, w.PreviousSecret = Secret(secret), Secret(previous)
	return w, err
}

// jsonList writes a list of words; none at all is an empty text.
func jsonList(words []string) string {
	if len(words) == 0 {
		return ""
	}
	list, _ := json.Marshal(words) // a list of strings always encodes
	return string(list)
}

func readList(list string, into *[]string) error {
	if list == "" {
		return nil
	}
	return json.Unmarshal([]byte(list), into)
}
