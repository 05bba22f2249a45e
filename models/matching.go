package models

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"posthaste/errs"
)

// subscribers is the set of webhooks that events of one provider of one tenant
// may be for.
type subscribers struct{ tenant, provider string }

// match asks which webhooks the events are for and returns their deliveries, in
// the order of their ids.
func (s *Store) match(tx *gorm.DB, events map[eventKey]Event, keys []eventKey, pick func(Event, []Webhook) []Match) ([]Delivery, error) {
	var planned []Delivery
	for who, group := range bySubscribers(events, keys) {
		webhooks, err := s.candidates(tx, who, group)
		if err != nil {
			return nil, err
		}
		for _, e := range group {
			deliveries, err := s.matchOne(e, webhooks, pick)
			if err != nil {
				return nil, err
			}
			planned = append(planned, deliveries...)
		}
	}
	slices.SortFunc(planned, func(a, b Delivery) int { return strings.Compare(a.ID, b.ID) })
	return planned, nil
}

func bySubscribers(events map[eventKey]Event, keys []eventKey) map[subscribers][]Event {
	groups := map[subscribers][]Event{}
	for _, k := range keys {
		e := events[k]
		who := subscribers{e.Tenant, e.Provider}
		groups[who] = append(groups[who], e)
	}
	return groups
}

// candidates reads the webhooks that the events may be for: all of the tenant's
// for the provider, or only those named when every event names one.
func (s *Store) candidates(tx *gorm.DB, who subscribers, group []Event) ([]Webhook, error) {
	sql := "SELECT " + strings.Join(openColumns, ", ") + " FROM webhooks WHERE tenant = ? AND provider = ?"
	args := []any{who.tenant, who.provider}
	if named := namedWebhooks(group); named != nil {
		condition, arg := s.db.dialect.in("id", named)
		sql, args = sql+" AND "+condition, append(args, arg)
	}
	var rows []webhookRow
	if err := query(tx, &rows, sql+" ORDER BY id", args...); err != nil {
		return nil, err
	}
	webhooks := make([]Webhook, len(rows))
	for i := range rows {
		var err error
		if webhooks[i], err = s.webhookFromRow(&rows[i]); err != nil {
			return nil, err
		}
	}
	return webhooks, nil
}

// namedWebhooks returns the webhooks that the events name; nil when one of them
// names none, and so may be for any.
func namedWebhooks(group []Event) []string {
	var ids []string
	for _, e := range group {
		if e.WebhookID == "" {
			return nil
		}
		ids = append(ids, e.WebhookID)
	}
	return distinct(ids)
}

func (s *Store) matchOne(e Event, webhooks []Webhook, pick func(Event, []Webhook) []Match) ([]Delivery, error) {
	if e.WebhookID != "" {
		i := slices.IndexFunc(webhooks, func(w Webhook) bool { return w.ID == e.WebhookID })
		if i < 0 {
			return nil, nil // deleted meanwhile: nothing to deliver
		}
		webhooks = webhooks[i : i+1]
	}
	byID := make(map[string]*Webhook, len(webhooks))
	for i := range webhooks {
		byID[webhooks[i].ID] = &webhooks[i]
	}
	var deliveries []Delivery
	for _, m := range pick(e, webhooks) {
		w := byID[m.WebhookID]
		if w == nil {
			return nil, errs.New(errs.Internal, "Match picked webhook %q twice, or it was not offered", m.WebhookID)
		}
		delete(byID, m.WebhookID)
		d, err := s.plan(e, w, m)
		if err != nil {
			return nil, err
		}
		deliveries = append(deliveries, d)
	}
	return deliveries, nil
}
