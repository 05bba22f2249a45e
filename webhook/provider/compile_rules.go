package provider

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"posthaste/webhook"
)

// withDefaults fills what a profile may leave out.
func (t TimeoutSchema) withDefaults() TimeoutSchema {
	if t.MaxSeconds == 0 {
		t.MaxSeconds = MaxTimeoutSeconds
	}
	if t.DefaultSeconds == 0 {
		t.DefaultSeconds = t.MaxSeconds
	}
	return t
}

func checkIdentity(doc *document, s Schema) {
	if !isToken(s.Name, "-") {
		doc.fault("name", "must be 1 to 64 small letters, digits and -")
	}
	if s.Title == "" {
		doc.fault("title", "is required")
	}
	if s.Description == "" {
		doc.fault("description", "is required")
	}
	if docs, err := url.Parse(s.Docs); err != nil || docs.Scheme != "https" || docs.Host == "" {
		doc.fault("docs", "must be the https URL of the provider's documentation")
	}
	for name, prefix := range map[string]string{
		"event": s.IDPrefixes.Event, "webhook": s.IDPrefixes.Webhook, "tenant": s.IDPrefixes.Tenant, "delivery": s.IDPrefixes.Delivery,
	} {
		if !idPrefix.MatchString(prefix) {
			doc.fault("idPrefixes."+name, "must be at most 32 letters, digits, _ and -")
		}
	}
}

var idPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]{0,32}$`)

// checkDeliveryRules looks at what decides whether, where to and how often a
// delivery goes out.
func checkDeliveryRules(doc *document, s Schema) {
	checkURLSchema(doc, s.URL)
	for field, fault := range s.Retry.Default.Validate() {
		doc.fault("retry.default."+field, "%s", fault)
	}
	for i, mode := range s.Retry.Modes {
		if !slices.Contains([]webhook.RetryMode{webhook.RetryNever, webhook.RetryExponential, webhook.RetrySchedule}, mode) {
			doc.fault(fmt.Sprintf("retry.modes[%d]", i), "must be never, exponential or schedule")
		}
	}
	if !slices.Contains(s.Retry.Modes, s.Retry.Default.Mode) {
		doc.fault("retry.modes", "must contain the default's mode")
	}
	if s.Timeout.MaxSeconds < 1 || s.Timeout.MaxSeconds > MaxTimeoutSeconds {
		doc.fault("timeout.maxSeconds", "must be between 1 and %d", MaxTimeoutSeconds)
	}
	if s.Timeout.DefaultSeconds < 1 || s.Timeout.DefaultSeconds > s.Timeout.MaxSeconds {
		doc.fault("timeout.defaultSeconds", "must be between 1 and maxSeconds")
	}
	if !slices.Contains([]GoneRule{GoneFailure, GonePause, GoneFinal}, s.Gone) {
		doc.fault("gone", "must be failure, pause or final")
	}
	checkBrokenRule(doc, s.Broken)
	for i, filter := range s.Filters {
		if !slices.Contains([]Filter{FilterCampaign, FilterList, FilterSchema}, filter) {
			doc.fault(fmt.Sprintf("filters[%d]", i), "must be campaignId, listId or schemaId")
		}
	}
	checkAttributeRules(doc, "attributes", s.Attributes)
}

func checkBrokenRule(doc *document, rule BrokenRule) {
	never := rule.AfterFailedAttempts == 0 && rule.AfterFailingFor == 0
	switch {
	case rule.AfterFailedAttempts < 0:
		doc.fault("broken.afterFailedAttempts", "must not be negative")
	case rule.AfterFailingFor < 0:
		doc.fault("broken.afterFailingFor", "must not be negative")
	case never && rule.HealedBy != "":
		doc.fault("broken.healedBy", "has no meaning without afterFailedAttempts or afterFailingFor")
	case !never && !slices.Contains([]Cure{HealedByEdit, HealedByResume}, rule.HealedBy):
		doc.fault("broken.healedBy", "must be edit or resume")
	}
}

func checkURLSchema(doc *document, s URLSchema) {
	if len(s.Schemes) == 0 {
		doc.fault("url.schemes", "must list https, or https and http")
	}
	for i, scheme := range s.Schemes {
		if scheme != "https" && scheme != "http" {
			doc.fault(fmt.Sprintf("url.schemes[%d]", i), "must be https or http")
		}
	}
	for scheme, ports := range s.Ports {
		if !slices.Contains(s.Schemes, scheme) || len(ports) == 0 {
			doc.fault("url.ports", "must list ports of a scheme in url.schemes")
		}
		for i, port := range ports {
			if port < 1 || port > 65535 {
				doc.fault(fmt.Sprintf("url.ports.%s[%d]", scheme, i), "must be between 1 and 65535")
			}
		}
	}
}

// checkSecretRule also holds the rule to the schemes: a secret that nothing
// signs with, and a signature that may lack its secret, are mistakes.
func (p *Profile) checkSecretRule(doc *document) {
	rule := p.schema.Secret
	switch rule.Rule {
	case SecretGiven, SecretGenerated, SecretEither, SecretNone:
	default:
		doc.fault("secret.rule", "must be given, generated, either or none")
		return
	}
	if rule.MinLength < 0 || rule.MinLength > rule.MaxLength {
		doc.fault("secret.minLength", "must be between 0 and maxLength")
	}
	if rule.Bytes < minSecretBytes || rule.Bytes > maxSecretBytes {
		doc.fault("secret.bytes", "must be between %d and %d", minSecretBytes, maxSecretBytes)
		return
	}
	if secretEncodings[rule.Encoding] == nil {
		doc.fault("secret.encoding", "unknown encoding %q; known: %s", rule.Encoding, keys(secretEncodings))
		return
	}
	if rule.Required && rule.Rule != SecretGiven {
		doc.fault("secret.required", "has a meaning with rule given only")
	}
	for _, g := range p.generations {
		signs := len(g.signer.Headers()) > 0
		switch {
		case signs && rule.Rule == SecretNone:
			doc.fault("secret.rule", "must not be none: there is a signature")
		case !signs && rule.Rule != SecretNone && len(p.generations) == 1:
			doc.fault("secret.rule", "must be none: nothing is signed")
		case rule.Rule == SecretGenerated || rule.Rule == SecretEither:
			if secret, err := p.GenerateSecret(zeros{}); err != nil || g.signer.CheckSecret(secret) != nil || len(secret) < rule.MinLength {
				doc.fault("secret", "the secrets it generates do not suit the signing scheme or minLength")
			}
		case rule.Rule == SecretGiven && !rule.Required && g.signer.Several():
			doc.fault("secret.required", "must be true: the signing scheme cannot do without a secret")
		}
	}
}

// zeros stands in for randomness where only the form of a secret matters.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// checkRules looks at the rules about suppressing, sources and customData.
func (p *Profile) checkRules(doc *document) {
	for i, rule := range p.schema.Rules {
		key := fmt.Sprintf("rules[%d]", i)
		p.checkEventNames(doc, key+".events", rule.Events)
		if (rule.Suppress == "") == (rule.Source == "") {
			doc.fault(key, "must have either suppress or source")
		}
		if rule.Suppress != "" && !isToken(rule.Suppress, "_") {
			doc.fault(key+".suppress", "must be a reason of small letters, digits and _")
		}
		for at, source := range map[string]webhook.Source{"source": rule.Source, "when.source": rule.When.Source} {
			if source != "" && !slices.Contains(webhook.Sources(), source) {
				doc.fault(key+"."+at, "must be one of %s", joined(webhook.Sources()))
			}
		}
		if rule.When == (WhenSchema{}) {
			doc.fault(key+".when", "must have a condition")
		}
		if trigger := rule.When.CampaignTrigger; trigger != "" && !slices.Contains(campaignTriggers, trigger) {
			doc.fault(key+".when.campaignTrigger", "must be one of %s", strings.Join(campaignTriggers, ", "))
		}
	}
	custom := p.schema.CustomData
	if custom == nil {
		return
	}
	p.checkEventNames(doc, "customData.events", custom.Events)
	if custom.OverLimit != overLimitDrop && custom.OverLimit != overLimitRefuse {
		doc.fault("customData.overLimit", "must be drop or refuse")
	}
	if custom.MaxPairs < 0 || custom.MaxKeyLength < 0 || custom.MaxValueLength < 0 {
		doc.fault("customData", "must not have a negative limit")
	}
}

func (p *Profile) checkEventNames(doc *document, key string, names []string) {
	for i, name := range names {
		if len(p.kindsOf(name)) == 0 {
			doc.fault(fmt.Sprintf("%s[%d]", key, i), "%s is no event of this profile", name)
		}
	}
}

// isToken reports whether the text is a small word of the profile language.
func isToken(text, also string) bool {
	return text != "" && len(text) <= 64 && text[0] >= 'a' && text[0] <= 'z' &&
		strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789"+also) == ""
}

func keys[V any](table map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(table)), ", ")
}
