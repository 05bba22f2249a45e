package dashboard

import (
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"posthaste/models"
)

// withinChoices are the spans that a list can be narrowed to, counted from now.
var withinChoices = []choice{{"", "Any time"}, {"hour", "Last hour"}, {"day", "Last 24 hours"}, {"week", "Last 7 days"}}

var withinLengths = map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}

// formMoment is a time as browsers write it into a form, taken as UTC.
const formMoment = "2006-01-02T15:04"

// spanFilter narrows a list by time. The texts are what the form was given.
type spanFilter struct {
	Within, Since, Until string
	since, until         *time.Time
}

// given tells whether anything is left out.
func (f spanFilter) given() bool { return f.since != nil || f.until != nil }

// open tells whether what happens next is in the span.
func (f spanFilter) open() bool { return f.until == nil }

// span reads a span. A time that was written wins over a span that was chosen.
func (f *filters) span(now time.Time) spanFilter {
	s := spanFilter{Within: f.oneOf("within", valuesOf(withinChoices)...), Since: f.c.Query("since"), Until: f.c.Query("until")}
	for name, field := range map[string]struct {
		text string
		into **time.Time
	}{"since": {s.Since, &s.since}, "until": {s.Until, &s.until}} {
		if field.text == "" {
			continue
		}
		at, err := readMoment(field.text)
		if err != nil || !models.HoldsTime(at) {
			f.faults[name] = "must be a time, such as 2026-05-30T10:00"
			continue
		}
		*field.into = &at
	}
	if s.since != nil && s.until != nil && s.until.Before(*s.since) {
		f.faults["until"] = "must not be before since"
	}
	if length, known := withinLengths[s.Within]; known && s.since == nil {
		since := now.Add(-length)
		s.since = &since
	}
	return s
}

// readMoment reads a time from a form or from a link of ours.
func readMoment(text string) (time.Time, error) {
	for _, layout := range []string{formMoment, formMoment + ":05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err
}

// watch is how a list keeps itself up to date: the first page of one whose span
// is open asks for itself again, until somebody stops it.
type watch struct {
	Live   bool
	Here   string // this page
	Toggle string // this page with the updates stopped or begun; "" where there are none
}

func watching(c *gin.Context, span spanFilter) watch {
	w := watch{Here: c.Request.URL.RequestURI()}
	if c.Query("cursor") != "" || !span.open() {
		return w
	}
	w.Live = c.Query("live") != "off"
	w.Toggle = withQuery(c, "live", map[bool]string{true: "off", false: ""}[w.Live])
	return w
}

// withQuery returns the path of this page with one parameter set; "" takes it
// away.
func withQuery(c *gin.Context, name, value string) string {
	query := c.Request.URL.Query()
	query.Del(name)
	if value != "" {
		query.Set(name, value)
	}
	return pathWith(c.Request.URL.Path, query)
}

func pathWith(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// answered leads to a page and says what became of a request: done, or what a
// person can do about it.
func (d *Dashboard) answered(c *gin.Context, path string, err error, done string) error {
	if err == nil {
		return d.tell(c, path, flash{Text: done})
	}
	faults, message, mendable := canBeMended(err)
	if !mendable {
		return err
	}
	for _, name := range sortedKeys(faults) {
		message += "; " + name + " " + faults[name]
	}
	return d.tell(c, path, flash{Text: ended(message), Failed: true})
}

// shownBytes is a body as text. What is no UTF-8 is replaced, and what would
// turn the text around or end it is shown as a box.
func shownBytes(body []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(string(body), "\ufffd"))
}
