package signing

import "posthaste/webhook"

// none is the scheme of providers that do not sign.
type none struct{}

func compileNone(spec Spec) (scheme, error) { return none{}, refuseFields(spec) }

func (none) sign(Input) ([]Header, error) { return nil, nil }

// verify lets everything through: there is nothing to hold a request to.
func (none) verify(VerifyInput) error { return nil }

func (none) headers() []string { return nil }

func (none) several() bool { return false }

func (none) checkSecret(webhook.Secret) error { return nil }

func (none) checkTrusted(webhook.Secret) error { return nil }
