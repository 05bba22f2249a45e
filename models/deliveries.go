package models

import (
	"context"

	"gorm.io/gorm"
)

// fromDeliveries is how a delivery is read: with its webhook's name and URL.
var fromDeliveries = "SELECT " + selectList("d", "", deliveryColumns) +
	", w.name AS webhook_name, w.url AS webhook_url FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id "

// MaxEventDeliveries caps one call of EventDeliveries.
const MaxEventDeliveries = 1000

// EventDeliveries returns deliveries of an event in the order of their ids,
// from the one after afterID on ("" = from the first): pages for workflows.
// There is no error when the event has none.
func (s *Store) EventDeliveries(ctx context.Context, tenant, eventID, afterID string, limit int) ([]Delivery, error) {
	if !couldExist(tenant, eventID) {
		return nil, nil
	}
	if limit <= 0 {
		limit = MaxPage
	}
	var list []Delivery
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		list, err = s.deliveriesAfter(tx, tenant, eventID, afterID, min(limit, MaxEventDeliveries))
		return err
	})
	return list, err
}

func (s *Store) deliveriesAfter(tx *gorm.DB, tenant, eventID, afterID string, limit int) ([]Delivery, error) {
	return s.deliveries(tx, "WHERE d.tenant = ? AND d.event_id = ? AND d.id > ? ORDER BY d.id LIMIT ?",
		tenant, eventID, afterID, limit)
}

// DeliveriesOf lists the deliveries of an event, in the order of their ids.
// NotFound when the tenant has no such event.
func (s *Store) DeliveriesOf(ctx context.Context, tenant, eventID string, limit int, cursor string) (Page[Delivery], error) {
	after, err := decodeCursor(listDeliveries, cursor)
	if err != nil {
		return Page[Delivery]{}, err
	}
	afterID := ""
	if after != nil {
		afterID = after.id
	}
	limit = pageLimit(limit)
	var list []Delivery
	err = s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		err := s.mustHaveEvent(tx, tenant, eventID)
		if err == nil {
			list, err = s.deliveriesAfter(tx, tenant, eventID, afterID, limit+1)
		}
		return err
	})
	if err != nil {
		return Page[Delivery]{}, err
	}
	return pageOf(listDeliveries, list, limit, func(d Delivery) position { return position{id: d.ID} }), nil
}

func (s *Store) delivery(tx *gorm.DB, tenant, id, lock string) (Delivery, error) {
	if !couldExist(tenant, id) {
		return Delivery{}, noDelivery()
	}
	list, err := s.deliveries(tx, "WHERE d.tenant = ? AND d.id = ?"+lock, tenant, id)
	if err != nil {
		return Delivery{}, err
	}
	if len(list) == 0 {
		return Delivery{}, noDelivery()
	}
	return list[0], nil
}

func (s *Store) deliveries(tx *gorm.DB, where string, args ...any) ([]Delivery, error) {
	var rows []deliveryRow
	if err := query(tx, &rows, fromDeliveries+where, args...); err != nil {
		return nil, s.translate(err)
	}
	list := make([]Delivery, len(rows))
	for i := range rows {
		list[i] = deliveryFromRow(&rows[i])
	}
	return list, nil
}
