package provider

import "posthaste/webhook"

// HasSources reports whether webhooks choose among the four sources.
func (p *Profile) HasSources() bool { return p.schema.Sources }

// RetryModes returns the modes that a webhook may choose.
func (p *Profile) RetryModes() []webhook.RetryMode { return p.schema.Retry.Modes }
