package models

import (
	"encoding/base64"
	"strings"
	"time"

	"posthaste/errs"
)

// Page is one page of a list. NextCursor leads to the next page; it is empty on
// the last one.
type Page[T any] struct {
	Items      []T
	NextCursor string
}

// Limits of a page. A filter's Limit of 0 (or less) means DefaultPage; more
// than MaxPage is cut to it.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// position is a place in a list: the sort key of the last row seen.
type position struct {
	at time.Time // only where a list is ordered by time
	id string
}

// The lists that have cursors. A cursor of one list is refused by another.
const (
	listWebhooks   = "w"
	listEvents     = "e"
	listDeliveries = "d" // of an event
	listOfWebhook  = "h" // deliveries of a webhook
	listAttempts   = "a"
	listAPIKeys    = "k"
	listAudit      = "l"
	listReplays    = "r"
)

// cursorVersion changes when the form of a cursor does; older ones are then
// refused instead of misread.
const cursorVersion = "1"

const maxCursorLength = 400

// cursorText is what a cursor holds, one piece per line.
func cursorText(list string, p position) string {
	at := ""
	if !p.at.IsZero() {
		at = moment(p.at).text()
	}
	return strings.Join([]string{cursorVersion, list, at, p.id}, "\n")
}

func encodeCursor(list string, p position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorText(list, p)))
}

// decodeCursor reads a cursor of the list; nil when there is none. Anything that
// encodeCursor would not have written is refused.
func decodeCursor(list, cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	refused := errs.InvalidField("cursor", "is not a cursor of this list; use pagination.nextCursor of the page before")
	if len(cursor) > maxCursorLength {
		return nil, refused
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return nil, refused
	}
	parts := strings.Split(string(text), "\n")
	if len(parts) != 4 || parts[0] != cursorVersion || parts[1] != list || !isUUID(parts[3]) {
		return nil, refused
	}
	p := position{id: parts[3]}
	if byTime := list == listEvents || list == listReplays; byTime != (parts[2] != "") {
		return nil, refused
	}
	if parts[2] != "" {
		if p.at, err = time.Parse(momentLayout, parts[2]); err != nil {
			return nil, refused
		}
	}
	if cursorText(list, p) != string(text) {
		return nil, refused
	}
	return &p, nil
}

func pageLimit(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}

// pageOf cuts rows, which were read one more than the limit, to a page.
func pageOf[T any](list string, rows []T, limit int, place func(T) position) Page[T] {
	if len(rows) <= limit {
		return Page[T]{Items: rows}
	}
	rows = rows[:limit]
	return Page[T]{Items: rows, NextCursor: encodeCursor(list, place(rows[limit-1]))}
}
