package api

import (
	"context"
	"log/slog"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	// tenantFresh is how long a tenant's status and limits are taken from
	// memory: so long may another process go by the old ones after a PUT.
	tenantFresh = 5 * time.Second
	// tenantPatience is how long a request waits for them. The database may be
	// down, and an event needs nothing else of it.
	tenantPatience = time.Second
	// tenantsKept is how many tenants are remembered: some megabytes.
	tenantsKept = 10_000
	// burstPart is the part of a minute's events that may come at once: those of
	// ten seconds. It lets a full batch in at 6,000 a minute.
	burstPart = 6
	// burstLeast may come at once under any limit that allows so many a minute: a
	// low one is for the sum, and not to space single events out.
	burstLeast = 10
)

// doorStore is what the door asks of the ledger. Beside an error, Tenant returns
// what a tenant is like of which nothing is known.
type doorStore interface {
	Tenant(ctx context.Context, id string) (models.Tenant, error)
}

// door is where a tenant's status and limits are looked at, before a request
// does anything. While the database is down it goes by what it knew last, or by
// the defaults: no event is turned away for that. Events are counted by each
// process for itself.
type door struct {
	store  doorStore
	now    func() time.Time
	logger *slog.Logger

	tenants *cache[knownTenant]
	loading singleflight.Group
	buckets *cache[*rate.Limiter]
}

// knownTenant is a tenant as it was last read.
type knownTenant struct {
	models.Tenant
	until time.Time
}

func newDoor(store doorStore, now func() time.Time, logger *slog.Logger) *door {
	return &door{
		store: store, now: now, logger: logger,
		tenants: newCache[knownTenant](tenantsKept), buckets: newCache[*rate.Limiter](tenantsKept),
	}
}

// active lets a request through to a handler if its tenant is active. Handlers
// that only read, or take away, need no such gate.
func (d *door) active(next func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if err := d.mustBeActive(c.Request.Context(), tenantOf(c)); err != nil {
			return err
		}
		return next(c)
	}
}

// mustBeActive is the gate of active, for handlers that need it only for some
// requests.
func (d *door) mustBeActive(ctx context.Context, tenant string) error {
	if d.tenant(ctx, tenant).Status == models.TenantActive {
		return nil
	}
	return errs.New(errs.SubscriptionInactive, "The subscription is inactive: what exists can be read, and nothing new is sent")
}

// admit takes up to n events of what the tenant may enqueue now, and says how
// many. When it is not all of them, the error for the others says when to come
// back.
func (d *door) admit(ctx context.Context, tenant string, n int) (admitted int, refusal error) {
	now := d.now()
	bucket, limited := d.bucket(ctx, tenant, now)
	if !limited {
		return n, nil
	}
	for admitted < n && bucket.AllowN(now, 1) {
		admitted++
	}
	if admitted == n {
		return n, nil
	}
	return admitted, refuseUntil(bucket, 1, now)
}

// admitAll takes n events of what the tenant may enqueue now, or none and says
// when to come back. More than may ever come at once get in when as many as may
// are there; the others are taken of what comes next.
func (d *door) admitAll(ctx context.Context, tenant string, n int) error {
	now := d.now()
	bucket, limited := d.bucket(ctx, tenant, now)
	if !limited {
		return nil
	}
	burst := bucket.Burst()
	first := min(n, burst)
	if !bucket.AllowN(now, first) {
		return refuseUntil(bucket, first, now)
	}
	for left := n - first; left > 0; left -= burst {
		bucket.ReserveN(now, min(left, burst))
	}
	return nil
}

const tooManyEvents = "There are more events than the plan allows per minute; try again later"

// refuseUntil refuses an event until the bucket holds the tokens that are
// wanted.
func refuseUntil(bucket *rate.Limiter, wanted int, now time.Time) error {
	lacking := float64(wanted) - bucket.TokensAt(now)
	wait := time.Duration(lacking / float64(bucket.Limit()) * float64(time.Second))
	return &errs.Error{Code: errs.RateLimited, Message: tooManyEvents, RetryAfter: max(wait, time.Second)}
}

// bucket returns the tenant's token bucket, at its present rate; false when the
// tenant has no limit.
func (d *door) bucket(ctx context.Context, tenant string, now time.Time) (*rate.Limiter, bool) {
	perMinute := d.tenant(ctx, tenant).Limits.EventsPerMinute
	if perMinute <= 0 {
		return nil, false
	}
	limit, burst := rate.Limit(float64(perMinute)/60), max(min(perMinute, burstLeast), perMinute/burstPart)
	bucket := d.buckets.orMake(tenant, func() *rate.Limiter { return rate.NewLimiter(limit, burst) })
	if bucket.Limit() != limit {
		bucket.SetLimitAt(now, limit)
		bucket.SetBurstAt(now, burst)
	}
	return bucket, true
}

// tenant returns the tenant as it is, or as it was some seconds ago.
func (d *door) tenant(ctx context.Context, id string) models.Tenant {
	if known, fresh := d.fresh(id); fresh {
		return known
	}
	loaded, _, _ := d.loading.Do(id, func() (any, error) {
		if known, fresh := d.fresh(id); fresh { // another read ended since we looked
			return known, nil
		}
		return d.load(ctx, id), nil
	})
	return loaded.(models.Tenant)
}

func (d *door) fresh(id string) (models.Tenant, bool) {
	known, found := d.tenants.get(id)
	return known.Tenant, found && d.now().Before(known.until)
}

// load reads the tenant. A read that fails counts as one too, so that not every
// request waits for a database that does not answer.
func (d *door) load(ctx context.Context, id string) models.Tenant {
	// Others wait for this read, whose request may end before.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tenantPatience)
	defer cancel()
	before := d.tenants.changes()
	found, err := d.store.Tenant(ctx, id)
	if err != nil {
		last, known := d.tenants.get(id)
		if known {
			found = last.Tenant
		}
		d.logger.WarnContext(ctx, "cannot read a tenant's status and limits, so the last known or the default ones hold",
			"tenant", id, "known", known, "error", err)
	}
	d.tenants.fill(id, knownTenant{found, d.now().Add(tenantFresh)}, before)
	return found
}

// learn takes note of a tenant that was changed by this process.
func (d *door) learn(changed models.Tenant) {
	d.tenants.change(changed.ID, knownTenant{changed, d.now().Add(tenantFresh)})
}
