package activities

import (
	"math"
	"time"

	"posthaste/models"
)

// turnStep is how exactly a turn in the durable lane is told. What comes sooner is
// asked for at once; deliveries of one run whose turns fall into one step share a
// timer, and so a write of Temporal's. Each run has steps of its own: with the same
// for all, what comes in a second would go in a second, every few seconds, and be
// felt by everybody on the same Temporal.
const turnStep = 5 * time.Second

// turns tells new deliveries how long to stay away before they ask for a place in
// their lane. Where it is clear that a webhook cannot take them yet, the workflow
// waits: an activity that asks only to be sent away costs the Temporal server two
// writes, and a backlog of a hundred thousand events for a webhook that takes one a
// second would be a hundred thousand such activities at once.
type turns struct {
	*Activities
	phase  time.Duration            // of the run's steps
	limits map[string]int           // MaxPerSecond of the webhooks that were matched
	late   map[string]time.Duration // what those wait who met a full line
	fast   []newFast                // new deliveries of the fast lane
}

// newFast is a new delivery of the fast lane, and its webhook.
type newFast struct {
	*Planned
	webhookID string
}

func (a *Activities) newTurns() *turns {
	phase := time.Duration(a.spread() * float64(turnStep)).Truncate(time.Second)
	return &turns{Activities: a, phase: phase, limits: map[string]int{}, late: map[string]time.Duration{}}
}

// note remembers what Match saw of a webhook.
func (t *turns) note(w *models.Webhook) {
	if w.MaxPerSecond > 0 {
		t.limits[w.ID] = w.MaxPerSecond
	}
}

// give tells each delivery that is new its turn in the durable lane, and notes those
// of the fast one.
func (t *turns) give(deliveries []models.Delivery, plan []Planned) {
	for i := range plan {
		d := &deliveries[i]
		if d.State != models.StatePending || d.Attempts > 0 || d.Test {
			continue
		}
		if plan[i].Lane == LaneDurable {
			plan[i].StartInSeconds = wholeSeconds(t.turn(d.Tenant, d.WebhookID))
		} else {
			t.fast = append(t.fast, newFast{&plan[i], d.WebhookID})
		}
	}
}

// wholeSeconds is the unit of a wait in a workflow, rounded up.
func wholeSeconds(wait time.Duration) int { return int(math.Ceil(wait.Seconds())) }

// roundUp returns the first of the run's steps that is not before a wait.
func (t *turns) roundUp(wait time.Duration) time.Duration {
	return t.phase + (wait - t.phase + turnStep - 1).Truncate(turnStep)
}

// roundDown returns the last of the run's steps that is not behind a wait, or
// nothing if even the first is.
func (t *turns) roundDown(wait time.Duration) time.Duration {
	if wait < t.phase {
		return 0
	}
	return t.phase + (wait - t.phase).Truncate(turnStep)
}

// turn returns the wait of one delivery of the durable lane, in whole steps.
// Under a rate limit it is cut short, since a delivery that comes early is told
// its exact time by the ledger; before a webhook that hangs it is rounded up.
func (t *turns) turn(tenant, webhookID string) time.Duration {
	wait := t.breakers.wait(webhookID)
	if t.fitness.crowded(tenant, webhookID) {
		wait = max(wait, turnStep)
	}
	if wait > 0 {
		return t.roundUp(t.silentPlace(tenant, webhookID, wait))
	}
	if t.durable.full(webhookID) || t.durableTenants.full(tenant) {
		return t.roundUp(t.places.next(webhookID, 0))
	}
	limit := t.limits[webhookID]
	if limit == 0 {
		return 0
	}
	wait, ok := t.places.paced(webhookID, limit)
	if !ok {
		wait = t.lateTurn(webhookID)
	}
	return t.roundDown(wait)
}

// lateTurn is the same for all deliveries of a run that meet a full line.
func (t *turns) lateTurn(webhookID string) time.Duration {
	if t.late[webhookID] == 0 {
		t.late[webhookID] = t.places.somewhere()
	}
	return t.late[webhookID]
}
