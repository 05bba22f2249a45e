package provider

import "posthaste/webhook"

// HasSources reports whether webhooks choose among the four sources.
func (p *Profile) HasSources() bool { return p.schema.Sources }

// RetryModes returns the modes that a webhook may choose.
func (p *Profile) RetryModes() []webhook.RetryMode { return p.schema.Retry.Modes }

// LongestTimeout returns the most seconds that a webhook may give an attempt.
func (p *Profile) LongestTimeout() int { return p.schema.Timeout.MaxSeconds }

// NameRequired reports whether a webhook must be given a name.
func (p *Profile) NameRequired() bool { return p.schema.NameRequired }
