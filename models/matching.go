package models

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"posthaste/errs"
)

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
		who := subscribersOf(e)
		groups[who] = append(groups[who], e)
	}
	return groups
}

// candidates returns the webhooks that the events may be for, in the order of
// their ids: all of the tenant's for the provider, or only those named when every
// event names one.
func (s *Store) candidates(tx *gorm.DB, who subscribers, group []Event) ([]Webhook, error) {
	if named := namedWebhooks(group); named != nil {
		condition, arg := s.db.dialect.in("id", named)
		return s.webhooksFor(tx, who, " AND "+condition, arg)
	}
	all, err := s.subscriptionOf(tx, who)
	if err != nil {
		return nil, err
	}
	return all.webhooks, nil
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

// matchOne returns the deliveries of one event to the webhooks, which are in the
// order of their ids.
func (s *Store) matchOne(e Event, webhooks []Webhook, pick func(Event, []Webhook) []Match) ([]Delivery, error) {
	if e.WebhookID != "" {
		i, found := webhookAt(webhooks, e.WebhookID)
		if !found {
			return nil, nil // deleted meanwhile: nothing to deliver
		}
		webhooks = webhooks[i : i+1]
	}
	matches := pick(e, webhooks)
	deliveries := make([]Delivery, 0, len(matches))
	picked := make(map[string]bool, len(matches))
	for _, m := range matches {
		i, offered := webhookAt(webhooks, m.WebhookID)
		if !offered || picked[m.WebhookID] {
			return nil, errs.New(errs.Internal, "Match picked webhook %q twice, or it was not offered", m.WebhookID)
		}
		picked[m.WebhookID] = true
		d, err := s.plan(e, &webhooks[i], m)
		if err != nil {
			return nil, err
		}
		deliveries = append(deliveries, d)
	}
	return deliveries, nil
}

func webhookAt(webhooks []Webhook, id string) (int, bool) {
	return slices.BinarySearchFunc(webhooks, id, func(w Webhook, id string) int { return strings.Compare(w.ID, id) })
}
