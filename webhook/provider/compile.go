package provider

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"posthaste/errs"
	"posthaste/webhook/payload"
	"posthaste/webhook/signing"
)

// compile turns a schema into a profile and notes every mistake in the document.
func compile(doc *document, schema Schema) *Profile {
	schema.Secret = schema.Secret.withDefaults()
	schema.Timeout = schema.Timeout.withDefaults()
	p := &Profile{schema: schema, rules: schema.Attributes.rules(), reserved: map[string]bool{}}
	checkIdentity(doc, schema)
	checkDeliveryRules(doc, schema)
	p.compileGenerations(doc)
	p.compileEvents(doc)
	p.checkHeaders(doc)
	p.checkSecretRule(doc)
	p.checkRules(doc)
	return p
}

// compileGenerations makes the versions: their bodies and signatures.
func (p *Profile) compileGenerations(doc *document) {
	renderer, signer := compilePayload(doc, "payload", p.schema.Payload), compileSigning(doc, "signing", p.schema.Signing)
	if len(p.schema.Versions) == 0 {
		if p.schema.Signing == nil {
			doc.fault("signing", "is required; scheme none says that nothing is signed")
		}
		p.fallback = &generation{renderer: renderer, signer: signer, kinds: map[string]*kind{}, hasBody: p.schema.Payload != nil}
		p.generations = []*generation{p.fallback}
		return
	}
	for i, version := range p.schema.Versions {
		key := fmt.Sprintf("versions[%d]", i)
		g := &generation{name: version.Name, renderer: renderer, signer: signer, kinds: map[string]*kind{}}
		g.hasBody = p.schema.Payload != nil || version.Payload != nil
		if version.Payload != nil {
			g.renderer = compilePayload(doc, key+".payload", version.Payload)
		}
		if version.Signing != nil {
			g.signer = compileSigning(doc, key+".signing", version.Signing)
		} else if p.schema.Signing == nil {
			doc.fault(key+".signing", "is required, as the profile has none")
		}
		p.addGeneration(doc, key, g, version.Default)
	}
	if p.fallback == nil {
		doc.fault("versions", "must have one with default: true")
		p.fallback = p.generations[0]
	}
}

func (p *Profile) addGeneration(doc *document, key string, g *generation, isDefault bool) {
	if !isToken(g.name, "-.") {
		doc.fault(key+".name", "must be 1 to 64 small letters, digits, - and .")
	}
	if slices.ContainsFunc(p.generations, func(other *generation) bool { return other.name == g.name }) {
		doc.fault(key+".name", "is listed twice")
	}
	if isDefault && p.fallback != nil {
		doc.fault(key+".default", "there is a default already: %s", p.fallback.name)
	}
	if isDefault {
		p.fallback = g
	}
	p.generations = append(p.generations, g)
}

// compilePayload makes the renderer of a spec; nil where there is none.
func compilePayload(doc *document, key string, spec *payload.Spec) *payload.Renderer {
	if spec == nil {
		return nil
	}
	renderer, err := payload.Compile(*spec)
	var coded *errs.Error
	switch {
	case err == nil:
	case errors.As(err, &coded):
		// The message begins with the place: "payload.envelope.data: ...".
		place, reason, found := strings.Cut(strings.TrimPrefix(coded.Message, "payload."), ": ")
		if !found {
			place, reason = "", coded.Message
		}
		doc.fault(strings.TrimSuffix(key+"."+place, "."), "%s", reason)
	default:
		doc.fault(key, "%v", err)
	}
	return renderer
}

// compileSigning makes the signer of a spec. Where the spec is at fault it
// returns one that signs nothing, so that checking can go on.
func compileSigning(doc *document, key string, spec *signing.Spec) *signing.Signer {
	if spec == nil {
		spec = &signing.Spec{Scheme: "none"}
	}
	signer, err := signing.Compile(*spec)
	if err == nil {
		return signer
	}
	var coded *errs.Error
	if !errors.As(err, &coded) {
		doc.fault(key, "%v", err)
	} else {
		for field, fault := range coded.Fields {
			doc.fault(key+"."+field, "%s", fault)
		}
	}
	unsigned, _ := signing.Compile(signing.Spec{Scheme: "none"}) // a constant of ours: cannot fail
	return unsigned
}

// checkHeaders claims the names of the headers that the provider sets, so that
// neither two of them nor a webhook's own can clash.
func (p *Profile) checkHeaders(doc *document) {
	for i, h := range p.schema.Headers {
		key := fmt.Sprintf("headers[%d]", i)
		if fault := p.checkHeader(http.CanonicalHeaderKey(h.Name), h.Value, false); fault != "" {
			doc.fault(key, "%s", fault)
		}
		p.reserved[http.CanonicalHeaderKey(h.Name)] = true
	}
	if name := p.schema.DeliveryIDHeader; name != "" {
		p.reserve(doc, "deliveryIdHeader", name)
	}
	own := len(p.reserved)
	for i, g := range p.generations {
		key := "signing"
		if len(p.schema.Versions) > 0 {
			key = fmt.Sprintf("versions[%d].signing", i)
		}
		for _, name := range g.signer.Headers() {
			if own > 0 && p.isClaimed(name) {
				doc.fault(key, "the header %s is set twice", name)
			}
			if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
				doc.fault(key, "the header %s is set by Posthaste", name)
			}
		}
	}
	for _, g := range p.generations {
		for _, name := range g.signer.Headers() {
			p.reserved[http.CanonicalHeaderKey(name)] = true
		}
	}
}

func (p *Profile) isClaimed(name string) bool { return p.reserved[http.CanonicalHeaderKey(name)] }

// reserve claims the name of the header that carries the delivery's id. The
// common name for it is kept free of webhooks' own headers everywhere.
func (p *Profile) reserve(doc *document, key, name string) {
	canonical := http.CanonicalHeaderKey(name)
	if fault := p.checkHeader(canonical, "", false); fault != "" && canonical != commonDeliveryHeader {
		doc.fault(key, "%s", fault)
	}
	p.reserved[canonical] = true
}
