package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Limits of the settings. Each is named in the setting's help.
const (
	minJWTSecret         = 16      // below this an HS256 secret is guessed in an afternoon
	maxEventsPerWorkflow = 64      // keeps a workflow's history far below Temporal's warning line
	minEventBytes        = 1024    // an envelope alone needs some hundred bytes
	maxEventBytes        = 1 << 20 // a payload in a Temporal history fails at 2 MB; a page of history holds several
	maxWebhooks          = 100_000 // each one is looked at for every event of its tenant
	maxEventsPerMinute   = 100_000_000
	maxRetentionDays     = 3650
	minPollers           = 2 // one poller cannot serve the sticky and the shared queue at once
	maxPollers           = 100
	maxSlots             = 1_000_000
	minBrokenAfter       = time.Second // below this two attempts that fail together are a span
)

// Problem is one setting that is missing or wrong, and what to do about it.
type Problem struct {
	Variable string // such as POSTHASTE_DATABASE_URL
	Text     string // a sentence without the variable; never holds a secret's value
}

// Error is every problem of a configuration at once.
type Error struct{ Problems []Problem }

// Error lists the problems, one per line.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	lines = append(lines, "the settings cannot be used:")
	for _, p := range e.Problems {
		lines = append(lines, "  "+p.Variable+" "+p.Text)
	}
	return strings.Join(lines, "\n")
}

// AsError returns an *Error with the problems, or nil when there are none.
func AsError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{Problems: problems}
}

// Needs says which settings a command cannot do without.
type Needs struct {
	Database bool
	Temporal bool
	Keyset   bool
	Tokens   bool // JWTSecret or JWKSURL
}

// Validate returns every problem of the settings at once, the missing ones
// first.
func (c Config) Validate(needs Needs) []Problem {
	var p problems
	if needs.Database {
		p.require(c.DatabaseURL.IsSet(), "POSTHASTE_DATABASE_URL", "is not set: give postgres://user:password@host/name, or sqlite://path for one machine")
	}
	if needs.Temporal {
		p.require(c.TemporalAddress != "", "POSTHASTE_TEMPORAL_ADDRESS", "is not set: give the Temporal frontend as host:port, such as 127.0.0.1:7233")
	}
	if needs.Keyset {
		p.require(c.EncryptionKeyset.IsSet(), "POSTHASTE_ENCRYPTION_KEYSET", "is not set: run `posthaste keygen` once and keep its line for all processes")
	}
	if needs.Tokens {
		p.require(c.JWTSecret.IsSet() || c.JWKSURL != "", "POSTHASTE_JWT_SECRET", "is not set, nor is POSTHASTE_JWKS_URL: give one, or nobody can call the API")
		p.require(!c.JWTSecret.IsSet() || len(c.JWTSecret) >= minJWTSecret, "POSTHASTE_JWT_SECRET", fmt.Sprintf("is too short: use at least %d characters, such as what `openssl rand -hex 32` prints", minJWTSecret))
	}
	p.database(c.DatabaseURL)
	p.address("POSTHASTE_TEMPORAL_ADDRESS", c.TemporalAddress)
	p.address("POSTHASTE_HTTP_ADDR", c.HTTPAddr)
	p.link("POSTHASTE_TEMPORAL_UI_URL", c.TemporalUIURL)
	p.link("POSTHASTE_JWKS_URL", c.JWKSURL)
	p.list = append(p.list, c.Delivery.Validate()...)
	p.list = append(p.list, c.Limits.Validate()...)
	p.list = append(p.list, c.Retention.Validate()...)
	p.list = append(p.list, c.Worker.Validate()...)
	p.list = append(p.list, c.Telemetry.Validate()...)
	return p.list
}

// Validate returns every problem of the delivery settings.
func (d Delivery) Validate() []Problem {
	var p problems
	p.require(d.Provider != "", "POSTHASTE_PROVIDER", "is empty: name a provider, such as standard")
	if _, err := d.Networks(); err != nil {
		p.require(false, "POSTHASTE_ALLOW_NETWORKS", err.Error())
	}
	p.address("POSTHASTE_DNS_SERVER", d.DNSServer)
	if _, _, err := d.BrokenSpan(); err != nil {
		p.require(false, "POSTHASTE_BROKEN_AFTER", err.Error())
	}
	p.within("POSTHASTE_EVENTS_PER_WORKFLOW", int64(d.EventsPerWorkflow), 1, maxEventsPerWorkflow)
	p.within("POSTHASTE_MAX_EVENT_BYTES", d.MaxEventBytes, minEventBytes, maxEventBytes)
	return p.list
}

// Validate returns every problem of the limits.
func (l Limits) Validate() []Problem {
	var p problems
	p.within("POSTHASTE_LIMIT_WEBHOOKS", int64(l.LimitWebhooks), 0, maxWebhooks)
	p.within("POSTHASTE_LIMIT_EVENTS_PER_MINUTE", int64(l.LimitEventsPerMinute), 0, maxEventsPerMinute)
	return p.list
}

// Validate returns every problem of the telemetry settings.
func (t Telemetry) Validate() []Problem {
	var p problems
	p.link("POSTHASTE_OTLP_ENDPOINT", t.OTLPEndpoint)
	p.address("POSTHASTE_DEBUG_ADDR", t.DebugAddr)
	p.require(!t.TraceReceivers || t.OTLPEndpoint != "", "POSTHASTE_TRACE_RECEIVERS", "needs POSTHASTE_OTLP_ENDPOINT: without it there is no trace to tell of")
	return p.list
}

// Validate returns every problem of the retention.
func (r Retention) Validate() []Problem {
	var p problems
	p.within("POSTHASTE_RETENTION_DAYS", int64(r.RetentionDays), 0, maxRetentionDays)
	return p.list
}

// Validate returns every problem of the worker sizes.
func (w Worker) Validate() []Problem {
	var p problems
	p.within("POSTHASTE_DURABLE_SLOTS", int64(w.DurableSlots), 1, maxSlots)
	p.within("POSTHASTE_FAST_SLOTS", int64(w.FastSlots), 1, maxSlots)
	p.within("POSTHASTE_POLLERS", int64(w.Pollers), minPollers, maxPollers)
	// Every open poll keeps a slot. With none beside, no workflow starts in the
	// process that accepted its event, and Temporal writes more for each.
	p.require(w.FastSlots < 1 || w.FastSlots > w.Pollers, "POSTHASTE_FAST_SLOTS", fmt.Sprintf("is %d, which leaves none beside those that POSTHASTE_POLLERS (%d) keeps: set it higher, or POSTHASTE_POLLERS lower", w.FastSlots, w.Pollers))
	return p.list
}

// Networks returns AllowNetworks parsed. A single address stands for itself.
func (d Delivery) Networks() ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(d.AllowNetworks))
	for _, text := range d.AllowNetworks {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if address, err := netip.ParseAddr(text); err == nil {
			networks = append(networks, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("holds %q, which is no network: write it like 10.1.0.0/16", text)
		}
		networks = append(networks, prefix.Masked())
	}
	return networks, nil
}

// spanOff is the BrokenAfter that switches no webhook off.
const spanOff = "off"

// BrokenSpan returns BrokenAfter parsed: the span that is in place of the
// profiles' own, 0 for never. It is not given when BrokenAfter is empty.
func (d Delivery) BrokenSpan() (span time.Duration, given bool, err error) {
	text := strings.TrimSpace(d.BrokenAfter)
	if text == "" {
		return 0, false, nil
	}
	if strings.EqualFold(text, spanOff) {
		return 0, true, nil
	}
	span, err = time.ParseDuration(text)
	if err != nil || span < minBrokenAfter {
		return 0, false, fmt.Errorf("is %q: write a span of %s or more, such as 48h, or off for never", d.BrokenAfter, minBrokenAfter)
	}
	return span, true, nil
}

// CheckNumber reports the problem of a variable whose text is not the number
// or the yes-or-no that its field holds; nil when it is.
func CheckNumber(variable, text string, kind reflect.Kind) *Problem {
	switch kind {
	case reflect.Int, reflect.Int64:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return &Problem{variable, fmt.Sprintf("is %q, which is no whole number", text)}
		}
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "1", "yes", "false", "0", "no":
		default:
			return &Problem{variable, fmt.Sprintf("is %q: write true or false", text)}
		}
	}
	return nil
}

type problems struct{ list []Problem }

func (p *problems) require(ok bool, variable, text string) {
	if !ok {
		p.list = append(p.list, Problem{variable, text})
	}
}

func (p *problems) within(variable string, value, low, high int64) {
	p.require(value >= low && value <= high, variable, fmt.Sprintf("is %d: give a number from %d to %d", value, low, high))
}

// database checks the URL's form without ever repeating it: it holds a password.
func (p *problems) database(secret Secret) {
	text := secret.Reveal()
	switch {
	case text == "":
	case strings.HasPrefix(text, "sqlite://"):
		p.require(len(text) > len("sqlite://"), "POSTHASTE_DATABASE_URL", "names no file: write sqlite://path/to/file")
	case strings.HasPrefix(text, "postgres://"), strings.HasPrefix(text, "postgresql://"):
		_, err := url.Parse(text)
		p.require(err == nil, "POSTHASTE_DATABASE_URL", "is no URL: write postgres://user:password@host/name and escape special characters of the password (%40 for @)")
	default:
		p.require(false, "POSTHASTE_DATABASE_URL", "has an unknown form: it starts with postgres:// or sqlite://")
	}
}

func (p *problems) address(variable, text string) {
	if text == "" {
		return
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	p.require(err == nil, variable, fmt.Sprintf("is %q: write host:port", text))
}

func (p *problems) link(variable, text string) {
	if text == "" {
		return
	}
	link, err := url.Parse(text)
	ok := err == nil && (link.Scheme == "http" || link.Scheme == "https") && link.Host != ""
	p.require(ok, variable, "is no URL: write it with http:// or https:// and a host")
}
