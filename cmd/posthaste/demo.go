package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"posthaste/config"
)

// The demo webhook: who it belongs to, and how a restart finds it again.
const (
	demoTenant   = "demo"
	demoName     = "demo receiver"
	demoProvider = "standard"
	demoTimeout  = 10 * time.Second
	// demoTokenLife lets a copied token work through a month of playing.
	demoTokenLife = 30 * 24 * time.Hour
)

// demo makes the demo webhook through the API, as a customer would.
type demo struct {
	api    string // base URL
	token  string
	target string // URL of the receiver
	secret config.Secret
}

type demoWebhook struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// ensure creates the webhook unless it is there from an earlier run; one that
// points to where the receiver was then is sent to where it is now.
func (d demo) ensure(ctx context.Context) error {
	present, err := d.find(ctx)
	if err != nil {
		return err
	}
	if present == nil {
		return d.call(ctx, http.MethodPost, "/api/webhooks", map[string]any{
			"provider": demoProvider, "name": demoName, "url": d.target,
			"events": []string{"*"}, "secret": d.secret.Reveal(),
		}, nil)
	}
	if present.URL == d.target {
		return nil
	}
	return d.call(ctx, http.MethodPatch, "/api/webhooks/"+present.ID, map[string]any{"url": d.target}, nil)
}

// find looks through all pages: someone may have made many webhooks since.
func (d demo) find(ctx context.Context) (*demoWebhook, error) {
	cursor := ""
	for {
		var page struct {
			Data       []demoWebhook `json:"data"`
			Pagination struct {
				NextCursor string `json:"nextCursor"`
			} `json:"pagination"`
		}
		if err := d.call(ctx, http.MethodGet, "/api/webhooks?limit=100&provider="+demoProvider+"&cursor="+cursor, nil, &page); err != nil {
			return nil, err
		}
		for _, webhook := range page.Data {
			if webhook.Name == demoName {
				return &webhook, nil
			}
		}
		if cursor = page.Pagination.NextCursor; cursor == "" {
			return nil, nil
		}
	}
}

// call makes one request to our own API.
func (d demo) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return fmt.Errorf("demo webhook: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, d.api+path, &content)
	if err != nil {
		return fmt.Errorf("demo webhook: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+d.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{}).Do(request)
	if err != nil {
		return fmt.Errorf("demo webhook: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or of no use
	if response.StatusCode >= http.StatusMultipleChoices {
		var refusal struct {
			Message string            `json:"message"`
			Errors  map[string]string `json:"errors"`
		}
		_ = json.NewDecoder(response.Body).Decode(&refusal) // the status says enough without it
		return fmt.Errorf("the demo webhook could not be made: %s answered %d: %s %v (--demo=false starts without it)",
			path, response.StatusCode, refusal.Message, refusal.Errors)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("demo webhook: read %s: %w", path, err)
	}
	return nil
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
