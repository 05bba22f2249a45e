// Package errs is the one error type of Posthaste. An error here means that we
// failed or that the caller asked for something impossible; what a receiver
// answers is never an error but an outcome (package webhook).
package errs

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure an Error is. The API maps each code to one
// HTTP status and one wire code (api/errors.go); nothing else does.
type Code string

// Every code there is. Codes lists them for tests that prove total tables.
const (
	Invalid              Code = "invalid"               // the request is malformed; Fields names what
	Unauthorized         Code = "unauthorized"          // no credential, or a bad one
	Forbidden            Code = "forbidden"             // a good credential without the needed scope
	SubscriptionInactive Code = "subscription_inactive" // the tenant is switched off
	LimitExceeded        Code = "limit_exceeded"        // the tenant's plan allows no more of these
	NotFound             Code = "not_found"             // absent, or another tenant's
	Conflict             Code = "conflict"              // a duplicate, or a state change that is not allowed
	TooLarge             Code = "too_large"             // the body exceeds the limit
	UnsupportedMedia     Code = "unsupported_media"     // the body is not of a type we read
	RateLimited          Code = "rate_limited"          // too many requests; RetryAfter says when to return
	Unavailable          Code = "unavailable"           // a part we need is down; RetryAfter says when to return
	Internal             Code = "internal"              // a fault of ours; the message is never shown
)

// Codes returns every code.
func Codes() []Code {
	return []Code{
		Invalid, Unauthorized, Forbidden, SubscriptionInactive, LimitExceeded, NotFound,
		Conflict, TooLarge, UnsupportedMedia, RateLimited, Unavailable, Internal,
	}
}

// Error is a coded failure. Message and Fields are safe to show to the caller;
// the cause is for logs alone.
type Error struct {
	Code       Code
	Message    string
	Fields     map[string]string // field path to what is wrong with it; Invalid only
	RetryAfter time.Duration     // RateLimited and Unavailable: when trying again makes sense
	Cause      error
}

// Error joins the message and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause, so that errors.Is and errors.As see through.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of the code with a message that is safe to show.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives a cause a code and a message that is safe to show. A nil cause
// gives nil.
func Wrap(cause error, code Code, format string, args ...any) error {
	if cause == nil {
		return nil
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// InvalidField is Invalid with one field at fault. The field is the path a
// caller would write, such as "retry.maxAttempts" or "events[2].type".
func InvalidField(field, format string, args ...any) *Error {
	return InvalidFields(map[string]string{field: fmt.Sprintf(format, args...)})
}

// InvalidFields is Invalid with every field at fault.
func InvalidFields(fields map[string]string) *Error {
	return &Error{Code: Invalid, Message: "Validation failed", Fields: fields}
}

// CodeOf returns the code of the first coded error in the chain; Internal for
// any other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return Internal
}

// Is reports whether the error carries the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }
