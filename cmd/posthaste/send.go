package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// maxData bounds what is read as an event's data: the largest event that any
// Posthaste takes.
const maxData = 1 << 20

type sendCommand struct {
	Type     string `arg:"" complete:"event" help:"The event's type, such as order.paid."`
	Data     string `placeholder:"JSON" help:"The event's data: JSON, @FILE, or - for what comes in. Without it, the sample of the provider's catalogue."`
	Provider string `placeholder:"NAME" complete:"provider" help:"The event's provider. Without it, the installation's."`
	Source   string `placeholder:"NAME" enum:",public,admin,api,system" default:"" help:"What caused the event: public, admin, api or system."`
	Key      string `placeholder:"TEXT" help:"Idempotency-Key: the same one again is the same event."`
	Follow   bool   `help:"Show every attempt until all deliveries have settled."`
	apiFlags
	output
}

// Help shows what it is good for and what the exit codes mean.
func (sendCommand) Help() string {
	return `With --follow the exit code tells what became of the event: 0 when everything was delivered, 3 when something was not, 130 when Ctrl-C ended the watching (the event goes on), 1 when Posthaste could not be asked. 2 is a mistake on the command line.

Examples:

  export POSTHASTE_TOKEN=$(posthaste token --tenant demo)
  posthaste send order.paid --follow
  posthaste send order.paid --data '{"orderId":1042}' --key order-1042-paid
  posthaste send call.ended --provider akol --data @call.json
  jq .order export.json | posthaste send order.paid --data - --json`
}

// sentEvent is what the API is given.
type sentEvent struct {
	Type       string          `json:"type"`
	Provider   string          `json:"provider,omitempty"`
	Source     string          `json:"source,omitempty"`
	Data       json.RawMessage `json:"data"`
	CustomData json.RawMessage `json:"customData,omitempty"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
}

// acceptedEvent is what the API answers.
type acceptedEvent struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Duplicate bool   `json:"duplicate"`
}

// Run enqueues the event, and follows it if asked to.
func (s sendCommand) Run(ctx context.Context, c console) error {
	api, err := s.caller()
	if err != nil {
		return err
	}
	event, err := s.event(ctx, api, c)
	if err != nil {
		return err
	}
	accepted, err := s.enqueue(ctx, api, event)
	if err != nil {
		return err
	}
	if s.Follow {
		return follow(ctx, api, accepted, s.JSON, c)
	}
	if s.JSON {
		return writeJSON(c.out, accepted)
	}
	return writeTable(c.out, []string{"EVENT", "TYPE", "STATUS"}, [][]string{{accepted.ID, s.Type, accepted.word()}})
}

// word says how the event was taken.
func (a acceptedEvent) word() string {
	if a.Duplicate {
		return "known already"
	}
	return a.Status
}

func (s sendCommand) enqueue(ctx context.Context, api *caller, event sentEvent) (acceptedEvent, error) {
	var accepted acceptedEvent
	_, err := api.ask(ctx, question{method: http.MethodPost, path: "/api/events", body: event, key: s.Key}, &accepted)
	var refused *refusal
	if errors.As(err, &refused) {
		err = failed(err, "the event was not taken: %v", refused)
	}
	return accepted, err
}

// event is what the flags say, or the catalogue's sample.
func (s sendCommand) event(ctx context.Context, api *caller, c console) (sentEvent, error) {
	if s.Data == "" {
		return s.sample(ctx, api)
	}
	text, err := s.read(c)
	if err != nil {
		return sentEvent{}, err
	}
	if !json.Valid(text) {
		return sentEvent{}, misused("--data is no JSON; a file is given as @FILE")
	}
	return sentEvent{Type: s.Type, Provider: s.Provider, Source: s.Source, Data: text}, nil
}

// read returns the text of --data.
func (s sendCommand) read(c console) (text []byte, err error) {
	input := io.Reader(strings.NewReader(s.Data))
	if name, isFile := strings.CutPrefix(s.Data, "@"); isFile {
		file, err := os.Open(name)
		if err != nil {
			return nil, misused("--data: %v", err)
		}
		defer func() { _ = file.Close() }() // it was read only
		input = file
	} else if s.Data == "-" {
		input = c.in
	}
	if text, err = io.ReadAll(io.LimitReader(input, maxData+1)); err != nil {
		return nil, failed(err, "--data cannot be read: %v", err)
	}
	if len(text) > maxData {
		return nil, misused("--data is larger than any event may be (%d bytes)", maxData)
	}
	return text, nil
}

// sample asks the catalogue for an event of the type that can be enqueued. Of
// several versions the first will do: an event is for all of them.
func (s sendCommand) sample(ctx context.Context, api *caller) (sentEvent, error) {
	var catalogue []struct {
		Type       string          `json:"type"`
		Sample     json.RawMessage `json:"sample"`
		Source     string          `json:"source"`
		CustomData json.RawMessage `json:"customData"`
		Attributes json.RawMessage `json:"attributes"`
	}
	query := url.Values{"detail": {"true"}}
	if s.Provider != "" {
		query.Set("provider", s.Provider)
	}
	if _, err := api.ask(ctx, question{method: http.MethodGet, path: "/api/webhooks/events?" + query.Encode()}, &catalogue); err != nil {
		var refused *refusal
		if errors.As(err, &refused) {
			err = failed(err, "there is no sample: %v", refused)
		}
		return sentEvent{}, err
	}
	for _, one := range catalogue {
		if one.Type != s.Type {
			continue
		}
		event := sentEvent{Type: s.Type, Provider: s.Provider, Source: s.Source, Data: one.Sample, CustomData: one.CustomData, Attributes: one.Attributes}
		if event.Source == "" {
			event.Source = one.Source
		}
		return event, nil
	}
	return sentEvent{}, misused("the catalogue has no sample of %s: give --data", s.Type)
}

// clock is the time of day, here.
func clock(at time.Time) string { return at.Local().Format(time.TimeOnly) }

// shortly is a span as a person says it.
func shortly(span time.Duration) string {
	switch {
	case span < time.Second:
		return fmt.Sprintf("%d ms", span.Milliseconds())
	case span < 2*time.Minute:
		return fmt.Sprintf("%d s", int(span.Round(time.Second).Seconds()))
	default:
		return strings.TrimSuffix(span.Round(time.Minute).String(), "0s")
	}
}
