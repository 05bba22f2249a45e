package provider

import "posthaste/webhook"

// RetryModes returns the modes that a webhook may choose.
func (p *Profile) RetryModes() []webhook.RetryMode { return p.schema.Retry.Modes }
