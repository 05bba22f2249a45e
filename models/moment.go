package models

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// moment is a time as both databases keep it: UTC, to the microsecond. It is
// written as text of fixed width, which PostgreSQL reads into a timestamptz and
// SQLite stores as it is, so that comparing and sorting the text compares and
// sorts the times.
type moment time.Time

const momentLayout = "2006-01-02T15:04:05.000000Z"

// Value returns the text form.
func (m moment) Value() (driver.Value, error) { return m.text(), nil }

func (m moment) text() string { return time.Time(m).UTC().Format(momentLayout) }

// Scan reads what either database returns.
func (m *moment) Scan(from any) error {
	switch v := from.(type) {
	case time.Time:
		*m = moment(v.UTC())
		return nil
	case string:
		t, err := time.Parse(momentLayout, v)
		*m = moment(t)
		return err
	case []byte:
		return m.Scan(string(v))
	}
	return fmt.Errorf("a time column holds a %T", from)
}

// HoldsTime reports whether the ledger can hold a time, and compare others with
// it: that text is of fixed width for the years 1 to 9999 alone.
func HoldsTime(at time.Time) bool {
	year := at.UTC().Year()
	return 1 <= year && year <= 9999
}

// toMicros cuts a time to what is stored, so that a value reads back equal.
func toMicros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func momentPtr(t *time.Time) *moment {
	if t == nil {
		return nil
	}
	m := moment(*t)
	return &m
}

func timePtr(m *moment) *time.Time {
	if m == nil {
		return nil
	}
	t := time.Time(*m)
	return &t
}
