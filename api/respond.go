package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// contentTypeJSON is the media type of every answer but the specification, the
// pages to read it with, and the metrics.
const contentTypeJSON = "application/json; charset=utf-8"

// okBody is the envelope of one resource.
type okBody struct {
	Success bool `json:"success"`
	Data    any  `json:"data"`
}

// listBody is the envelope of a page.
type listBody struct {
	Success    bool       `json:"success"`
	Data       any        `json:"data"`
	Pagination pagination `json:"pagination"`
}

// pagination tells how to fetch the next page; NextCursor is null on the last.
type pagination struct {
	Limit      int     `json:"limit"`
	NextCursor *string `json:"nextCursor"`
}

func paginationOf(limit int, nextCursor string) pagination {
	if nextCursor == "" {
		return pagination{Limit: limit}
	}
	return pagination{Limit: limit, NextCursor: &nextCursor}
}

// respond answers with one resource. It returns an error so that a handler can
// end with it.
func respond(c *gin.Context, status int, data any) error {
	return writeJSON(c, status, okBody{Success: true, Data: data})
}

// respondPage answers 200 with a page of resources.
func respondPage(c *gin.Context, page pagination, data any) error {
	return writeJSON(c, http.StatusOK, listBody{Success: true, Data: data, Pagination: page})
}

// writeJSON encodes before it writes, so that a value that cannot be encoded
// becomes a clean 500. Event data is shown as it was taken: & < > stay raw.
func writeJSON(c *gin.Context, status int, body any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	c.Data(status, contentTypeJSON, bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return nil
}

// timestamp prints as ISO 8601 in UTC with milliseconds and Z, the one form of
// times in this API.
type timestamp time.Time

const timestampLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON prints the time; the zero time prints as null.
func (t timestamp) MarshalJSON() ([]byte, error) {
	at := time.Time(t)
	if at.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + at.UTC().Format(timestampLayout) + `"`), nil
}

// optionalTime is a timestamp or null.
func optionalTime(at *time.Time) *timestamp {
	if at == nil || at.IsZero() {
		return nil
	}
	shown := timestamp(*at)
	return &shown
}

// optionalText is a text or null when empty.
func optionalText[T ~string](text T) *string {
	if text == "" {
		return nil
	}
	shown := string(text)
	return &shown
}

// optionalNumber is a number or null when it is 0.
func optionalNumber(number int) *int {
	if number == 0 {
		return nil
	}
	return &number
}

// bodyText shows bytes of any kind as text; what is not UTF-8 is replaced.
func bodyText(body []byte) string { return strings.ToValidUTF8(string(body), "\uFFFD") }

// orEmpty keeps a missing list from printing as null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
