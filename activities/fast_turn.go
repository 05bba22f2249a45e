package activities

import (
	"slices"
	"time"

	"posthaste/models"
)

// worthOfADelivery is how long a call may wait for the fast lane for each delivery
// that it makes. In a longer line the durable lane is the better one: there each
// delivery costs three writes, where a turn costs three for the whole call.
const worthOfADelivery = 20 * time.Second

// giveFast tells the calls of the fast lane their turns, while their tenant has all
// its calls there in use. For whom the line is too long has one in the durable lane.
func (t *turns) giveFast(tenant string) {
	for call := range slices.Chunk(t.fast, CallSize(len(t.fast))) {
		if !t.fastCalls.full(tenant) {
			return
		}
		seconds := t.fastTurn(tenant, len(call))
		for _, planned := range call {
			if planned.StartInSeconds = seconds; seconds == 0 {
				planned.Lane = LaneDurable
				planned.StartInSeconds = wholeSeconds(t.turn(tenant, planned.webhookID))
			}
		}
	}
}

// fastTurn is in how many seconds a call of so many deliveries has its turn in the
// fast lane; 0 where the line of its tenant is too long for that.
func (a *Activities) fastTurn(tenant string, deliveries int) int {
	return wholeSeconds(a.fastLines.within(tenant, time.Duration(deliveries)*worthOfADelivery))
}

// leaveAll leaves all deliveries of a call as they are: to the durable lane, or to
// another turn if room is all they lack.
func (a *Activities) leaveAll(in DeliverInput, why Deferral) DeliverResult {
	standings := make([]standing, len(in.Deliveries))
	for i, ref := range in.Deliveries {
		a.meter.Deferred(LaneFast, why)
		standings[i] = standing{again: why == DeferredTenant, Attempted: Attempted{DeliveryID: ref.DeliveryID, State: models.StatePending}}
	}
	return a.withTurns(in.Tenant, standings)
}

// withTurns tells where the deliveries of a call stand. Those that are to have
// another turn share a place in their tenant's line.
func (a *Activities) withTurns(tenant string, standings []standing) DeliverResult {
	result := DeliverResult{Deliveries: make([]Attempted, len(standings))}
	var again []*Attempted
	for i, s := range standings {
		result.Deliveries[i] = s.Attempted
		if s.again {
			again = append(again, &result.Deliveries[i])
		}
	}
	if len(again) == 0 {
		return result
	}
	seconds := a.fastTurn(tenant, len(again))
	for _, attempted := range again {
		attempted.StartInSeconds = seconds
	}
	return result
}
