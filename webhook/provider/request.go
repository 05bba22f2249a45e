package provider

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/payload"
	"posthaste/webhook/send"
	"posthaste/webhook/signing"
)

// RequestInput is what one attempt is made of. Now is the moment of this
// attempt: it is what a signature's time says.
type RequestInput struct {
	Event        webhook.Event
	Subscription webhook.Subscription
	DeliveryID   string
	Now          time.Time
	UserAgent    string
}

// Request renders the body once, signs those very bytes and puts the headers in
// order: Content-Type, User-Agent, the provider's own, the delivery id, the
// signature, then the webhook's. Every attempt of a delivery gives the same
// body as long as the webhook is not changed, unless the profile's body tells
// the time of the attempt.
func (p *Profile) Request(in RequestInput) (send.Request, error) {
	g, known := p.generation(in.Subscription.Version)
	if !known {
		return send.Request{}, errs.New(errs.Invalid, "%s has no version %s", p.schema.Title, in.Subscription.Version)
	}
	k, known := p.kind(in.Subscription.Version, in.Event.Type)
	if !known {
		return send.Request{}, errs.New(errs.Invalid, "%s has no event %s in version %q", p.schema.Title, in.Event.Type, g.name)
	}
	given, err := p.payloadInput(in, k)
	if err != nil {
		return send.Request{}, err
	}
	body, err := k.renderer.Render(given)
	if err != nil {
		return send.Request{}, err
	}
	signatures, err := g.signer.Sign(signing.Input{
		ID: given.Event.ID, Time: in.Now, Body: body.Bytes, Secrets: in.Subscription.Secrets,
	})
	if err != nil {
		return send.Request{}, err
	}
	headers := make([]send.Header, 0, 3+len(p.schema.Headers)+len(signatures)+len(in.Subscription.Headers))
	headers = append(headers, send.Header{Name: "Content-Type", Value: body.ContentType})
	if in.UserAgent != "" {
		headers = append(headers, send.Header{Name: "User-Agent", Value: in.UserAgent})
	}
	for _, h := range p.schema.Headers {
		headers = append(headers, send.Header(h))
	}
	if name := p.schema.DeliveryIDHeader; name != "" {
		headers = append(headers, send.Header{Name: name, Value: given.DeliveryID})
	}
	for _, h := range signatures {
		headers = append(headers, send.Header(h))
	}
	return send.Request{
		URL:     in.Subscription.URL,
		Header:  p.withOwn(headers, in.Subscription.Headers),
		Body:    body.Bytes,
		Timeout: p.Timeout(in.Subscription),
	}, nil
}

// payloadInput is the event as receivers of this version see it: its wire name,
// data members under this version's names, ids with their prefixes.
func (p *Profile) payloadInput(in RequestInput, k *kind) (payload.Input, error) {
	prefix := p.schema.IDPrefixes
	out := payload.Input{
		Event: in.Event, Subscription: in.Subscription, DeliveryID: prefixed(prefix.Delivery, in.DeliveryID), Now: in.Now,
	}
	data, err := renameMembers(in.Event.Data, k.rename)
	if err != nil {
		return payload.Input{}, err
	}
	if out.Event.Data, err = omitMembers(data, k.omissions); err != nil {
		return payload.Input{}, err
	}
	if k.WireType != "" {
		out.Event.Type = k.WireType
	}
	out.Event.ID = prefixed(prefix.Event, in.Event.ID)
	out.Event.Tenant = prefixed(prefix.Tenant, in.Event.Tenant)
	out.Subscription.ID = prefixed(prefix.Webhook, in.Subscription.ID)
	out.Subscription.Tenant = prefixed(prefix.Tenant, in.Subscription.Tenant)
	return out, nil
}

// prefixed puts the prefix before an id that does not begin with it already, as
// the tenants of a platform may that uses such ids itself.
func prefixed(prefix, id string) string {
	if strings.HasPrefix(id, prefix) {
		return id
	}
	return prefix + id
}

// withOwn adds the webhook's own headers, sorted by name. They were checked when
// they were given; a profile that has since claimed a name wins.
func (p *Profile) withOwn(headers []send.Header, own map[string]string) []send.Header {
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !p.isOwnHeader(http.CanonicalHeaderKey(name)) {
			headers = append(headers, send.Header{Name: name, Value: own[name]})
		}
	}
	return headers
}
