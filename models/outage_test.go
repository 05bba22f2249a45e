package models_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// cable lies between a store and PostgreSQL and can be pulled.
type cable struct {
	t        *testing.T
	server   string
	listener net.Listener
	fate     atomic.Int32 // of the next COMMIT; passes again after it

	mu     sync.Mutex
	pulled bool
	ends   []net.Conn
}

// newCable returns a cable and the database's URL at its near end.
func newCable(t *testing.T, target string) (*cable, string) {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cable{t: t, server: u.Host, listener: listener}
	u.Host = listener.Addr().String()
	go c.run()
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return c, u.String()
}

func (c *cable) run() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return // the test has ended
		}
		c.mu.Lock()
		far, err := net.Dial("tcp", c.server)
		if c.pulled || err != nil {
			_ = near.Close()
		} else {
			c.ends = append(c.ends, near, far)
			go c.line(near, far)
		}
		c.mu.Unlock()
	}
}

// What becomes of a COMMIT. In the last two cases the store cannot tell.
const (
	passes int32 = iota
	commitLost
	answerLost
)

// line carries one connection until one of its ends is closed.
func (c *cable) line(near, far net.Conn) {
	hangUp := func() { _, _ = near.Close(), far.Close() }
	var deaf atomic.Bool // the server's next word is lost
	go func() {
		defer hangUp()
		_, _ = io.Copy(writer(func(text []byte) (int, error) {
			if deaf.Load() {
				return 0, io.ErrClosedPipe
			}
			return near.Write(text)
		}), far)
	}()
	defer hangUp()
	_, _ = io.Copy(writer(func(text []byte) (int, error) {
		if bytes.Contains(bytes.ToLower(text), []byte("commit")) {
			switch c.fate.Swap(passes) {
			case commitLost:
				return 0, io.ErrClosedPipe
			case answerLost:
				deaf.Store(true)
			}
		}
		return far.Write(text)
	}), near)
}

// writer is an io.Writer of a function, and nothing faster.
type writer func([]byte) (int, error)

func (w writer) Write(text []byte) (int, error) { return w(text) }

func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = true
	for _, end := range c.ends {
		_ = end.Close()
	}
}

func (c *cable) plugIn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled, c.ends = false, nil
}

// PostgreSQL goes away and comes back. Meanwhile every call says Unavailable,
// but a record is kept and stored as soon as it can be; afterwards the store
// works by itself.
func TestOutage(t *testing.T) {
	t.Parallel()
	wire, target := newCable(t, modelstest.URL(t, modelstest.Postgres))
	w := world{t, modelstest.OpenWith(t, models.Options{URL: target})}
	hook := w.webhook("acme")
	due, late := w.deliveryTo(hook), w.deliveryTo(hook)

	wire.pull()
	requireCode(t, errs.Unavailable, w.store.Ping(t.Context()))
	_, err := w.store.Webhook(t.Context(), "acme", hook.ID)
	requireCode(t, errs.Unavailable, err)
	_, err = w.store.Resolve(t.Context(), models.ResolveInput{Events: []models.Event{w.event("acme")}, Match: everyone})
	requireCode(t, errs.Unavailable, err)

	hurried, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	requireCode(t, errs.Unavailable, w.store.Record(hurried, delivered([]models.Delivery{late})[0]))

	patient := make(chan error, 1)
	go func() { patient <- w.store.Record(t.Context(), delivered([]models.Delivery{due})[0]) }()
	require.Never(t, func() bool { return len(patient) > 0 }, 200*time.Millisecond, time.Millisecond)
	wire.plugIn()
	require.NoError(t, <-patient)
	after, attempts := w.reload(due)
	require.Equal(t, models.StateDelivered, after.State)
	require.Len(t, attempts, 1)
	require.NoError(t, w.store.Ping(t.Context()))
}

// fates are what the line may do to a COMMIT without a word.
var fates = map[string]int32{"the commit is lost": commitLost, "its answer is lost": answerLost}

// The line goes dead while a group is being committed: nobody can know whether
// it was stored. Every record is stored once all the same.
func TestConnectionLostInACommit(t *testing.T) {
	t.Parallel()
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := modelstest.URL(t, modelstest.Postgres)
			wire, target := newCable(t, direct)
			w := world{t, modelstest.OpenWith(t, models.Options{URL: target})}
			operator := world{t, modelstest.OpenWith(t, models.Options{URL: direct})}
			list := w.deliveries(50)
			var failures []error
			var all sync.WaitGroup
			operator.held(func() {
				all.Go(func() { failures = w.recordAll(delivered(list)) })
				w.await(func(s models.RecorderStats) bool { return s.InFlight > 0 })
				wire.fate.Store(fate)
			})
			all.Wait()
			for _, err := range failures {
				require.NoError(t, err)
			}
			require.Equal(t, passes, wire.fate.Load(), "the line went dead")
			require.Equal(t, 50, operator.count("SELECT COUNT(*) FROM attempts"))
			require.Equal(t, 50, operator.count("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered' AND attempts = 1"))
		})
	}
}

// The same in a claim: nothing has been sent yet, and the claim is the caller's
// and nobody else's.
func TestConnectionLostInAClaim(t *testing.T) {
	t.Parallel()
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, target := newCable(t, modelstest.URL(t, modelstest.Postgres))
			w := world{t, modelstest.OpenWith(t, models.Options{URL: target})}
			_, d := w.delivery("acme")
			wire.fate.Store(fate)
			require.NoError(t, w.store.Claim(t.Context(), d, time.Minute))
			require.Equal(t, passes, wire.fate.Load(), "the line went dead")
			claimed, _ := w.reload(d)
			require.Equal(t, models.StateSending, claimed.State)
			w.requireHeld(time.Minute, d)
			requireCode(t, errs.Conflict, w.store.Claim(t.Context(), d, time.Minute))

			wire.fate.Store(fate)
			w.record(claimed, models.StepDeliver)
			after, attempts := w.reload(d)
			require.Equal(t, models.StateDelivered, after.State)
			require.Len(t, attempts, 1)
		})
	}
}

// Closing does not wait for a database that is away.
func TestCloseInAnOutage(t *testing.T) {
	t.Parallel()
	wire, target := newCable(t, modelstest.URL(t, modelstest.Postgres))
	w := world{t, modelstest.OpenWith(t, models.Options{URL: target})}
	_, d := w.delivery("acme")
	wire.pull()
	answer := make(chan error, 1)
	go func() { answer <- w.store.Record(t.Context(), delivered([]models.Delivery{d})[0]) }()
	require.Never(t, func() bool { return len(answer) > 0 }, 100*time.Millisecond, time.Millisecond)
	require.NoError(t, w.store.Close())
	requireCode(t, errs.Unavailable, <-answer)
}
