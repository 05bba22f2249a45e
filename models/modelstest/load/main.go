// Command load fills a ledger with one webhook and its long history, to measure
// with. It is no part of Posthaste: it writes rows that nobody sent.
//
//	go run ./models/modelstest/load --database-url postgres://… --attempts 1000000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"posthaste/models"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options say what to load, and where.
type options struct {
	url      string
	tenant   string
	attempts int
	days     int
	answer   int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&o.url, "database-url", "", "the ledger: postgres://… or sqlite://path; it is migrated first")
	flags.StringVar(&o.tenant, "tenant", "load", "the tenant that gets the webhook")
	flags.IntVar(&o.attempts, "attempts", 1_000_000, "how many attempts")
	flags.IntVar(&o.days, "days", 30, "the days until now that they are spread over")
	flags.IntVar(&o.answer, "answer-bytes", 120, "the size of each answer's body")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.url == "" || o.attempts < 1 || o.days < 1 || o.answer < 0 {
		return errors.New("load needs --database-url, at least one attempt and one day")
	}
	if _, err := models.MigrateUp(ctx, o.url); err != nil {
		return err
	}
	id, err := makeWebhook(ctx, o)
	if err != nil {
		return err
	}
	to, err := openSink(ctx, o.url)
	if err != nil {
		return err
	}
	return errors.Join(fill(ctx, to, newHistory(o, id, time.Now()), out), to.close())
}

// chunk is how many attempts one transaction writes.
const chunk = 10_000

// fill writes the history, with a line of progress now and then.
func fill(ctx context.Context, to sink, h *history, out io.Writer) error {
	start, told := time.Now(), time.Now()
	for h.made < h.attempts {
		if err := to.write(ctx, h.next(min(chunk, h.attempts-h.made))); err != nil {
			return err
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			fmt.Fprintf(out, "%d of %d attempts, %.0f a second\n", h.made, h.attempts, float64(h.made)/time.Since(start).Seconds())
		}
	}
	if err := to.write(ctx, []table{h.rollups()}); err != nil {
		return err
	}
	if err := to.finish(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d attempts of %d deliveries in %s\ntenant %s\nwebhook %s\n",
		h.made, h.deliveries, time.Since(start).Round(time.Second), h.tenant, h.webhook)
	return nil
}

// makeWebhook creates a webhook without anything secret, so that no key is
// needed, here or to read it.
func makeWebhook(ctx context.Context, o options) (string, error) {
	store, err := models.Open(ctx, models.Options{URL: o.url, Sealer: noSecrets{}, Now: time.Now})
	if err != nil {
		return "", err
	}
	hook := models.Webhook{
		Tenant: o.tenant, Provider: "standard", Name: fmt.Sprintf("%d attempts", o.attempts), Status: models.StatusActive,
		URL: "https://receiver.example/" + models.NewID(time.Now()), Events: []string{"*"}, TimeoutSeconds: 30,
	}
	err = store.CreateWebhook(ctx, models.Actor{Kind: models.ActorSystem}, &hook)
	return hook.ID, errors.Join(err, store.Close())
}

// noSecrets seals nothing.
type noSecrets struct{}

var errSecret = errors.New("load has no key and makes nothing secret")

// Seal refuses.
func (noSecrets) Seal([]byte, []byte) ([]byte, error) { return nil, errSecret }

// Open refuses.
func (noSecrets) Open([]byte, []byte) ([]byte, error) { return nil, errSecret }

// Current is never asked.
func (noSecrets) Current([]byte) bool { return true }

// isPostgres tells the two databases apart.
func isPostgres(url string) bool { return strings.HasPrefix(url, "postgres") }
