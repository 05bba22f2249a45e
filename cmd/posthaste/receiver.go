package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	// receiverMaxBody is past the largest event that Posthaste sends.
	receiverMaxBody = 2 << 20
	// receiverShown is how much of an event's data fits a terminal's line.
	receiverShown = 100
)

// receiver is what a customer of a platform would write: it verifies each
// POST by the library of Standard Webhooks and prints it as one line.
type receiver struct {
	verifier *standardwebhooks.Webhook
	now      func() time.Time
	mu       sync.Mutex // lines of concurrent POSTs stay whole
	out      io.Writer
}

func newReceiver(secret string, out io.Writer, now func() time.Time) (*receiver, error) {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, fmt.Errorf("the demo webhook's secret: %w", err)
	}
	return &receiver{verifier: verifier, out: out, now: now}, nil
}

// ServeHTTP answers 204 to what it could verify and 401 to anything else.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is the demo receiver of posthaste dev: it takes webhooks by POST.", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, receiverMaxBody))
	if err != nil {
		http.Error(w, "cannot read the body", http.StatusBadRequest)
		return
	}
	if err := r.verifier.Verify(body, request.Header); err != nil {
		r.print(body, "NOT VERIFIED: "+innermost(err).Error())
		http.Error(w, "cannot verify the signature", http.StatusUnauthorized)
		return
	}
	r.print(body, "verified")
	w.WriteHeader(http.StatusNoContent)
}

// print writes one line, such as
//
//	12:30:05 received order.paid {"orderId":1042} verified
func (r *receiver) print(body []byte, verdict string) {
	var event struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Type == "" {
		event.Type, event.Data = "something else", body
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%s received %s %s %s\n",
		r.now().Format(time.TimeOnly), printable([]byte(event.Type)), printable(event.Data), verdict)
}

// printable makes foreign text fit for a terminal: one line, of bounded length,
// without the control characters that could steer it.
func printable(text []byte) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, string(bytes.ToValidUTF8(text, []byte("?"))))
	if short := []rune(clean); len(short) > receiverShown {
		return string(short[:receiverShown]) + "…"
	}
	return clean
}
