package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dataBytes is how large the data of an event is.
	dataBytes = 1024
	// refusalBytes is how much of a refusal the report quotes.
	refusalBytes = 300
)

// caller is the shared side of all requests to an API.
type caller struct {
	http    *http.Client
	buffers sync.Pool
}

func newCaller() *caller {
	transport := &http.Transport{
		MaxIdleConns: 2048, MaxIdleConnsPerHost: 2048, IdleConnTimeout: 5 * time.Minute, DisableCompression: true,
	}
	c := &caller{http: &http.Client{Transport: transport, Timeout: time.Minute}}
	c.buffers.New = func() any { return new(bytes.Buffer) }
	return c
}

// tenant calls an API as one tenant.
type tenant struct {
	*caller
	base   string
	bearer string
	kind   string // type of its events: no webhook of another stream takes them

	refusal atomic.Pointer[refusal] // the first one
}

// refusal is an answer other than success, or none.
type refusal struct {
	status int // 0 = there was no answer
	body   string
}

// asRefusal is what a request that failed comes to: a refusal, unless it was us
// who gave it up.
func asRefusal(ctx context.Context, err error) error {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return &refusal{body: err.Error()}
	}
}

// Error says what was answered.
func (r *refusal) Error() string {
	if r.status == 0 {
		return r.body
	}
	return fmt.Sprintf("the API answered %d: %s", r.status, strings.TrimSpace(r.body))
}

// sending is how events come to the API.
type sending int

const (
	alone   sending = iota // one by a request
	keyed                  // one by a request that has an Idempotency-Key
	batched                // several by one request
)

// post sends events [first, first+count).
func (t *tenant) post(ctx context.Context, first int64, count int, how sending) error {
	err := t.send(ctx, first, count, how)
	if err == nil {
		return nil
	}
	err = asRefusal(ctx, err)
	var refused *refusal
	if errors.As(err, &refused) {
		t.refusal.CompareAndSwap(nil, refused)
	}
	return err
}

func (t *tenant) send(ctx context.Context, first int64, count int, how sending) error {
	body := t.buffers.Get().(*bytes.Buffer)
	body.Reset()
	path := "/api/events"
	if how == batched {
		path = "/api/events/batch"
		body.WriteString(`{"events":[`)
	}
	for n := first; n < first+int64(count); n++ {
		if n > first {
			body.WriteByte(',')
		}
		t.writeEvent(body, n)
	}
	if how == batched {
		body.WriteString(`]}`)
	}
	request, err := t.request(ctx, http.MethodPost, path, body.Bytes())
	if err != nil {
		return err
	}
	if how == keyed {
		request.Header["Idempotency-Key"] = []string{t.kind + "." + strconv.FormatInt(first, 10)}
	}
	response, err := t.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	answer := t.buffers.Get().(*bytes.Buffer)
	answer.Reset()
	defer t.buffers.Put(answer)
	if _, err := answer.ReadFrom(response.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if status := answered(response.StatusCode, answer.Bytes()); status/100 != 2 {
		return &refusal{status: status, body: string(answer.Bytes()[:min(answer.Len(), refusalBytes)])}
	}
	// Only now: what is refused, or fails, may be answered while it is still sent.
	t.buffers.Put(body)
	return nil
}

// answered is the status of an answer. A batch of which a part was refused counts
// as refused: for now if that is why, else as wrong.
func answered(status int, body []byte) int {
	switch {
	case status/100 != 2 || !bytes.Contains(body, []byte(`"refused"`)):
		return status
	case bytes.Contains(body, []byte(`"UNAVAILABLE"`)):
		return http.StatusServiceUnavailable
	case bytes.Contains(body, []byte(`"RATE_LIMITED"`)):
		return http.StatusTooManyRequests
	default:
		return http.StatusBadRequest
	}
}

// padding fills an event's data up to its size.
var padding = strings.Repeat("0123456789abcdef", dataBytes/16)

func (t *tenant) writeEvent(body *bytes.Buffer, n int64) {
	var digits [20]byte
	number := strconv.AppendInt(digits[:0], n, 10)
	body.WriteString(`{"type":"`)
	body.WriteString(t.kind)
	body.WriteString(`","data":{` + numberMark)
	body.Write(number)
	body.WriteString(`,"text":"`)
	body.WriteString(padding[:dataBytes-len(numberMark)-len(number)-len(`{,"text":""}`)])
	body.WriteString(`"}}`)
}

func (t *tenant) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	request.Header["Authorization"] = []string{t.bearer}
	request.Header["Content-Type"] = []string{"application/json"}
	return request, nil
}

// retry is a webhook's policy.
type retry struct {
	Mode          string `json:"mode"`
	DelaysSeconds []int  `json:"delaysSeconds,omitempty"`
}

// createWebhook makes a webhook for the tenant's events and returns its id. A nil policy
// is the provider's.
func (t *tenant) createWebhook(ctx context.Context, url string, policy *retry) (string, error) {
	body, err := json.Marshal(struct {
		Name   string   `json:"name"`
		URL    string   `json:"url"`
		Events []string `json:"events"`
		Retry  *retry   `json:"retry,omitempty"`
	}{"bench", url, []string{t.kind}, policy})
	if err != nil {
		return "", fmt.Errorf("make a webhook: %w", err)
	}
	var made struct {
		Data struct{ ID string }
	}
	if err := t.ask(ctx, http.MethodPost, "/api/webhooks", body, &made); err != nil {
		return "", fmt.Errorf("make a webhook: %w", err)
	}
	return made.Data.ID, nil
}

// deleteWebhook removes a webhook and all that waits for it.
func (t *tenant) deleteWebhook(ctx context.Context, id string) error {
	err := t.ask(ctx, http.MethodDelete, "/api/webhooks/"+id, nil, nil)
	var refused *refusal
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete a webhook: %w", err)
	}
	return nil
}

func (t *tenant) ask(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := t.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	response, err := t.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case response.StatusCode/100 != 2:
		return &refusal{status: response.StatusCode, body: string(text)}
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
