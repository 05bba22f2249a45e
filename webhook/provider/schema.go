package provider

import (
	"time"

	"posthaste/webhook"
	"posthaste/webhook/payload"
	"posthaste/webhook/signing"
)

// Schema is a profile as it is written: one YAML file, named as the provider.
// An unknown key, a missing one and a value that makes no sense are refused at
// start with file, line and reason. docs/providers.md documents every key.
type Schema struct {
	Name        string `yaml:"name"`        // as in the API; equals the file's name
	Title       string `yaml:"title"`       // for people
	Description string `yaml:"description"` // one sentence
	Docs        string `yaml:"docs"`        // where the provider's own documentation is

	// Internal: Posthaste makes the events itself, and nobody may enqueue one.
	Internal bool `yaml:"internal"`

	Versions []VersionSchema `yaml:"versions"` // generations, in catalogue order; absent = one without a name
	Payload  *payload.Spec   `yaml:"payload"`  // body, unless the version or the event says otherwise
	Signing  *signing.Spec   `yaml:"signing"`  // signature, unless the version says otherwise

	Secret SecretRule `yaml:"secret"`
	URL    URLSchema  `yaml:"url"`
	// NameRequired: creating a webhook needs a name.
	NameRequired bool `yaml:"nameRequired"`
	// Sources: a webhook chooses among public, admin, api and system.
	Sources bool     `yaml:"sources"`
	Filters []Filter `yaml:"filters"` // which filters a webhook may set

	Retry   RetrySchema   `yaml:"retry"`
	Timeout TimeoutSchema `yaml:"timeout"`
	Gone    GoneRule      `yaml:"gone"`
	Broken  BrokenRule    `yaml:"broken"`

	Headers          []HeaderSchema  `yaml:"headers"`          // sent with every request
	DeliveryIDHeader string          `yaml:"deliveryIdHeader"` // carries the delivery's id; absent = no such header
	IDPrefixes       IDPrefixSchema  `yaml:"idPrefixes"`       // put before ids wherever a receiver sees them
	CustomData       *CustomData     `yaml:"customData"`       // absent = events carry none
	Attributes       AttributeSchema `yaml:"attributes"`       // rules for every event's attributes
	Rules            []RuleSchema    `yaml:"rules"`            // tried in order; all that apply do

	AnyEvent *AnyEventSchema `yaml:"anyEvent"` // present = any well-formed event name is accepted
	Events   []EventSchema   `yaml:"events"`   // the catalogue, in order
}

// VersionSchema is one generation of a provider's webhooks.
type VersionSchema struct {
	Name        string        `yaml:"name"`
	Default     bool          `yaml:"default"` // for webhooks that name none
	Description string        `yaml:"description"`
	Payload     *payload.Spec `yaml:"payload"`
	Signing     *signing.Spec `yaml:"signing"`
}

// EventSchema is one event type of one version. A type that exists in two
// versions has two entries.
type EventSchema struct {
	Type        string `yaml:"type"`
	Version     string `yaml:"version"` // absent = the default version
	Category    string `yaml:"category"`
	Description string `yaml:"description"`
	// WireType is the type's name in the body where it differs.
	WireType string        `yaml:"wireType"`
	Payload  *payload.Spec `yaml:"payload"`
	// Rename gives data members the name they have in this version: {phone:
	// phoneNumber} sends data.phone as phoneNumber.
	Rename map[string]string `yaml:"rename"`
	// Omit are data members that receivers of this event do not get, by the names
	// they have after Rename.
	Omit []OmitSchema `yaml:"omit"`
	// Filters are those of the profile's filters that this event obeys; absent =
	// all, [] = none.
	Filters    []Filter        `yaml:"filters"`
	Attributes AttributeSchema `yaml:"attributes"`
	Data       []FieldSchema   `yaml:"data"` // what the event's data must or may hold, after Rename
	Sample     *SampleSchema   `yaml:"sample"`
}

// OmitSchema is a data member that is not sent although the producer gave it.
type OmitSchema struct {
	// Member is a path: note, contact.note, or rows[].note for every element of
	// an array.
	Member string `yaml:"member"`
	// Value, when there, limits this to members with that value: false for those
	// that receivers know by their presence.
	Value JSONSchema `yaml:"value"`
}

// FieldSchema is one member of an event's data.
type FieldSchema struct {
	Name        string `yaml:"name"` // path with dots: contact.email
	Type        string `yaml:"type"` // any, scalar, string, number, integer, boolean, object, array
	Required    bool   `yaml:"required"`
	Description string `yaml:"description"`
	// Values are the texts the member may have; absent = any.
	Values []string `yaml:"values"`
}

// SampleSchema is the event that test sends and the docs show.
type SampleSchema struct {
	Data       JSONSchema         `yaml:"data"`
	CustomData JSONSchema         `yaml:"customData"`
	Source     webhook.Source     `yaml:"source"`
	Attributes webhook.Attributes `yaml:"attributes"`
}

// AnyEventSchema describes the events of a provider that takes any name.
type AnyEventSchema struct {
	Category    string        `yaml:"category"`
	Description string        `yaml:"description"`
	Sample      *SampleSchema `yaml:"sample"`
}

// AttributeSchema holds the rule of each attribute of an event.
type AttributeSchema struct {
	CampaignID      AttributeRule `yaml:"campaignId"`
	ListIDs         AttributeRule `yaml:"listIds"`
	SchemaID        AttributeRule `yaml:"schemaId"`
	CampaignTrigger AttributeRule `yaml:"campaignTrigger"`
	InitiatedBy     AttributeRule `yaml:"initiatedBy"`
}

// AttributeRule says whether an attribute must be there and what fills it when
// the producer leaves it out.
type AttributeRule struct {
	Required bool `yaml:"required"`
	// From is "source" or a path into the data such as "data.campaign.id".
	From string `yaml:"from"`
}

// URLSchema says which URLs a webhook may have.
type URLSchema struct {
	Schemes []string         `yaml:"schemes"` // https, or https and http
	Ports   map[string][]int `yaml:"ports"`   // by scheme; absent = every port
}

// RetrySchema is the retry policy of webhooks that name none, and the modes
// that a webhook may choose.
type RetrySchema struct {
	Default webhook.RetryPolicy `yaml:"default"`
	Modes   []webhook.RetryMode `yaml:"modes"`
}

// TimeoutSchema is how long one attempt may take.
type TimeoutSchema struct {
	DefaultSeconds int `yaml:"defaultSeconds"`
	MaxSeconds     int `yaml:"maxSeconds"`
}

// HeaderSchema is one header that the provider adds to every request.
type HeaderSchema struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// IDPrefixSchema is text put before ids wherever a receiver sees them; an id that
// begins with it already stays as it is.
type IDPrefixSchema struct {
	Event    string `yaml:"event"`
	Webhook  string `yaml:"webhook"`
	Tenant   string `yaml:"tenant"`
	Delivery string `yaml:"delivery"`
}

// CustomData says which events may carry customData, how much, and what happens
// to more: OverLimit drop sends the event without it, refuse is a field fault.
type CustomData struct {
	Events         []string `yaml:"events"` // absent = every event
	MaxPairs       int      `yaml:"maxPairs"`
	MaxKeyLength   int      `yaml:"maxKeyLength"`
	MaxValueLength int      `yaml:"maxValueLength"`
	StringsOnly    bool     `yaml:"stringsOnly"`
	OverLimit      string   `yaml:"overLimit"`
}

// RuleSchema makes an exception for some events. When every condition holds, it
// suppresses the event (nothing is sent, and the record says why) or changes
// its source.
type RuleSchema struct {
	Events   []string       `yaml:"events"` // absent = every event
	When     WhenSchema     `yaml:"when"`
	Suppress string         `yaml:"suppress"` // the reason to record
	Source   webhook.Source `yaml:"source"`   // the source the event is given
}

// WhenSchema is the condition of a rule; what is absent is not looked at.
type WhenSchema struct {
	Bulk            *bool          `yaml:"bulk"`
	CampaignTrigger string         `yaml:"campaignTrigger"`
	Source          webhook.Source `yaml:"source"`
}

// Filter names one member of webhook.Filters.
type Filter string

// The three filters.
const (
	FilterCampaign Filter = "campaignId" // the event's campaignId equals it
	FilterList     Filter = "listId"     // the event's listIds contain it
	FilterSchema   Filter = "schemaId"   // the event's schemaId equals it
)

// GoneRule says what a 410 does to the webhook.
type GoneRule string

// The three rules.
const (
	GoneFailure GoneRule = "failure" // nothing: it is a failure like any other
	GonePause   GoneRule = "pause"   // status gone; a person may make it active again
	GoneFinal   GoneRule = "final"   // status gone for good; delete and create anew
)

// BrokenRule says when a webhook that keeps failing gets status broken: by
// number, by time, or by whichever of both comes first. Making it active again
// always heals it.
type BrokenRule struct {
	// AfterFailedAttempts in a row; 0 = never.
	AfterFailedAttempts int `yaml:"afterFailedAttempts"`
	// AfterFailingFor is a span with two failures or more and no success; 0 =
	// never.
	AfterFailingFor time.Duration `yaml:"afterFailingFor"`
	HealedBy        Cure          `yaml:"healedBy"` // absent when never broken
}

// Cure says what heals a broken webhook.
type Cure string

// The two cures.
const (
	HealedByEdit   Cure = "edit"   // any change of the webhook by a person
	HealedByResume Cure = "resume" // nothing but making it active again
)

// SecretMode says where a webhook's secret comes from.
type SecretMode string

// The four modes.
const (
	SecretGiven     SecretMode = "given"     // by the caller, if at all
	SecretGenerated SecretMode = "generated" // by us, always
	SecretEither    SecretMode = "either"    // by the caller, else by us
	SecretNone      SecretMode = "none"      // there is none
)

// SecretRule is what a webhook's secret must be and how one is made.
type SecretRule struct {
	Rule      SecretMode `yaml:"rule"`
	Required  bool       `yaml:"required"`  // rule given: creating a webhook needs one
	MinLength int        `yaml:"minLength"` // characters of a given secret, prefix included
	MaxLength int        `yaml:"maxLength"` // absent = 256
	Prefix    string     `yaml:"prefix"`    // before a generated secret
	Bytes     int        `yaml:"bytes"`     // random bytes of a generated secret; absent = 32
	Encoding  string     `yaml:"encoding"`  // of those: base64 (absent), base64url or hex
}
