package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	// followPatience is how long the API may fail before we give up watching: a
	// restart of it takes less.
	followPatience = 30 * time.Second
	// followQuick and followSlow are how often we look: what is delivered at once
	// takes a fraction of a second, and a retry's wait is told in seconds.
	followQuick = 100 * time.Millisecond
	followSlow  = time.Second
	// followSoon is for how long after the last news we look quickly.
	followSoon = 3 * time.Second
	// followPage is how many deliveries one request asks for.
	followPage = "100"
)

// followedDelivery is a delivery as the API shows it.
type followedDelivery struct {
	ID            string     `json:"id"`
	WebhookID     string     `json:"webhookId"`
	WebhookName   string     `json:"webhookName"`
	Host          string     `json:"host"`
	State         string     `json:"state"`
	AttemptCount  int        `json:"attemptCount"`
	NextAttemptAt *time.Time `json:"nextAttemptAt"`
	Reason        string     `json:"reason"`
	SettledAt     *time.Time `json:"settledAt"`
	UpdatedAt     time.Time  `json:"updatedAt"`
	Attempts      []attempt  `json:"attempts"`

	shown int             // attempts that were told
	raw   json.RawMessage // all that the API says of it
}

// attempt is one POST of a delivery.
type attempt struct {
	Attempt     int       `json:"attempt"`
	StatusCode  *int      `json:"statusCode"`
	Reason      string    `json:"reason"`
	DeliveredAt time.Time `json:"deliveredAt"`
	DurationMS  int64     `json:"durationMs"`
}

// stateDelivered is the one state that send --follow was asked to see.
const stateDelivered = "delivered"

// follower watches what becomes of one event.
type follower struct {
	api        *caller
	id         string
	progress   progress
	known      bool // the event is on record
	order      []string
	deliveries map[string]*followedDelivery
	lastNews   time.Time
}

// progress is told what happens. All is what a person at a terminal looks at
// between two attempts.
type progress interface {
	attempt(d *followedDelivery, a attempt, isLast bool)
	settled(d *followedDelivery)
	trouble(err error)
	unwanted()
	all(known bool, deliveries []*followedDelivery)
	end()
}

// follow watches until everything has settled, and says how it went by its
// error; see sendCommand.Help.
func follow(ctx context.Context, api *caller, accepted acceptedEvent, asJSON bool, c console) error {
	f := &follower{api: api, id: accepted.ID, deliveries: map[string]*followedDelivery{}, lastNews: time.Now()}
	if asJSON {
		f.progress = silentProgress{}
	} else {
		f.progress = newFollowLines(c.out, accepted)
	}
	err := f.watch(ctx)
	f.progress.end()
	outcome := f.outcome(ctx, err)
	if asJSON {
		if err := writeJSON(c.out, f.report(accepted, outcome)); err != nil {
			return err
		}
	}
	return outcome
}

// watch returns when everything has settled, ctx has ended, or the API has failed
// for too long.
func (f *follower) watch(ctx context.Context) error {
	var failing time.Time // since when; zero = it is not
	for {
		done, err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			failing = time.Time{}
		case isFinal(err):
			return err
		case failing.IsZero():
			failing = time.Now()
			f.progress.trouble(err)
		case time.Since(failing) > followPatience:
			return err
		}
		if done && len(f.order) == 0 {
			f.progress.unwanted()
		}
		if done {
			return nil
		}
		f.progress.all(f.known, f.list())
		pause := followSlow
		if time.Since(f.lastNews) < followSoon {
			pause = followQuick
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isFinal reports whether asking again would be answered alike.
func isFinal(err error) bool {
	var refused *refusal
	if !errors.As(err, &refused) {
		return false
	}
	return refused.status < http.StatusInternalServerError && refused.status != http.StatusTooManyRequests
}

// look reads the event and tells what is new. It reports whether all deliveries
// have settled; they are on record together with the event.
func (f *follower) look(ctx context.Context) (done bool, err error) {
	done = true
	for cursor := ""; ; {
		var event struct {
			Deliveries []followedDelivery `json:"deliveries"`
		}
		query := url.Values{"limit": {followPage}, "cursor": {cursor}}
		next, err := f.api.ask(ctx, question{method: http.MethodGet, path: "/api/events/" + f.id + "?" + query.Encode()}, &event)
		var refused *refusal
		if errors.As(err, &refused) && refused.status == http.StatusNotFound {
			return false, nil // it is durable, but no worker has written it down yet
		}
		if err != nil {
			return false, err
		}
		f.known = true
		for _, seen := range event.Deliveries {
			settled, err := f.notice(ctx, seen)
			if err != nil {
				return false, err
			}
			done = done && settled
		}
		if cursor = next.NextCursor; cursor == "" {
			return done, nil
		}
	}
}

// notice tells what is new about a delivery, and reports whether it has settled.
func (f *follower) notice(ctx context.Context, seen followedDelivery) (settled bool, err error) {
	before := f.deliveries[seen.ID]
	if before == nil {
		before = &seen
		f.deliveries[seen.ID] = before
		f.order = append(f.order, seen.ID)
	} else if before.SettledAt != nil || before.State == seen.State && before.AttemptCount == seen.AttemptCount {
		before.NextAttemptAt = seen.NextAttemptAt
		return before.SettledAt != nil, nil
	}
	if seen.AttemptCount == 0 && seen.SettledAt == nil {
		seen.shown = before.shown
		*before = seen
		return false, nil
	}
	var raw json.RawMessage
	if _, err := f.api.ask(ctx, question{method: http.MethodGet, path: "/api/deliveries/" + seen.ID}, &raw); err != nil {
		return false, err
	}
	now := followedDelivery{shown: before.shown, raw: raw}
	if err := json.Unmarshal(raw, &now); err != nil {
		return false, failed(err, "the API's answer about delivery %s cannot be read", seen.ID)
	}
	*before = now
	f.tell(before)
	return now.SettledAt != nil, nil
}

// tell tells the attempts that were not told yet, and the end.
func (f *follower) tell(d *followedDelivery) {
	for i, one := range d.Attempts {
		if i >= d.shown {
			f.lastNews = time.Now()
			f.progress.attempt(d, one, i == len(d.Attempts)-1)
		}
	}
	d.shown = len(d.Attempts)
	if d.SettledAt != nil {
		f.lastNews = time.Now()
		f.progress.settled(d)
	}
}

func (f *follower) list() []*followedDelivery {
	list := make([]*followedDelivery, len(f.order))
	for i, id := range f.order {
		list[i] = f.deliveries[id]
	}
	return list
}

// name is how a person knows the webhook of a delivery.
func (d *followedDelivery) name() string {
	return printable([]byte(cmp.Or(d.WebhookName, d.WebhookID)+" ("+d.Host+")"), lineShown)
}
