package models

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// What a replay sends again, by Replay.Status.
const (
	ReplayFailed      = "failed"
	ReplaySkipped     = "skipped"
	ReplayUnknown     = "unknown"
	ReplayCancelled   = "cancelled"
	ReplayUndelivered = "undelivered" // the four above
	ReplayAll         = "all"         // and what was delivered
)

// ReplayStatuses lists what can be asked for.
func ReplayStatuses() []string {
	return []string{ReplayFailed, ReplaySkipped, ReplayUnknown, ReplayCancelled, ReplayUndelivered, ReplayAll}
}

// ReplayStates returns the states of the deliveries that a replay of the status
// takes. What a provider's rule suppressed is never among them.
func ReplayStates(status string) []State {
	undelivered := []State{StateFailed, StateSkipped, StateUnknown, StateCancelled}
	switch status {
	case ReplayUndelivered:
		return undelivered
	case ReplayAll:
		return append(undelivered, StateDelivered)
	}
	if i := slices.Index(undelivered, State(status)); i >= 0 {
		return undelivered[i : i+1]
	}
	return nil
}

// The states of a replay itself.
const (
	ReplayRunning   = "running"
	ReplayCompleted = "completed" // every delivery that it took has settled
	ReplayStopped   = "stopped"   // the webhook is no longer active; see Reason
	ReplayEnded     = "cancelled" // by a person
)

// ReplayRunStates lists the states of a replay.
func ReplayRunStates() []string {
	return []string{ReplayRunning, ReplayCompleted, ReplayStopped, ReplayEnded}
}

// Replay is a request to send settled deliveries of a webhook again.
type Replay struct {
	ID        string
	Tenant    string
	WebhookID string
	RunID     string    // of the workflow that does it
	BodyHash  string    // of the request, where it had an Idempotency-Key; else empty
	Since     time.Time // of when the events were accepted; inclusive, to the millisecond
	Until     time.Time // exclusive
	Status    string    // one of ReplayStatuses
	PerSecond int
	Count     int  // deliveries that there were when it began
	More      bool // or more than that

	State     string // one of ReplayRunStates
	Reason    string // why it ended early; empty for most
	Progress  ReplayProgress
	CreatedAt time.Time
	EndedAt   *time.Time
}

// ReplayProgress counts deliveries. Those that are reopened and none of the last
// four are under way.
type ReplayProgress struct {
	Found, Reopened, Delivered, Failed, Skipped, Cancelled int // Failed counts unknown ones too
}

// replayRow is a replay as it lies in the table replays, with the sums of its
// pages.
type replayRow struct {
	ID, Tenant, WebhookID, RunID, BodyHash string
	Since, Until                           moment
	Status                                 string
	PerSecond, Count                       int
	More                                   bool
	State, Reason                          string
	CreatedAt                              moment
	EndedAt                                *moment

	Found, Reopened, Delivered, Failed, Skipped, Cancelled int
}

func replayFromRow(row *replayRow) Replay {
	return Replay{
		ID: row.ID, Tenant: row.Tenant, WebhookID: row.WebhookID, RunID: row.RunID, BodyHash: row.BodyHash,
		Since: time.Time(row.Since), Until: time.Time(row.Until), Status: row.Status, PerSecond: row.PerSecond,
		Count: row.Count, More: row.More, State: row.State, Reason: row.Reason,
		Progress: ReplayProgress{
			Found: row.Found, Reopened: row.Reopened, Delivered: row.Delivered, Failed: row.Failed,
			Skipped: row.Skipped, Cancelled: row.Cancelled,
		},
		CreatedAt: time.Time(row.CreatedAt), EndedAt: timePtr(row.EndedAt),
	}
}

const fromReplays = `SELECT r.id, r.tenant, r.webhook_id, r.run_id, r.body_hash, r.since, r.until, r.status, r.per_second,
	r.count, r.more, r.state, r.reason, r.created_at, r.ended_at,
	COALESCE(p.found, 0) AS found, COALESCE(p.reopened, 0) AS reopened, COALESCE(p.delivered, 0) AS delivered,
	COALESCE(p.failed, 0) AS failed, COALESCE(p.skipped, 0) AS skipped, COALESCE(p.cancelled, 0) AS cancelled
	FROM replays r LEFT JOIN (SELECT replay_id, SUM(found) AS found, SUM(reopened) AS reopened, SUM(delivered) AS delivered,
		SUM(failed) AS failed, SUM(skipped) AS skipped, SUM(cancelled) AS cancelled FROM replay_pages
		WHERE replay_id IN (SELECT id FROM replays WHERE tenant = ? AND `

// replaysWhere reads replays of a tenant; the condition names columns of the
// table without a prefix.
func replaysWhere(tx *gorm.DB, tenant, condition string, args ...any) ([]Replay, error) {
	sql := fromReplays + condition + `) GROUP BY replay_id) p ON p.replay_id = r.id
		WHERE r.id IN (SELECT id FROM replays WHERE tenant = ? AND ` + condition + `) ORDER BY r.created_at DESC, r.id DESC`
	all := append([]any{tenant}, args...)
	var rows []replayRow
	if err := query(tx, &rows, sql, append(all, all...)...); err != nil {
		return nil, err
	}
	list := make([]Replay, len(rows))
	for i := range rows {
		list[i] = replayFromRow(&rows[i])
	}
	return list, nil
}

// Replay returns one replay, as far as it has come.
func (s *Store) Replay(ctx context.Context, tenant, id string) (Replay, error) {
	if !couldExist(tenant, id) {
		return Replay{}, noReplay()
	}
	var list []Replay
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) (err error) {
		list, err = replaysWhere(tx, tenant, "id = ?", id)
		return err
	})
	if err != nil {
		return Replay{}, err
	}
	if len(list) == 0 {
		return Replay{}, noReplay()
	}
	return list[0], nil
}

// ReplayFilter names the webhook whose replays are wanted. Tenant and WebhookID
// are required.
type ReplayFilter struct {
	Tenant    string
	WebhookID string
	Limit     int
	Cursor    string
}

// Replays lists the replays of a webhook, newest first. NotFound when the tenant
// has no such webhook.
func (s *Store) Replays(ctx context.Context, f ReplayFilter) (Page[Replay], error) {
	after, err := decodeCursor(listReplays, f.Cursor)
	if err != nil {
		return Page[Replay]{}, err
	}
	limit := pageLimit(f.Limit)
	condition, args := "webhook_id = ?", []any{f.WebhookID}
	if after != nil {
		condition, args = condition+" AND (created_at, id) < (?, ?)", append(args, moment(after.at), after.id)
	}
	condition, args = condition+" ORDER BY created_at DESC, id DESC LIMIT ?", append(args, limit+1)
	var list []Replay
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		err := s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook())
		if err == nil {
			list, err = replaysWhere(tx, f.Tenant, condition, args...)
		}
		return err
	})
	if err != nil {
		return Page[Replay]{}, err
	}
	return pageOf(listReplays, list, limit, func(r Replay) position { return position{at: r.CreatedAt, id: r.ID} }), nil
}

// BeginReplay writes a replay that a workflow has begun, and that by asked for
// it into the audit log, once: a replay that is on record is left as it is.
// NotFound when its webhook is gone.
func (s *Store) BeginReplay(ctx context.Context, by Actor, r Replay) error {
	now := s.now()
	if r.CreatedAt.IsZero() {
		r.CreatedAt = now
	}
	return s.writeAs(ctx, r.Tenant, func(tx *gorm.DB) error {
		if err := s.mustHave(tx, "webhooks", r.Tenant, r.WebhookID, noWebhook()); err != nil {
			return err
		}
		done := tx.Exec(`INSERT INTO replays (id, tenant, webhook_id, run_id, body_hash, since, until, status, per_second,
			count, more, state, reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?) ON CONFLICT (id) DO NOTHING`,
			r.ID, r.Tenant, r.WebhookID, r.RunID, r.BodyHash, moment(r.Since), moment(r.Until), r.Status, r.PerSecond,
			r.Count, r.More, ReplayRunning, moment(r.CreatedAt))
		if done.Error != nil || done.RowsAffected == 0 {
			return done.Error
		}
		asked := changes{"replay": {To: r.ID}, "since": {To: r.Since.UTC()}, "until": {To: r.Until.UTC()}, "status": {To: r.Status}}
		w := Webhook{ID: r.WebhookID, Tenant: r.Tenant}
		return s.insertAudit(tx, auditOf(by, AuditReplayed, &w, now, asked))
	})
}

// EndReplay records how a replay ended, unless that is on record. Of a replay
// that went with its webhook nothing is recorded.
func (s *Store) EndReplay(ctx context.Context, tenant, id, state, reason string) error {
	return s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE replays SET state = ?, reason = ?, ended_at = ? WHERE tenant = ? AND id = ? AND ended_at IS NULL",
			state, cleanText(reason), moment(s.now()), tenant, id).Error
	})
}

func noReplay() error { return errs.New(errs.NotFound, "There is no such replay") }
