package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// Ledger reads what the ledger says through the API, as a customer does.
type Ledger struct {
	Base   string // of the API, without a path
	Token  string // of the tenant
	Client *http.Client
}

// readers is how many events or webhooks are read at once.
const readers = 8

// Read returns all deliveries of these events, with the attempts that the
// histories of these webhooks hold. A webhook that is deleted has none; an event
// that is not on record has no deliveries.
func (l Ledger) Read(ctx context.Context, eventIDs, webhookIDs []string) ([]Delivery, error) {
	attempts, err := each(webhookIDs, func(id string) ([]Attempt, error) { return l.history(ctx, id) })
	if err != nil {
		return nil, err
	}
	all, err := each(eventIDs, func(id string) ([]Delivery, error) { return l.event(ctx, id) })
	byDelivery := map[string][]Attempt{}
	for _, a := range attempts {
		byDelivery[a.deliveryID] = append(byDelivery[a.deliveryID], a)
	}
	for i := range all {
		all[i].Attempts = byDelivery[all[i].ID]
		slices.SortFunc(all[i].Attempts, func(a, b Attempt) int { return a.Number - b.Number })
	}
	return all, err
}

// each reads for every id, some at a time, and returns all that was found, and the
// first error.
func each[T any](ids []string, read func(id string) ([]T, error)) ([]T, error) {
	var (
		mu     sync.Mutex
		group  sync.WaitGroup
		all    []T
		failed error
	)
	next := make(chan string)
	for range readers {
		group.Go(func() {
			for id := range next {
				found, err := read(id)
				mu.Lock()
				all, failed = append(all, found...), cmp.Or(failed, err)
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	group.Wait()
	return all, failed
}

// history returns a webhook's attempts.
func (l Ledger) history(ctx context.Context, webhookID string) ([]Attempt, error) {
	var all []Attempt
	err := l.pages(ctx, "/api/webhooks/"+webhookID+"/history", func(data json.RawMessage) error {
		var page []struct {
			DeliveryID string
			Attempt    int
			Success    bool
			StatusCode *int
		}
		if err := json.Unmarshal(data, &page); err != nil {
			return err
		}
		for _, a := range page {
			status := 0
			if a.StatusCode != nil {
				status = *a.StatusCode
			}
			all = append(all, Attempt{Number: a.Attempt, Success: a.Success, Status: status, deliveryID: a.DeliveryID})
		}
		return nil
	})
	return all, err
}

// event returns the deliveries of one event, without their attempts.
func (l Ledger) event(ctx context.Context, eventID string) ([]Delivery, error) {
	var all []Delivery
	err := l.pages(ctx, "/api/events/"+eventID, func(data json.RawMessage) error {
		var event struct {
			WorkflowID string
			Deliveries []struct{ ID, WebhookID, State string }
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return err
		}
		for _, d := range event.Deliveries {
			all = append(all, Delivery{ID: d.ID, EventID: eventID, WebhookID: d.WebhookID, State: d.State, WorkflowID: event.WorkflowID})
		}
		return nil
	})
	return all, err
}

// pages reads a list to its end. What does not exist is empty.
func (l Ledger) pages(ctx context.Context, path string, page func(json.RawMessage) error) error {
	for cursor := ""; ; {
		target := l.Base + path + "?limit=100&cursor=" + url.QueryEscape(cursor)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+l.Token)
		response, err := l.Client.Do(request)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		if response.StatusCode == http.StatusNotFound {
			return nil
		}
		var answer struct {
			Data       json.RawMessage
			Pagination struct{ NextCursor string }
		}
		if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %d %s (%w)", path, response.StatusCode, text, err)
		}
		if err := page(answer.Data); err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		if cursor = answer.Pagination.NextCursor; cursor == "" {
			return nil
		}
	}
}
