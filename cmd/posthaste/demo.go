package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"posthaste/config"
	"posthaste/webhook"
)

// The demo webhook: who it belongs to, and how a restart finds it again.
const (
	demoTenant   = "demo"
	demoName     = "demo receiver"
	demoProvider = "standard"
	// demoTokenLife lets a copied token work through a month of playing.
	demoTokenLife = 30 * 24 * time.Hour
)

// demo makes the demo webhook through the API, as a customer would.
type demo struct {
	api    string // base URL
	token  string
	target string // URL of the receiver
	secret config.Secret
	// stored reads the secret that a webhook signs with, which the API does not
	// show again.
	stored func(ctx context.Context, id string) (config.Secret, error)
}

type demoWebhook struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	URL    string         `json:"url"`
	Status webhook.Status `json:"status"`
}

// ensure creates the webhook unless it is there from an earlier run. One that
// could not reach the receiver any more is repaired, because the line to paste
// promises that it does; what was repaired is returned for a person to read.
func (d demo) ensure(ctx context.Context) (repairs []string, err error) {
	present, err := d.find(ctx)
	if err != nil {
		return nil, err
	}
	if present == nil {
		_, err := d.call(ctx, http.MethodPost, "/api/webhooks", map[string]any{
			"provider": demoProvider, "name": demoName, "url": d.target,
			"events": []string{"*"}, "secret": d.secret.Reveal(),
		}, nil)
		return nil, err
	}
	path := "/api/webhooks/" + present.ID
	changes := map[string]any{}
	if present.URL != d.target { // other ports than last time; nothing to tell
		changes["url"] = d.target
	}
	if present.Status != webhook.StatusActive {
		changes["isActive"] = true
		repairs = append(repairs, fmt.Sprintf("was %s and is active again", present.Status))
	}
	if len(changes) > 0 {
		if _, err := d.call(ctx, http.MethodPatch, path, changes, nil); err != nil {
			return nil, err
		}
	}
	stored, err := d.stored(ctx, present.ID)
	if err != nil {
		return nil, fmt.Errorf("read the demo webhook's secret: %w", err)
	}
	if stored != d.secret {
		repairs = append(repairs, "signed with another secret than the receiver knows and was given the receiver's")
		_, err = d.call(ctx, http.MethodPost, path+"/rotate-secret", map[string]any{"secret": d.secret.Reveal()}, nil)
	}
	return repairs, err
}

// find looks through all pages: someone may have made many webhooks since.
func (d demo) find(ctx context.Context) (*demoWebhook, error) {
	cursor := ""
	for {
		var candidates []demoWebhook
		next, err := d.call(ctx, http.MethodGet, "/api/webhooks?limit=100&provider="+demoProvider+"&cursor="+cursor, nil, &candidates)
		if err != nil {
			return nil, err
		}
		for _, candidate := range candidates {
			if candidate.Name == demoName {
				return &candidate, nil
			}
		}
		if cursor = next.NextCursor; cursor == "" {
			return nil, nil
		}
	}
}

// call makes one request to our own API.
func (d demo) call(ctx context.Context, method, path string, body, into any) (page, error) {
	api := &caller{base: d.api, credential: [2]string{"Authorization", "Bearer " + d.token}}
	next, err := api.ask(ctx, question{method: method, path: path, body: body}, into)
	var refused *refusal
	if errors.As(err, &refused) {
		err = failed(err, "the demo webhook cannot be set up: %s %s answered %v (--demo=false starts without it)", method, path, refused)
	}
	return next, err
}

// curl is a line that enqueues an event when pasted into a shell. Provider is
// what the API assumes when a request names none.
func (d demo) curl(provider string) string {
	body := `{"type":"order.paid","data":{"orderId":1042,"total":"19.90","currency":"EUR"}}`
	if provider != demoProvider {
		body = strings.Replace(body, "{", `{"provider":"`+demoProvider+`",`, 1)
	}
	return fmt.Sprintf("curl -sS %s/api/events -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '%s'", d.api, d.token, body)
}
