package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/payload"
)

// noticesAtOnce is how many notices become events in one go.
const noticesAtOnce = 100

// Announcer makes events of what happened to webhooks. It is no activity: the
// notices are in the ledger, and what makes events of them may die and begin
// again at any moment.
type Announcer struct{ store *models.Store }

// NewAnnouncer returns an announcer on the ledger.
func NewAnnouncer(store *models.Store) *Announcer { return &Announcer{store: store} }

// noticeData is what a receiver is told, in the order of the provider's
// catalogue.
type noticeData struct {
	WebhookID string `json:"webhookId"`
	Name      string `json:"name"`
	Provider  string `json:"provider"`
	Host      string `json:"host"`
	Reason    string `json:"reason"`
	At        string `json:"at"`
	*deliveryData
}

type deliveryData struct {
	DeliveryID string `json:"deliveryId"`
	EventID    string `json:"eventId"`
	EventType  string `json:"eventType"`
	Attempts   int    `json:"attempts"`
	StatusCode *int   `json:"statusCode,omitempty"`
}

// Announce has each waiting notice started as an event, and forgets it when
// start has taken it. It returns how many that were. An event has the id of its
// notice: when it was taken and the notice not forgotten, start meets it again
// and it is still one event.
func (a *Announcer) Announce(ctx context.Context, start func(context.Context, Event) error) (int, error) {
	notices, err := a.store.Notices(ctx, noticesAtOnce)
	if err != nil {
		return 0, fmt.Errorf("read the notices: %w", err)
	}
	told := 0
	var failures []error // one that cannot be told keeps no other from being told
	for _, notice := range notices {
		event, err := eventOfNotice(notice)
		if err == nil {
			err = start(ctx, event)
		}
		if err == nil {
			err = a.store.DeleteNotices(ctx, notice.ID)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("notice %s of tenant %s: %w", notice.ID, notice.Tenant, err))
			continue
		}
		told++
	}
	return told, errors.Join(failures...)
}

func eventOfNotice(n models.Notice) (Event, error) {
	at := n.At.UTC().Truncate(time.Millisecond)
	data := noticeData{
		WebhookID: n.WebhookID, Name: n.WebhookName, Provider: n.Provider, Host: n.Host, Reason: n.Reason,
		At: at.Format("2006-01-02T15:04:05.000Z"),
	}
	if n.DeliveryID != "" {
		data.deliveryData = &deliveryData{
			DeliveryID: n.DeliveryID, EventID: n.EventID, EventType: n.EventType, Attempts: n.Attempts, StatusCode: n.StatusCode,
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(data); err != nil {
		return Event{}, fmt.Errorf("encode: %w", err)
	}
	canonical, err := payload.CanonicalObject("data", text.Bytes())
	return Event{
		ID: n.ID, Tenant: n.Tenant, Provider: models.OperationsProvider, Type: n.Type, Source: webhook.SourceSystem,
		Data: canonical, OccurredAt: at, AcceptedAt: at,
	}, err
}
