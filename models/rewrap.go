package models

import (
	"context"

	"gorm.io/gorm"

	"posthaste/errs"
)

// rewrapChunk is how many rows are read, and attempts re-sealed, at once: few
// enough that on SQLite, with its one writer, others wait some milliseconds.
const rewrapChunk = 500

// maxRewraps is how often Rewrap goes through everything at most. The second
// time finds what a process sealed behind the first one's back, and nothing
// when all processes seal with the present key.
const maxRewraps = 3

// RewrapReport is what Rewrap did: values re-sealed, by column.
type RewrapReport struct {
	Secrets         int64 // webhooks.secret
	PreviousSecrets int64 // webhooks.previous_secret
	Headers         int64 // webhooks.headers
	RequestHeaders  int64 // attempts.request_headers

	// Left is how many values are still sealed with another key than the
	// present one. Broken is why one of them does not open; nil when none is.
	Left   int64
	Broken error
}

// rewrap is one pass over everything that is sealed.
type rewrap struct {
	store    *Store
	report   *RewrapReport
	progress func(done int64)
	done     int64 // values looked at
	old      int64 // of them, sealed with another key
	broken   int64 // of them, do not open
}

// Rewrap seals anew what was sealed with any other key than the one that seals
// now, while everything is running: a value is replaced only if it is still the
// one that was read, so whoever changes a secret meanwhile wins. It may be
// stopped and run again at any time. Progress is told how many values were
// looked at, after each chunk; it may be nil. A value that does not open is left
// as it is and counted.
func (s *Store) Rewrap(ctx context.Context, progress func(done int64)) (RewrapReport, error) {
	var report RewrapReport
	if progress == nil {
		progress = func(int64) {}
	}
	pass := rewrap{store: s, report: &report, progress: progress}
	for range maxRewraps {
		pass.old, pass.broken, report.Broken = 0, 0, nil
		if err := pass.webhooks(ctx); err != nil {
			return report, err
		}
		if err := pass.attempts(ctx); err != nil {
			return report, err
		}
		report.Left = pass.old
		if pass.old == pass.broken {
			break
		}
	}
	return report, nil
}

// webhooks goes through the webhooks. Each one is a transaction of its own: two
// rows held at once might be wanted by others in another order.
func (p *rewrap) webhooks(ctx context.Context) error {
	after := ""
	for {
		var rows []webhookRow
		err := query(p.store.readAll(ctx), &rows,
			"SELECT id, tenant, secret, previous_secret, headers FROM webhooks WHERE id > ? ORDER BY id LIMIT ?", after, rewrapChunk)
		if err != nil {
			return p.store.translate(err)
		}
		if len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].ID
		for i := range rows {
			if err := p.webhook(ctx, &rows[i]); err != nil {
				return err
			}
		}
		p.progress(p.done)
	}
}

func (p *rewrap) webhook(ctx context.Context, row *webhookRow) error {
	changed := *row
	counts := []*int64{&p.report.Secrets, &p.report.PreviousSecrets, &p.report.Headers}
	names := []string{sealedSecret, sealedPreviousSecret, sealedHeaders}
	var resealed []*int64
	for i, value := range []*[]byte{&changed.Secret, &changed.PreviousSecret, &changed.Headers} {
		fresh, err := p.reseal(*value, row.Tenant, row.ID, names[i])
		if err != nil {
			return err
		}
		if fresh != nil {
			*value, resealed = fresh, append(resealed, counts[i])
		}
	}
	if len(resealed) == 0 {
		return nil
	}
	var touched int64
	err := p.store.writeAll(ctx, func(tx *gorm.DB) error {
		done := tx.Exec(`UPDATE webhooks SET secret = ?, previous_secret = ?, headers = ? WHERE id = ?
			AND secret IS NOT DISTINCT FROM ? AND previous_secret IS NOT DISTINCT FROM ? AND headers IS NOT DISTINCT FROM ?`,
			changed.Secret, changed.PreviousSecret, changed.Headers, row.ID, row.Secret, row.PreviousSecret, row.Headers)
		touched = done.RowsAffected
		return done.Error
	})
	for _, count := range resealed {
		*count += touched // 1, or 0 when somebody was faster
	}
	return err
}

var rewrapBatch = []column{{"webhook_id", textCol}, {"id", textCol}, {"was", bytesCol}, {"sealed", bytesCol}}

// attempts goes through the attempts, in the order of their primary key.
func (p *rewrap) attempts(ctx context.Context) error {
	var last attemptRow
	for {
		var rows []attemptRow
		err := query(p.store.readAll(ctx), &rows, `SELECT webhook_id, id, tenant, request_headers FROM attempts
			WHERE (webhook_id, id) > (?, ?) AND request_headers IS NOT NULL ORDER BY webhook_id, id LIMIT ?`,
			last.WebhookID, last.ID, rewrapChunk)
		if err != nil {
			return p.store.translate(err)
		}
		if len(rows) == 0 {
			return nil
		}
		last = rows[len(rows)-1]
		b := &batch{columns: rewrapBatch}
		for i := range rows {
			fresh, err := p.reseal(rows[i].RequestHeaders, rows[i].Tenant, rows[i].ID, sealedRequestHeaders)
			if err != nil {
				return err
			}
			if fresh != nil {
				b.add(rows[i].WebhookID, rows[i].ID, rows[i].RequestHeaders, fresh)
			}
		}
		if err := p.storeAttempts(ctx, b); err != nil {
			return err
		}
		p.progress(p.done)
	}
}

func (p *rewrap) storeAttempts(ctx context.Context, b *batch) error {
	if len(b.rows) == 0 {
		return nil
	}
	source, args, err := p.store.db.dialect.selectFrom(b)
	if err != nil {
		return err
	}
	var touched int64
	err = p.store.writeAll(ctx, func(tx *gorm.DB) error {
		done := tx.Exec("WITH v AS ("+source+`) UPDATE attempts SET request_headers = v.sealed FROM v
			WHERE attempts.webhook_id = v.webhook_id AND attempts.id = v.id AND attempts.request_headers = v.was`, args...)
		touched = done.RowsAffected
		return done.Error
	})
	p.report.RequestHeaders += touched
	return err
}

// reseal returns a value sealed with the present key; nil when it is already,
// or does not open.
func (p *rewrap) reseal(sealed []byte, tenant, id, column string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	p.done++
	if p.store.sealer.Current(sealed) {
		return nil, nil
	}
	p.old++
	plain, err := p.store.open(sealed, tenant, id, column)
	if err == nil {
		return p.store.seal(plain, tenant, id, column)
	}
	p.broken++
	p.report.Broken = err
	return nil, nil
}

// CheckKeys reports whether the Sealer opens the webhook secrets that there
// are, by the oldest and the newest: Internal when it does not. A process with
// other keys than its neighbours would fail at each delivery instead.
func (s *Store) CheckKeys(ctx context.Context) error {
	for _, order := range []string{"ASC", "DESC"} {
		var rows []webhookRow
		err := query(s.readAll(ctx), &rows,
			"SELECT id, tenant, secret FROM webhooks WHERE secret IS NOT NULL ORDER BY id "+order+" LIMIT 1")
		if err != nil {
			return s.translate(err)
		}
		for _, row := range rows {
			if _, err := s.open(row.Secret, row.Tenant, row.ID, sealedSecret); err != nil {
				return errs.Wrap(err, errs.Internal, "The encryption keyset is not the one that sealed the webhook secrets")
			}
		}
	}
	return nil
}
