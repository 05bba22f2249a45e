package activities

import (
	"time"

	"posthaste/webhook"
)

// Meter counts attempts as they end.
type Meter interface {
	// Attempted notes what an attempt for a webhook of the provider came to. Took
	// is 0 when this process sent nothing.
	Attempted(provider string, outcome webhook.OutcomeKind, took time.Duration)
}
