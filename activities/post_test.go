package activities_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/models"
)

// onPost does something when a POST is about to begin.
type onPost struct {
	activities.Meter
	do func()
}

func (o onPost) Posting(lane activities.Lane) func() {
	o.do()
	return o.Meter.Posting(lane)
}

// TestAWebhookDeletedBeforeTheClaim takes its delivery with it, which is no fault.
func TestAWebhookDeletedBeforeTheClaim(t *testing.T) {
	t.Parallel()
	for _, lane := range []activities.Lane{activities.LaneFast, activities.LaneDurable} {
		var b *bench
		var w models.Webhook
		b = newBench(t, answers(200), func(d *activities.Deps) {
			d.Meter = onPost{d.Meter, func() {
				require.NoError(t, b.store.DeleteWebhook(context.WithoutCancel(t.Context()), byTest, w.Tenant, w.ID))
			}}
		})
		w = b.webhook(`{"mode":"never","onCrash":"unknown"}`)
		got, err := b.deliver(b.one(), lane, false)
		require.NoError(t, err)
		require.Equal(t, models.StateCancelled, got.State)
		require.Zero(t, b.arrived.Load())
	}
}

// stumbling is a log that panics over the first attempt of an event.
type stumbling struct {
	slog.Handler
	event string
	met   *bool
}

func (stumbling) Enabled(context.Context, slog.Level) bool { return true }

func (s stumbling) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(attribute slog.Attr) bool {
		if attribute.Key == "event" && attribute.Value.String() == s.event && !*s.met {
			*s.met = true
			panic("what nobody has thought of")
		}
		return true
	})
	return s.Handler.Handle(ctx, r)
}

// TestAPanicIsTheTroubleOfOneDelivery: the process lives, the others of the call are
// on record, and the durable lane goes on with this one.
func TestAPanicIsTheTroubleOfOneDelivery(t *testing.T) {
	t.Parallel()
	log := stumbling{Handler: slog.DiscardHandler, met: new(bool)}
	b := newBench(t, answers(200))
	b.webhook(hourly)
	bad, good := b.one(), b.one()
	log.event = bad.EventID
	b.work(func(d *activities.Deps) { d.Logger = slog.New(log) })
	value, err := b.run(a.Deliver, activities.DeliverInput{
		Tenant: "acme", Lane: activities.LaneFast,
		Deliveries: []activities.DeliveryRef{{EventID: bad.EventID, DeliveryID: bad.DeliveryID}, {EventID: good.EventID, DeliveryID: good.DeliveryID}},
	})
	require.NoError(t, err)
	var result activities.DeliverResult
	require.NoError(t, value.Get(&result))
	require.True(t, *log.met)
	require.Equal(t, []activities.State{models.StatePending, models.StateDelivered},
		[]activities.State{result.Deliveries[0].State, result.Deliveries[1].State})
	got, err := b.deliver(bad, activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateDelivered, got.State)
	require.EqualValues(t, 3, b.arrived.Load(), "what the panic kept from the record is sent again")
}
