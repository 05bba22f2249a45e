// Package activities holds the effects of a delivery, one per activity: the
// ledger is written, a request is sent, an outcome is recorded. Each can be run
// again after a crash at any point. A receiver's failure is an outcome and goes
// into the ledger; an error returned from here means that we failed, and
// Temporal tries again.
package activities

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/temporal"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
)

// Deps are the parts that activities work on. All are required but the tracer.
type Deps struct {
	Store     *models.Store
	Providers *provider.Registry
	Sender    *send.Sender
	Meter     Meter
	UserAgent string // sent with every POST: Posthaste/<version>
	// FastSlots is how many calls the fast lane of this process has under way at
	// most, each of one delivery or some; one tenant may hold a quarter of them.
	FastSlots int
	// DurableSlots is how many POSTs the durable lane of this process has in
	// flight at most; one webhook may hold a tenth of them.
	DurableSlots int
	Now          func() time.Time
	Logger       *slog.Logger
	// Tracer makes a span of each POST; optional. With TraceReceivers as well the
	// receiver is told of it by the header traceparent.
	Tracer         trace.Tracer
	TraceReceivers bool
}

// Activities are the activities of the worker. Its exported methods are
// registered by reflection, each under its own name.
type Activities struct {
	store     *models.Store
	providers *provider.Registry
	sender    *send.Sender
	meter     Meter
	userAgent string
	now       func() time.Time
	spread    func() float64 // in [0,1): the place of a wait within its jitter
	logger    *slog.Logger
	fast      *slots // by webhook
	durable   *slots
	// The same places, by tenant.
	fastTenants, durableTenants *slots
	fastCalls                   *slots  // calls of the fast lane, by tenant
	places                      *places // by webhook
	fastLines                   *places // of calls that wait for the fast lane, by tenant
	silentTenants               *places // by tenant, of webhooks that do not answer
	breakers                    *breakers
	fitness                     *fitness
	underway                    *underway
	faults                      *faults
	tracer                      trace.Tracer // nil: no traces
	propagate                   bool
}

// New returns the activities on these parts, or an error that names the missing
// one.
func New(deps Deps) (*Activities, error) {
	for name, missing := range map[string]bool{
		"Store": deps.Store == nil, "Providers": deps.Providers == nil, "Sender": deps.Sender == nil, "Meter": deps.Meter == nil,
		"UserAgent": deps.UserAgent == "", "FastSlots": deps.FastSlots < 1, "DurableSlots": deps.DurableSlots < 1, "Now": deps.Now == nil, "Logger": deps.Logger == nil,
	} {
		if missing {
			return nil, errs.New(errs.Internal, "activities: %s is missing", name)
		}
	}
	share := max(1, deps.DurableSlots/durableShare)
	breakers := newBreakers(deps.Now)
	breakers.meter = deps.Meter
	return &Activities{
		store: deps.Store, providers: deps.Providers, sender: deps.Sender, meter: deps.Meter,
		userAgent: deps.UserAgent, now: deps.Now, spread: rand.Float64, logger: deps.Logger,
		fast: newSlots(fastPerWebhook, fastPatience), durable: newSlots(share, 0),
		fastTenants:    newSlots(max(1, deps.FastSlots/fastTenantShare), fastPatience),
		fastCalls:      newSlots(max(1, deps.FastSlots/fastTenantShare), 0),
		durableTenants: newSlots(max(1, deps.DurableSlots/durableTenantShare), 0),
		places:         newPlaces(deps.Now, rand.Float64, asksPerSecond), fastLines: newFastLines(deps.Now, rand.Float64),
		silentTenants: newPlaces(deps.Now, rand.Float64, asksPerSecond), breakers: breakers,
		fitness: newFitness(deps.Now), underway: newUnderway(), faults: newFaults(deps.Now, rand.Float64),
		tracer: deps.Tracer, propagate: deps.TraceReceivers,
	}, nil
}

// temporalError turns an error of ours into what Temporal should do with it:
// what can never succeed fails at once, the rest is tried again.
func temporalError(err error) error {
	if err == nil {
		return nil
	}
	var coded *errs.Error
	if errors.As(err, &coded) && (coded.Code == errs.NotFound || coded.Code == errs.Invalid) {
		return temporal.NewNonRetryableApplicationError(coded.Message, string(coded.Code), err)
	}
	return err
}
