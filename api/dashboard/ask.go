package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// ask calls the API as whoever is signed in and decodes the data of its answer
// into a value; nil takes none.
func (d *Dashboard) ask(c *gin.Context, method, path string, body, into any) error {
	data, err := d.Ask(c.Request.Context(), Request{
		Method: method, Path: path, Body: body,
		Credential: viewerOf(c).session.credential(), RequestID: c.Writer.Header().Get("X-Request-Id"),
	})
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// codedOf finds the coded error in the chain; nil when there is none.
func codedOf(err error) *errs.Error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded
	}
	return nil
}

// canBeMended tells a failure that belongs beside the form that was sent from
// one that needs a page of its own. Faults are by the API's field names; a
// failure without any has a message for the whole form.
func canBeMended(err error) (faults map[string]string, message string, ok bool) {
	coded := codedOf(err)
	if coded == nil {
		return nil, "", false
	}
	switch coded.Code {
	case errs.Invalid, errs.Conflict, errs.LimitExceeded, errs.SubscriptionInactive, errs.RateLimited, errs.Forbidden:
		return coded.Fields, coded.Message, true
	default:
		return nil, "", false
	}
}

// pathID returns the id of the path in its one form. What is no UUID cannot
// exist.
func pathID(c *gin.Context, what string) (string, error) {
	text := strings.ToLower(c.Param("id"))
	if id, err := uuid.Parse(text); err != nil || id.String() != text {
		return "", errs.New(errs.NotFound, "There is no such %s", what)
	}
	return text, nil
}
