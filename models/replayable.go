package models

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// The bound of what a replay reads at a time. No index holds a delivery's state,
// because every attempt changes it: deliveries are walked in the order of their
// ids, which is that of their events, and those in other states passed over.
const findScan = 20_000 // rows that one FindReplayable looks at

// Replayable describes the deliveries that a replay takes. Tests are never among
// them.
type Replayable struct {
	Tenant    string
	WebhookID string
	Since     time.Time // of when the events were accepted; inclusive, to the millisecond
	Until     time.Time // exclusive
	States    []State
}

// walk is the deliveries of the webhook in the span, in the order of their ids,
// whatever their state: at most limit from the one after the id on.
func (r Replayable) walk(after string, limit int) (sql string, args []any) {
	nothing := make([]byte, 16)
	return `SELECT id, state, workflow_id, test FROM deliveries WHERE webhook_id = ? AND tenant = ? AND id >= ? AND id < ? AND id > ?
		ORDER BY id LIMIT ?`, []any{
			r.WebhookID, r.Tenant, timeOrdered(r.Since, nothing), timeOrdered(r.Until, nothing), after, limit,
		}
}

// CountReplayable counts what a replay would take, up to MaxDeliveryCount, among
// the first 100,000 deliveries of the span. More says that there may be others.
func (s *Store) CountReplayable(ctx context.Context, r Replayable) (count int, more bool, err error) {
	walk, args := r.walk("", countScan)
	// A test is walked by and in no state that counts.
	return s.countAlong(ctx, DeliveryFilter{Tenant: r.Tenant, WebhookID: r.WebhookID, States: r.States}, countScan,
		"SELECT CASE WHEN test THEN '' ELSE state END AS state FROM ("+walk+") AS walked", args...)
}

// Replayed is a stretch of the deliveries that a replay takes.
type Replayed struct {
	IDs  []string
	Last string // the delivery that the next stretch begins after
	End  bool   // there is no next one
}

// FindReplayable returns the next deliveries that a replay takes, at most limit,
// from the one after the id on ("" = from the first), with those that the
// workflow has reopened before: asked again after a crash, it finds the same. A
// stretch may be empty and still not the last.
func (s *Store) FindReplayable(ctx context.Context, r Replayable, after, workflowID string, limit int) (Replayed, error) {
	var found Replayed
	err := s.readAs(ctx, r.Tenant, func(tx *gorm.DB) error {
		walk, args := r.walk(after, findScan)
		condition, arg := s.db.dialect.in("state", wordsOf(r.States))
		found = Replayed{}
		err := query(tx, &found.IDs, "SELECT id FROM ("+walk+") AS w WHERE NOT test AND ("+condition+" OR workflow_id = ?) ORDER BY id LIMIT ?",
			append(args, arg, workflowID, limit)...)
		if err != nil {
			return err
		}
		if len(found.IDs) == limit {
			found.Last = found.IDs[limit-1]
			return nil
		}
		var edge []string
		err = query(tx, &edge, "SELECT id FROM ("+walk+fmt.Sprintf(") AS w ORDER BY id LIMIT 1 OFFSET %d", findScan-1), args...)
		if len(edge) > 0 {
			found.Last = edge[0]
		}
		found.End = len(edge) == 0
		return err
	})
	return found, err
}

// Reopened is what ReopenSome made of the deliveries.
type Reopened struct {
	Deliveries []Delivery // those that are the workflow's now, in the order of their ids
	Webhook    Webhook    // as it is now, without secrets and headers
}

// ReopenSome makes those of the deliveries pending again that are in one of the
// states, for the workflow named. Asked again by the same workflow, it returns
// the same deliveries as they are. Those that someone else has reopened stay as
// they are. While the webhook is not active, none is reopened. NotFound when the
// webhook is gone.
func (s *Store) ReopenSome(ctx context.Context, r Replayable, ids []string, workflowID string) (Reopened, error) {
	var done Reopened
	err := s.writeAs(ctx, r.Tenant, func(tx *gorm.DB) error {
		done = Reopened{}
		row, err := s.webhookRow(tx, r.Tenant, r.WebhookID, "")
		if err != nil {
			return err
		}
		row.Headers, row.Secret, row.PreviousSecret = nil, nil, nil // nobody needs them here
		if done.Webhook, err = s.webhookFromRow(&row); err != nil {
			return err
		}
		if !couldExist(append([]string{workflowID}, ids...)...) {
			return errs.New(errs.Internal, "These are no ids of deliveries and of a workflow")
		}
		condition, arg := s.db.dialect.in("d.id", ids)
		found, err := s.deliveries(tx, "WHERE "+s.db.dialect.unindexed("d.tenant")+" = ? AND "+s.db.dialect.unindexed("d.webhook_id")+" = ? AND "+condition+" ORDER BY d.id"+s.db.dialect.lock("d", false),
			r.Tenant, r.WebhookID, arg)
		if err != nil {
			return err
		}
		done.Deliveries, err = s.reopenFound(tx, found, r.States, workflowID, row.Status == StatusActive)
		return err
	})
	return done, err
}

func (s *Store) reopenFound(tx *gorm.DB, found []Delivery, states []State, workflowID string, active bool) ([]Delivery, error) {
	var ours []Delivery
	var reopened []string
	now, pending := s.now(), StatePending
	for _, d := range found {
		if d.WorkflowID != workflowID {
			to, err := Advance(d.State, StepReopen)
			if err != nil || !active || !slices.Contains(states, d.State) {
				continue
			}
			pending, reopened = to, append(reopened, d.ID)
			d.reopen(to, workflowID, now)
		}
		ours = append(ours, d)
	}
	if len(reopened) == 0 {
		return ours, nil
	}
	condition, arg := s.db.dialect.in("id", reopened)
	return ours, tx.Exec(reopenDeliveries+condition, string(pending), workflowID, moment(now), arg).Error
}

// ReplayPage is one part of a replay: the deliveries that one workflow drives.
type ReplayPage struct {
	Tenant      string
	ReplayID    string
	Number      int
	DeliveryIDs []string
	WorkflowID  string
}

// asBefore says of a delivery d that it is as it was before its last round.
const asBefore = "d.reopened_from <> '' AND d.settled_at IS NOT NULL"

// NoteReplay records how far a page has come, as its deliveries say. What is as it
// was before the replay counts as skipped where the webhook was no longer active,
// and as cancelled otherwise. Of a replay that went with its webhook nothing is
// recorded.
func (s *Store) NoteReplay(ctx context.Context, p ReplayPage) error {
	condition, arg := s.db.dialect.in("d.id", p.DeliveryIDs)
	return s.writeAs(ctx, p.Tenant, func(tx *gorm.DB) error {
		return tx.Exec(`INSERT INTO replay_pages (replay_id, tenant, page, found, reopened, delivered, failed, skipped, cancelled)
			SELECT r.id, r.tenant, CAST(? AS integer), CAST(? AS integer), COUNT(d.id),
				COUNT(*) FILTER (WHERE d.state = 'delivered' AND d.reopened_from = ''),
				COUNT(*) FILTER (WHERE d.state IN ('failed', 'unknown') AND d.reopened_from = ''),
				COUNT(*) FILTER (WHERE d.state = 'skipped' AND d.reopened_from = '' OR `+asBefore+` AND d.reason = '`+ReasonResendSkipped+`'),
				COUNT(*) FILTER (WHERE d.state = 'cancelled' AND d.reopened_from = '' OR `+asBefore+` AND d.reason <> '`+ReasonResendSkipped+`')
			FROM replays r LEFT JOIN deliveries d ON `+s.db.dialect.unindexed("d.tenant")+` = r.tenant AND d.workflow_id = ? AND `+condition+`
			WHERE r.tenant = ? AND r.id = ? GROUP BY r.id, r.tenant
			ON CONFLICT (replay_id, page) DO UPDATE SET found = excluded.found, reopened = excluded.reopened,
				delivered = excluded.delivered, failed = excluded.failed, skipped = excluded.skipped, cancelled = excluded.cancelled`,
			p.Number, len(p.DeliveryIDs), p.WorkflowID, arg, p.Tenant, p.ReplayID).Error
	})
}
