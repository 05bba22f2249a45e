package webhook

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Status says whether a webhook receives events, and if not, why.
type Status string

// The four statuses.
const (
	StatusActive Status = "active" // receives events
	StatusPaused Status = "paused" // switched off by a person
	StatusGone   Status = "gone"   // answered 410
	StatusBroken Status = "broken" // failed too often
)

// Subscription is a webhook as providers see it: who wants which events, where
// and how.
type Subscription struct {
	ID             string
	Tenant         string
	Provider       string
	Name           string
	URL            string
	Events         []string // event types, or "*" alone
	Sources        []Source // empty = all
	Version        string   // the provider's generation, such as v2; empty = the provider's default
	Filters        Filters
	Headers        map[string]string // sent with every POST; names in canonical form
	Retry          *RetryPolicy      // nil = the provider's default
	TimeoutSeconds int               // 0 = the provider's default
	MaxPerSecond   int               // how many attempts may begin in a second; 0 = no limit
	Secrets        []Secret          // newest first; more than one only during a rotation overlap
	Status         Status
}

// Filters narrow a webhook to events with these attributes; an empty filter
// lets everything through.
type Filters struct {
	CampaignID string `json:"campaignId,omitempty"`
	ListID     string `json:"listId,omitempty"`
	SchemaID   string `json:"schemaId,omitempty"`
}

// Secret is a webhook's signing secret. It prints as [secret] everywhere.
type Secret string

// Format hides the secret from every verb of fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// MarshalJSON hides the secret from every encoder.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// Reveal returns the secret itself: for signing, and for the one answer that
// shows it.
func (s Secret) Reveal() string { return string(s) }

// Timeout returns the total time one attempt may take.
func (s Subscription) Timeout(providerDefault time.Duration) time.Duration {
	if s.TimeoutSeconds > 0 {
		return time.Duration(s.TimeoutSeconds) * time.Second
	}
	return providerDefault
}

// credentialWords are the words that mark a header as carrying a credential.
var credentialWords = []string{"authorization", "cookie", "key", "token", "secret", "password"}

// CarriesCredential reports whether the value of a header of this name is to be
// hidden from people: its name contains authorization, cookie, key, token,
// secret or password.
func CarriesCredential(header string) bool {
	name := strings.ToLower(header)
	return slices.ContainsFunc(credentialWords, func(word string) bool { return strings.Contains(name, word) })
}
