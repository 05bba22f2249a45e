package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// wireError is how one error code leaves the house.
type wireError struct {
	status int
	code   string
}

// wireErrors is the one map from our error codes to HTTP. TestEveryCodeHasStatus
// holds it complete.
var wireErrors = map[errs.Code]wireError{
	errs.Invalid:              {http.StatusBadRequest, "VALIDATION_ERROR"},
	errs.Unauthorized:         {http.StatusUnauthorized, "UNAUTHORIZED"},
	errs.Forbidden:            {http.StatusForbidden, "FORBIDDEN"},
	errs.SubscriptionInactive: {http.StatusForbidden, "SUBSCRIPTION_INACTIVE"},
	errs.LimitExceeded:        {http.StatusForbidden, "LIMIT_EXCEEDED"},
	errs.NotFound:             {http.StatusNotFound, "NOT_FOUND"},
	errs.Conflict:             {http.StatusConflict, "CONFLICT"},
	errs.TooLarge:             {http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE"},
	errs.UnsupportedMedia:     {http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE"},
	errs.RateLimited:          {http.StatusTooManyRequests, "RATE_LIMITED"},
	errs.Unavailable:          {http.StatusServiceUnavailable, "UNAVAILABLE"},
	errs.Internal:             {http.StatusInternalServerError, "INTERNAL_ERROR"},
}

// defaultRetryAfter is what a 429 or 503 tells the caller when the error itself
// names no time: long enough for a restart of Temporal or the database to make
// progress, short enough that nobody notices.
const defaultRetryAfter = 2 * time.Second

// internalMessage is all a caller learns about a fault of ours; the request id
// beside it finds the cause in the log.
const internalMessage = "Something went wrong on our side. Quote the requestId when you report it."

// errorBody is the error envelope.
type errorBody struct {
	Success   bool              `json:"success"`
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Errors    map[string]string `json:"errors,omitempty"`
	RequestID string            `json:"requestId"`
}

// writeError answers with the envelope of the error. It is called by the
// wrapper around handlers and by the router for unknown routes; handlers return
// their errors instead.
func writeError(c *gin.Context, err error) {
	wire, coded := wireOf(err)
	if coded.Code == errs.Unauthorized {
		c.Header("WWW-Authenticate", challenge(c))
	}
	if coded.Code == errs.RateLimited || coded.Code == errs.Unavailable {
		c.Header("Retry-After", retryAfterSeconds(coded.RetryAfter))
	}
	_ = writeJSON(c, wire.status, errorBody{
		Code: wire.code, Message: coded.Message, Errors: coded.Fields, RequestID: requestID(c),
	}) // texts always encode
}

// wireOf returns how an error leaves the house. Nothing is told of a fault of
// ours.
func wireOf(err error) (wireError, *errs.Error) {
	coded := coerce(err)
	wire, known := wireErrors[coded.Code]
	if !known || coded.Code == errs.Internal {
		return wireErrors[errs.Internal], &errs.Error{Code: errs.Internal, Message: internalMessage}
	}
	return wire, coded
}

// coerce finds the coded error in the chain. Two kinds of uncoded errors are
// known: a body over its limit, and a request whose time ran out or whose
// caller left. All others are faults of ours.
func coerce(err error) *errs.Error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errs.New(errs.TooLarge, "The request body may have at most %d bytes", tooLarge.Limit)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errs.New(errs.Unavailable, "The request took too long; try again")
	}
	return &errs.Error{Code: errs.Internal, Message: internalMessage, Cause: err}
}

// challenge is the WWW-Authenticate value: RFC 6750 wants error="invalid_token"
// only when a token was sent.
func challenge(c *gin.Context) string {
	if c.GetHeader("Authorization") == "" {
		return `Bearer realm="posthaste"`
	}
	return `Bearer realm="posthaste", error="invalid_token"`
}

func retryAfterSeconds(wait time.Duration) string {
	if wait <= 0 {
		wait = defaultRetryAfter
	}
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}
