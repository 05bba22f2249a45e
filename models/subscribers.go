package models

import (
	"slices"
	"strings"
	"sync"
	"unsafe"

	"gorm.io/gorm"
)

// Matching looks at all webhooks of a tenant and provider. They change rarely,
// so a process keeps what it has read of them, and looks with each event whether
// the ledger still says the same (standing). What is kept holds nothing sealed.

// subscribers is the set of webhooks that events of one provider of one tenant
// may be for.
type subscribers struct{ tenant, provider string }

func subscribersOf(e Event) subscribers { return subscribers{e.Tenant, e.Provider} }

// standing is the SQL for a text that differs whenever matching might: the
// version of the subscribers, which each change of a webhook draws anew, and
// those of them that fail, which is all that matching makes of their health.
const standing = `(COALESCE((SELECT s.version FROM subscribers s WHERE s.tenant = ? AND s.provider = ?), '') ||
	COALESCE((SELECT string_agg(' ' || f.id, '' ORDER BY f.id) FROM webhooks f WHERE f.tenant = ? AND f.provider = ? AND f.failing_since IS NOT NULL), ''))`

// standingArgs are the arguments of standing.
func (who subscribers) standingArgs() []any {
	return []any{who.tenant, who.provider, who.tenant, who.provider}
}

// subscription is the webhooks of a set of subscribers, in the order of their
// ids, as they were at one standing. Nobody changes it.
type subscription struct {
	who      subscribers
	standing string
	webhooks []Webhook
	bytes    int
}

// maxKept bounds what a process keeps, in bytes: some fifty thousand webhooks.
const maxKept = 64 << 20

// subscriptions is what a process keeps.
type subscriptions struct {
	mu    sync.Mutex
	kept  map[subscribers]*subscription
	bytes int
}

// of returns what is kept of the subscribers; nil when that is nothing.
func (c *subscriptions) of(who subscribers) *subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept[who]
}

// keep takes what was read. Others make room for it, whichever; what would take
// all the room is not kept.
func (c *subscriptions) keep(read *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(read.who)
	if read.bytes > maxKept/2 {
		return
	}
	for other := range c.kept {
		if c.bytes+read.bytes <= maxKept {
			break
		}
		c.drop(other)
	}
	if c.kept == nil {
		c.kept = map[subscribers]*subscription{}
	}
	c.kept[read.who] = read
	c.bytes += read.bytes
}

func (c *subscriptions) drop(who subscribers) {
	if old := c.kept[who]; old != nil {
		c.bytes -= old.bytes
		delete(c.kept, who)
	}
}

// subscriptionOf returns the subscribers' webhooks as they are now: those that
// are kept, if they still stand. The standing is read first, so that what is kept
// is never older than it says.
func (s *Store) subscriptionOf(tx *gorm.DB, who subscribers) (*subscription, error) {
	var now []struct{ Standing string }
	if err := query(tx, &now, "SELECT "+standing+" AS standing", who.standingArgs()...); err != nil {
		return nil, err
	}
	if kept := s.subscriptions.of(who); kept != nil && kept.standing == now[0].Standing {
		return kept, nil
	}
	rows, err := s.webhooksFor(tx, who, "")
	if err != nil {
		return nil, err
	}
	read := &subscription{who: who, standing: now[0].Standing, webhooks: rows}
	read.bytes = read.weight()
	_, ids, _ := strings.Cut(read.standing, " ")
	failing := strings.Fields(ids)
	for i := range read.webhooks {
		w := &read.webhooks[i]
		// By the standing alone: between the two statements it may have changed, and
		// have changed back.
		w.FailedInARow, w.FailingSince = 0, nil
		if _, fails := slices.BinarySearch(failing, w.ID); fails {
			w.FailedInARow = 1
		}
	}
	s.subscriptions.keep(read)
	return read, nil
}

// weight is about how many bytes a subscription takes. One without webhooks takes
// some too, and tenants without webhooks may be many.
func (sub *subscription) weight() int {
	// Twice its own size and its key's are about what the map needs for it.
	bytes := 2*int(unsafe.Sizeof(*sub)+unsafe.Sizeof(sub.who)) + len(sub.who.tenant) + len(sub.who.provider) + len(sub.standing)
	for i := range sub.webhooks {
		bytes += sub.webhooks[i].weight()
	}
	return bytes
}

// weight is about how many bytes a webhook takes that was read for matching.
func (w *Webhook) weight() int {
	bytes := int(unsafe.Sizeof(*w)) + len(w.ID) + len(w.Tenant) + len(w.Provider) + len(w.Name) + len(w.URL) + len(w.Version) +
		len(w.Filters.CampaignID) + len(w.Filters.ListID) + len(w.Filters.SchemaID) + len(w.Retry) + len(w.Status) + len(w.StatusReason)
	for _, word := range slices.Concat(w.Events, w.Sources) {
		bytes += len(word) + int(unsafe.Sizeof(word))
	}
	return bytes
}

// webhooksFor reads webhooks of the subscribers for matching, in the order of
// their ids.
func (s *Store) webhooksFor(tx *gorm.DB, who subscribers, and string, args ...any) ([]Webhook, error) {
	var rows []webhookRow
	err := query(tx, &rows, "SELECT "+strings.Join(openColumns, ", ")+" FROM webhooks WHERE tenant = ? AND provider = ?"+and+" ORDER BY id",
		append([]any{who.tenant, who.provider}, args...)...)
	if err != nil {
		return nil, err
	}
	webhooks := make([]Webhook, len(rows))
	for i := range rows {
		if webhooks[i], err = s.webhookFromRow(&rows[i]); err != nil {
			return nil, err
		}
	}
	return webhooks, nil
}
