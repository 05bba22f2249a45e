package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// behaviour is what a webhook of the receiver does with a POST.
type behaviour string

const (
	takes      behaviour = "takes"      // answers 204 at once
	failsTwice behaviour = "failstwice" // takes each event at the third POST
	fails      behaviour = "fails"      // answers 500
	hangs      behaviour = "hangs"      // never answers, until it is cut
	passes     behaviour = "passes"     // answers 204 at once and counts nothing
)

// receiver is where all webhooks of the bench point to. A URL says it all: the
// flow, the webhook's place in it, and how it behaves. It verifies nothing: the
// time it takes is time of the machine that is measured.
type receiver struct {
	base    string
	server  *http.Server
	buffers sync.Pool // for bodies

	mu    sync.RWMutex
	flows []*flow
	cuts  map[*flow]chan struct{} // closed when what hangs is to be let go
}

// startReceiver listens on the address.
func startReceiver(ctx context.Context, address string) (*receiver, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the receiver cannot listen on %s (--receiver): %w", address, err)
	}
	r := &receiver{base: "http://" + listener.Addr().String(), cuts: map[*flow]chan struct{}{}}
	r.buffers.New = func() any { return new(bytes.Buffer) }
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	go func() { _ = r.server.Serve(listener) }() // ends by stop; until then a failing listener shows as lost events
	return r, nil
}

// stop lets go what hangs and closes all connections.
func (r *receiver) stop() error {
	r.mu.Lock()
	for _, cut := range r.cuts {
		closeOnce(cut)
	}
	r.mu.Unlock()
	if err := r.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("close the receiver: %w", err)
	}
	return nil
}

// add makes a flow known and returns the URL of its webhooks: a hook below the
// flow's number is one that counts.
func (r *receiver) add(f *flow) func(hook int, does behaviour) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flows, r.cuts[f] = append(r.flows, f), make(chan struct{})
	number := len(r.flows) - 1
	return func(hook int, does behaviour) string { return fmt.Sprintf("%s/%d/%d/%s", r.base, number, hook, does) }
}

// cut lets go what hangs of a flow; later POSTs do not hang.
func (r *receiver) cut(f *flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	closeOnce(r.cuts[f])
}

// hangAgain lets later POSTs of a flow hang again.
func (r *receiver) hangAgain(f *flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cuts[f] = make(chan struct{})
}

func closeOnce(cut chan struct{}) {
	select {
	case <-cut:
	default:
		close(cut)
	}
}

// ServeHTTP notes when the POST came and which event it is. It came when its
// headers had been read: a little after its first byte, never before.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	f, cut, hook, does := r.addressed(request.URL.Path)
	if f == nil {
		http.NotFound(w, request)
		return
	}
	at := f.now()
	if does == hangs {
		_, _ = io.Copy(io.Discard, request.Body) // or its end would not be noticed
		select {
		case <-request.Context().Done():
		case <-cut:
			w.WriteHeader(http.StatusInternalServerError)
		}
		return
	}
	body := r.buffers.Get().(*bytes.Buffer)
	defer r.buffers.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(request.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if does == passes {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	n := numberIn(body.Bytes())
	before, ours := f.tried(n, hook)
	switch {
	case !ours:
		w.WriteHeader(http.StatusBadRequest)
	case does == fails, does == failsTwice && before < 2:
		w.WriteHeader(http.StatusInternalServerError)
	default:
		f.arrive(n, hook, at)
		w.WriteHeader(http.StatusNoContent)
	}
}

// addressed reads /<flow>/<hook>/<behaviour>.
func (r *receiver) addressed(path string) (*flow, chan struct{}, int, behaviour) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	second, does, _ := strings.Cut(rest, "/")
	number, err := strconv.Atoi(first)
	hook, wrong := strconv.Atoi(second)
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err != nil || wrong != nil || number < 0 || number >= len(r.flows) {
		return nil, nil, 0, ""
	}
	f := r.flows[number]
	return f, r.cuts[f], hook, behaviour(does)
}

// numberMark is what an event's number stands behind, in what we send and in
// what the webhook gets.
const numberMark = `"n":`

// numberIn finds an event's number in a body; -1 if it has none.
func numberIn(body []byte) int64 {
	_, rest, found := bytes.Cut(body, []byte(numberMark))
	if !found {
		return -1
	}
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
