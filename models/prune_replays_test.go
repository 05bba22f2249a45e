package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// replayed puts a replay on record that was asked for at a moment, with one page,
// and ends it at another; at the zero time it runs on.
func (p past) replayed(hook models.Webhook, at, end time.Time) models.Replay {
	p.t.Helper()
	p.at.set(at)
	r := p.replay(hook, func(r *models.Replay) {
		r.ID, r.CreatedAt, r.Since, r.Until = models.NewID(at), at, at.Add(-time.Hour), at
	})
	require.NoError(p.t, p.store.NoteReplay(p.t.Context(), models.ReplayPage{
		Tenant: r.Tenant, ReplayID: r.ID, Number: 1, DeliveryIDs: []string{models.NewID(at)}, WorkflowID: "replay/1",
	}))
	if !end.IsZero() {
		p.at.set(end)
		require.NoError(p.t, p.store.EndReplay(p.t.Context(), r.Tenant, r.ID, models.ReplayCompleted, ""))
	}
	return r
}

// kept lists which of the replays are still there.
func (p past) kept(replays map[string]models.Replay) (names []string) {
	p.t.Helper()
	for name, r := range replays {
		_, err := p.store.Replay(p.t.Context(), r.Tenant, r.ID)
		if err == nil {
			names = append(names, name)
			continue
		}
		requireCode(p.t, errs.NotFound, err)
	}
	return names
}

// A replay is forgotten as many days after its end as its tenant keeps things.
func TestReplaysAreForgotten(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		days := func(n int) *int { return &n }
		for tenant, own := range map[string]*int{"short": days(1), "ever": days(0)} {
			require.NoError(t, p.store.PutTenant(t.Context(), &models.Tenant{ID: tenant, Status: models.TenantActive, RetentionDays: own}))
		}
		acme := p.webhook("acme")
		replays := map[string]models.Replay{
			"acme":         p.replayed(acme, date(5, 1, 10), date(5, 1, 11)),
			"acme, long":   p.replayed(acme, date(5, 1, 12), date(5, 2, 0)),
			"acme, runs":   p.replayed(acme, date(5, 1, 13), time.Time{}),
			"short":        p.replayed(p.webhook("short"), date(5, 1, 10), date(5, 1, 11)),
			"ever":         p.replayed(p.webhook("ever"), date(5, 1, 10), date(5, 1, 11)),
			"acme, lately": p.replayed(acme, date(5, 4, 10), date(5, 4, 11)),
		}
		for _, step := range []struct {
			at   time.Time
			gone int64
			kept []string
		}{
			{date(5, 3, 0).Add(-time.Microsecond), 0, []string{"acme", "acme, long", "acme, runs", "short", "ever", "acme, lately"}},
			{date(5, 3, 0), 1, []string{"acme", "acme, long", "acme, runs", "ever", "acme, lately"}},
			{date(5, 5, 0), 1, []string{"acme, long", "acme, runs", "ever", "acme, lately"}},
			{date(5, 5, 0), 0, []string{"acme, long", "acme, runs", "ever", "acme, lately"}},
			{date(5, 20, 0), 2, []string{"acme, runs", "ever"}},
		} {
			require.Equal(t, step.gone, p.prune(step.at).Replays, "%s", step.at)
			require.ElementsMatch(t, step.kept, p.kept(replays), "%s", step.at)
			require.Equal(t, len(step.kept), p.count("SELECT COUNT(*) FROM replay_pages"), "pages go with their replay")
		}
		require.EqualValues(t, 4, p.store.PruneStats().Replays)
	})
}
