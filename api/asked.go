package api

import (
	"context"
	"fmt"
	"time"

	"posthaste/models"

	"golang.org/x/sync/singleflight"
)

const (
	// askedFor is how long one request for the next attempt stands for all others.
	// Each costs a line of the workflow's history, of which Temporal allows 10,000;
	// one that came to nothing can soon be repeated.
	askedFor = time.Minute
	// maxAsked bounds the memory of it, to some 2 MiB.
	maxAsked = 10_000
)

// asked remembers which attempts somebody wanted at once, so that a flood of such
// requests asks a workflow once. It is safe for concurrent use.
type asked struct {
	now    func() time.Time
	at     *cache[time.Time]
	asking singleflight.Group
}

func newAsked(now func() time.Time) *asked {
	return &asked{now: now, at: newCache[time.Time](maxAsked)}
}

// once asks for the delivery's next attempt unless somebody has just done so.
// Those who ask at one time share what comes of it.
func (a *asked) once(ctx context.Context, d *models.Delivery, ask func(context.Context, *models.Delivery) error) error {
	name := fmt.Sprintf("%s/%d", d.ID, d.Attempts)
	_, err, _ := a.asking.Do(name, func() (any, error) {
		if at, found := a.at.get(name); found && a.now().Sub(at) < askedFor {
			return nil, nil //nolint:nilnil // nothing but the error counts
		}
		err := ask(context.WithoutCancel(ctx), d) // who shares it does not leave with who asks
		if err == nil {
			a.at.change(name, a.now())
		}
		return nil, err
	})
	return err
}
