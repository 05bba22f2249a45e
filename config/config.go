// Package config holds every setting of Posthaste in one struct. A field is a
// flag, a POSTHASTE_* variable, a default and a line of help at once: the
// commands read it, --help prints it and MarkdownTable writes the README's
// table from it, so that none of them can disagree.
package config

// Config is every setting there is. A command embeds the groups it needs;
// serve embeds them all.
type Config struct {
	Database
	Temporal
	HTTP
	Auth
	Sealing
	Delivery
	Limits
	Retention
	Worker
	Telemetry
}

// Database says where webhooks, deliveries and attempts are kept.
type Database struct {
	DatabaseURL Secret `name:"database-url" env:"POSTHASTE_DATABASE_URL" placeholder:"URL" group:"Database:" help:"Database: postgres://user:password@host/name or sqlite://path/to/file. Required by serve and migrate."`
}

// Temporal says where workflows run.
type Temporal struct {
	TemporalAddress   string `env:"POSTHASTE_TEMPORAL_ADDRESS" placeholder:"HOST:PORT" group:"Temporal:" help:"Temporal frontend. Required by serve and migrate up."`
	TemporalNamespace string `env:"POSTHASTE_TEMPORAL_NAMESPACE" default:"default" group:"Temporal:" help:"Temporal namespace; it must exist."`
	TemporalUIURL     string `name:"temporal-ui-url" env:"POSTHASTE_TEMPORAL_UI_URL" placeholder:"URL" group:"Temporal:" help:"Temporal Web UI as a browser reaches it; operators then find links to the workflows, and its pages may ask to have payloads opened."`
}

// HTTP says where the API listens.
type HTTP struct {
	HTTPAddr string `name:"http" env:"POSTHASTE_HTTP_ADDR" default:":8080" group:"HTTP:" help:"Address the API listens on; a worker serves its health checks there."`
}

// Auth says how callers prove who they are. At least one of the two is needed
// wherever the API runs.
type Auth struct {
	Signing
	JWKSURL string `name:"jwks-url" env:"POSTHASTE_JWKS_URL" placeholder:"URL" group:"Authentication:" help:"Key set of the platform that signs tokens with RS256, ES256 or EdDSA."`
}

// Signing says with what our own tokens are signed, and what all tokens must say.
type Signing struct {
	JWTSecret Secret `name:"jwt-secret" env:"POSTHASTE_JWT_SECRET" placeholder:"TEXT" group:"Authentication:" help:"Shared secret of HS256 tokens, at least 16 characters (32 or more advised)."`
	// The two claims hold for the tokens of a key set, too.
	JWTAudience string `name:"jwt-audience" env:"POSTHASTE_JWT_AUDIENCE" placeholder:"TEXT" group:"Authentication:" help:"Tokens must be meant for this audience (claim aud); those of posthaste token then are."`
	JWTIssuer   string `name:"jwt-issuer" env:"POSTHASTE_JWT_ISSUER" placeholder:"TEXT" group:"Authentication:" help:"Tokens must come from this issuer (claim iss); those of posthaste token then say so."`
}

// Sealing says with which keys secrets are sealed at rest.
type Sealing struct {
	EncryptionKeyset Secret `env:"POSTHASTE_ENCRYPTION_KEYSET" placeholder:"LINE" group:"Encryption:" help:"Keys that seal webhook secrets and headers at rest, and all payloads in Temporal: one line, made by posthaste keygen. Required by serve."`
}

// Delivery says what may be enqueued and where webhooks may point.
type Delivery struct {
	Provider          string   `env:"POSTHASTE_PROVIDER" default:"standard" group:"Delivery:" help:"Provider of webhooks and events that name none."`
	ProvidersDir      string   `env:"POSTHASTE_PROVIDERS_DIR" placeholder:"DIR" group:"Delivery:" help:"Folder with provider profiles of your own (*.yaml), beside the shipped ones."`
	AllowHTTP         bool     `name:"allow-http" env:"POSTHASTE_ALLOW_HTTP" group:"Delivery:" help:"Let webhooks use plain http, where their provider asks for https."`
	AllowNetworks     []string `env:"POSTHASTE_ALLOW_NETWORKS" sep:"," placeholder:"CIDR" group:"Delivery:" help:"Private networks that webhooks may point to all the same, such as 10.1.0.0/16; separated by commas."`
	DNSServer         string   `name:"dns-server" env:"POSTHASTE_DNS_SERVER" placeholder:"HOST:PORT" group:"Delivery:" help:"Ask this DNS server for the names in webhooks' URLs, instead of the system's."`
	BrokenAfter       string   `env:"POSTHASTE_BROKEN_AFTER" placeholder:"SPAN" group:"Delivery:" help:"Switch a webhook off after so long a span of nothing but failures, such as 48h, in place of the span of its provider's profile; off switches none off. Profiles without a span are not concerned."`
	EventsPerWorkflow int      `env:"POSTHASTE_EVENTS_PER_WORKFLOW" default:"1" group:"Delivery:" help:"Up to this many events (1 to 64) that arrive while a workflow start is under way share the next one. Events with an Idempotency-Key never share."`
	MaxEventBytes     int64    `env:"POSTHASTE_MAX_EVENT_BYTES" default:"262144" group:"Delivery:" help:"Largest request body of an event, in bytes (1024 to 1048576)."`
}

// Limits say what a tenant may have and do whom PUT /api/admin/tenants/{id} gave
// no limits of its own. 0 sets none, as posthaste dev does.
type Limits struct {
	LimitWebhooks        int `env:"POSTHASTE_LIMIT_WEBHOOKS" default:"50" group:"Limits:" help:"Webhooks that a tenant may have, unless it was given limits of its own; 0 sets no limit."`
	LimitEventsPerMinute int `env:"POSTHASTE_LIMIT_EVENTS_PER_MINUTE" default:"6000" group:"Limits:" help:"Events per minute that a tenant may enqueue at one process, unless it was given limits of its own; 0 sets no limit."`
}

// Retention says how long things are kept of a tenant whom PUT
// /api/admin/tenants/{id} gave no time of its own.
type Retention struct {
	RetentionDays int `env:"POSTHASTE_RETENTION_DAYS" default:"30" group:"Retention:" help:"Days (0 to 3650) that events, deliveries and attempts are kept of a tenant that was given no time of its own; 0 keeps them for ever."`
}

// Worker says how much a worker process does at once.
type Worker struct {
	DurableSlots int `env:"POSTHASTE_DURABLE_SLOTS" default:"10000" group:"Worker:" help:"Deliveries of the durable lane that one process holds at once; a waiting POST costs a goroutine and a socket."`
	FastSlots    int `env:"POSTHASTE_FAST_SLOTS" default:"1000" group:"Worker:" help:"Workflow tasks, and fast-lane deliveries, that one process runs at once; more than POSTHASTE_POLLERS, each of which keeps one."`
	Pollers      int `env:"POSTHASTE_POLLERS" default:"8" group:"Worker:" help:"Long polls that one process keeps open at Temporal per task queue and kind (2 to 100)."`
}

// Telemetry says where traces go and profiles are. Metrics and logs need no
// setting.
type Telemetry struct {
	OTLPEndpoint   string `name:"otlp-endpoint" env:"POSTHASTE_OTLP_ENDPOINT" placeholder:"URL" group:"Telemetry:" help:"Collector that takes traces as OTLP over HTTP, such as http://collector:4318; without it there are none."`
	TraceReceivers bool   `env:"POSTHASTE_TRACE_RECEIVERS" group:"Telemetry:" help:"Tell receivers of the trace, by the header traceparent."`
	DebugAddr      string `env:"POSTHASTE_DEBUG_ADDR" placeholder:"HOST:PORT" group:"Telemetry:" help:"Serve Go's profiles (/debug/pprof/) at this address, such as 127.0.0.1:6060. They show what is in memory, secrets too: let nobody else reach it. Without it there are none."`
}
