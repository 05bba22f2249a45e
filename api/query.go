package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"posthaste/errs"
	"posthaste/models"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// Paging bounds of every list.
const (
	defaultLimit = 20
	maxLimit     = 100
	// maxQueryText bounds one query parameter; cursors are the longest.
	maxQueryText = 512
)

// query reads query parameters strictly and gathers their faults. An empty
// parameter counts as absent, as forms send them; unknown ones are ignored.
type query struct {
	values url.Values
	faults map[string]string
}

func readQuery(c *gin.Context) (*query, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "The query is not properly encoded")
	}
	return &query{values: values, faults: map[string]string{}}, nil
}

// done returns all faults as one error; nil when there are none.
func (q *query) done() error {
	if len(q.faults) == 0 {
		return nil
	}
	return errs.InvalidFields(q.faults)
}

// text returns a parameter; "" when absent.
func (q *query) text(name string) string {
	values := q.values[name]
	if len(values) > 1 {
		q.faults[name] = "is given more than once"
		return ""
	}
	if len(values) == 0 {
		return ""
	}
	if !utf8.ValidString(values[0]) {
		q.faults[name] = "is not valid UTF-8"
		return ""
	}
	if reason := textFault(values[0], maxQueryText); reason != "" {
		q.faults[name] = reason
		return ""
	}
	return values[0]
}

// oneOf returns a parameter that has to be one of the words; "" when absent.
func (q *query) oneOf(name string, words ...string) string {
	text := q.text(name)
	if text != "" && !slices.Contains(words, text) {
		q.faults[name] = "must be one of " + strings.Join(words, ", ")
		return ""
	}
	return text
}

// flag returns true or false; nil when absent.
func (q *query) flag(name string) *bool {
	text := q.oneOf(name, "true", "false")
	if text == "" {
		return nil
	}
	value := text == "true"
	return &value
}

// time returns an RFC 3339 time in UTC; nil when absent.
func (q *query) time(name string) *time.Time {
	text := q.text(name)
	if text == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	at = at.UTC()
	if err != nil || !models.HoldsTime(at) {
		q.faults[name] = wantTime
		return nil
	}
	return &at
}

// span returns the times since and until; nil where absent. A span that ends
// before it begins is a mistake, not an empty list.
func (q *query) span() (since, until *time.Time) {
	since, until = q.time("since"), q.time("until")
	if since != nil && until != nil && until.Before(*since) {
		q.faults["until"] = "must not be before since"
	}
	return since, until
}

// wantTime is what a text must be to count as a time.
const wantTime = "must be an RFC 3339 time, such as 2026-05-30T10:00:00.000Z"

// limit returns the page size.
func (q *query) limit(otherwise int) int {
	text := q.text("limit")
	if text == "" {
		return otherwise
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > maxLimit {
		q.faults["limit"] = fmt.Sprintf("must be a whole number between 1 and %d", maxLimit)
		return otherwise
	}
	return limit
}

// number returns a number that counts from 1; 0 when absent.
func (q *query) number(name string) int {
	text := q.text(name)
	if text == "" {
		return 0
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil || number < 1 {
		q.faults[name] = "must be a whole number from 1 on"
		return 0
	}
	return int(number)
}

// cursor returns the opaque position; the store tells a good one from a bad one.
func (q *query) cursor() string { return q.text("cursor") }

// pathID returns the id of the path in its one form. What is no UUID cannot
// exist, so it is not found rather than invalid.
func pathID(c *gin.Context, what string) (string, error) {
	text := strings.ToLower(c.Param("id"))
	if id, err := uuid.Parse(text); err != nil || id.String() != text {
		return "", notFound(what)
	}
	return text, nil
}

func notFound(what string) error {
	return errs.New(errs.NotFound, "There is no such %s", what)
}
