package models

import "gorm.io/gorm"

// eventScan is how many events one page of a list with a filter looks at: some
// 30 ms. No index holds an event's provider or type, which every event would pay
// for when it is accepted: the newest are walked, and those that do not fit are
// passed over.
const eventScan = 20_000

// eventsEdge returns the last event that such a page looks at; nil when there is
// no filter, or when all that are left are within its reach.
func eventsEdge(tx *gorm.DB, f EventFilter, after *position) (*eventRow, error) {
	if f.Provider == "" && f.Type == "" {
		return nil, nil
	}
	var rows []eventRow
	walk := eventsAfter(between(tx.Table("events").Select("accepted_at, id").Where("tenant = ?", f.Tenant), "accepted_at", f.Since, f.Until), after)
	err := walk.Order("accepted_at DESC, id DESC").Offset(eventScan - 1).Limit(2).Find(&rows).Error
	if err != nil || len(rows) < 2 {
		return nil, err
	}
	return &rows[0], nil
}

// eventsAfter keeps the events that a list has not come to yet.
func eventsAfter(rows *gorm.DB, after *position) *gorm.DB {
	if after == nil {
		return rows
	}
	return rows.Where("(accepted_at, id) < (?, ?)", moment(after.at), after.id)
}
