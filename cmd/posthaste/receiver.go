package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/signing"
)

const (
	// receiverMaxBody is past the largest event that Posthaste sends.
	receiverMaxBody = 2 << 20
	// receiverTolerance is how old a signature may be: what Standard Webhooks
	// advises.
	receiverTolerance = 5 * time.Minute
)

// receiver is what a customer of a platform would write: it verifies each POST as
// the platform's profile says, shows it, and answers. It may be told to behave
// badly.
type receiver struct {
	profile *provider.Profile
	secret  webhook.Secret // "" verifies nothing
	bad     behaviour
	now     func() time.Time
	stop    <-chan struct{} // ends what is being delayed
	show    func(*arrival)

	mu   sync.Mutex // shows one POST after the other, and guards seen
	seen int
}

// behaviour is how a receiver plays a bad one.
type behaviour struct {
	status int           // to answer with; 0 = none
	first  int           // so many POSTs get it; 0 = all
	delay  time.Duration // before every answer
}

// arrival is one POST as it came in, and what was made of it.
type arrival struct {
	at      time.Time
	number  int // from 1
	method  string
	path    string
	from    string
	header  http.Header
	body    []byte
	verdict verdict
	status  int // of the answer
	delay   time.Duration
}

// verdict is what verification found. Without checked, why says why not.
type verdict struct {
	checked, verified bool
	version           string // of the provider's webhooks, where it has versions
	why               string
}

// ServeHTTP answers 204 to what it could verify, or cannot verify for want of a
// secret or a signature, and 401 to anything else.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This is a receiver of posthaste: it takes webhooks by POST.", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, receiverMaxBody))
	if err != nil {
		http.Error(w, "cannot read the body", http.StatusBadRequest)
		return
	}
	from, _, _ := net.SplitHostPort(request.RemoteAddr)
	came := &arrival{
		at: r.now(), method: request.Method, path: request.URL.RequestURI(), from: from, header: request.Header, body: body,
		delay: r.bad.delay,
	}
	came.verdict = r.verify(came)
	r.take(came)
	if !r.wait(w, request) {
		return
	}
	if came.status >= http.StatusBadRequest {
		http.Error(w, http.StatusText(came.status), came.status)
		return
	}
	w.WriteHeader(came.status)
}

// take counts the POST, decides on its answer and shows it.
func (r *receiver) take(came *arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	came.number = r.seen
	switch {
	case r.bad.status != 0 && (r.bad.first == 0 || came.number <= r.bad.first):
		came.status = r.bad.status
	case came.verdict.checked && !came.verdict.verified:
		came.status = http.StatusUnauthorized
	default:
		came.status = http.StatusNoContent
	}
	r.show(came)
}

// wait lets the sender wait, and reports whether there is still someone to
// answer.
func (r *receiver) wait(w http.ResponseWriter, request *http.Request) bool {
	if r.bad.delay <= 0 {
		return true
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the delay may be longer; a recorder of a test has none
	select {
	case <-time.After(r.bad.delay):
		return true
	case <-request.Context().Done():
	case <-r.stop:
	}
	return false
}

// versions are those of the provider's webhooks; one without a name where it has
// none.
func (r *receiver) versions() []string {
	versions, standard := r.profile.Versions()
	if len(versions) == 0 {
		return []string{standard}
	}
	return versions
}

// signs reports whether the provider's webhooks carry a signature in any version.
func (r *receiver) signs() bool {
	return slices.ContainsFunc(r.versions(), func(version string) bool {
		signer, _ := r.profile.Signer(version)
		return len(signer.Headers()) > 0
	})
}

// checkSecret returns why no version could ever be verified by the secret, or nil.
func (r *receiver) checkSecret() error {
	if r.secret == "" {
		return nil
	}
	var fault error
	for _, version := range r.versions() {
		signer, _ := r.profile.Signer(version)
		if fault = signer.CheckTrusted(r.secret); fault == nil {
			return nil
		}
	}
	return fault
}

// verify tries every version of the provider's webhooks: a receiver does not
// know which one the webhook has.
func (r *receiver) verify(came *arrival) verdict {
	var reasons []string
	for _, version := range r.versions() {
		signer, _ := r.profile.Signer(version)
		switch {
		case len(signer.Headers()) == 0:
			return verdict{why: r.profile.Title() + " signs nothing"}
		case r.secret == "":
			return verdict{why: "give the webhook's secret with --secret"}
		}
		err := signer.Verify(signing.VerifyInput{
			Header: came.header.Get, Body: came.body, Secrets: []webhook.Secret{r.secret},
			Now: came.at, Tolerance: receiverTolerance,
		})
		if err == nil {
			return verdict{checked: true, verified: true, version: version}
		}
		reason := explain(err)
		var refused *errs.Error
		if errors.As(err, &refused) && refused.Code == errs.Unauthorized {
			reason = refused.Message // the signer's own words
		}
		if version != "" {
			reason = version + ": " + reason
		}
		reasons = append(reasons, reason)
	}
	return verdict{checked: true, why: strings.Join(reasons, "; ")}
}

// newDemoReceiver returns the receiver of posthaste dev, which prints each POST
// as one line, such as
//
//	12:30:05 received order.paid {"orderId":1042} verified
func newDemoReceiver(ctx context.Context, secret string, out io.Writer) (*receiver, error) {
	registry, err := provider.Load("")
	if err != nil {
		return nil, err
	}
	profile, err := registry.Profile(demoProvider)
	if err != nil {
		return nil, err
	}
	show := func(came *arrival) { showBriefly(out, came) }
	return &receiver{profile: profile, secret: webhook.Secret(secret), now: time.Now, stop: ctx.Done(), show: show}, nil
}

// showBriefly prints one line.
func showBriefly(out io.Writer, came *arrival) {
	var event struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(came.body, &event); err != nil || event.Type == "" {
		event.Type, event.Data = "something else", came.body
	}
	fmt.Fprintf(out, "%s received %s %s %s\n", came.at.Format(time.TimeOnly),
		printable([]byte(event.Type), receiverShown), printable(event.Data, receiverShown), came.verdict.line())
}

// line says what was found in a few words.
func (v verdict) line() string {
	switch {
	case !v.checked:
		return "not checked: " + v.why
	case !v.verified:
		return "NOT VERIFIED: " + v.why
	case v.version != "":
		return "verified (" + v.version + ")"
	default:
		return "verified"
	}
}
