package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"posthaste/config"
)

const (
	// callTimeout is past the slowest answer of the API but a batch's.
	callTimeout = 15 * time.Second
	// maxAnswer is past the largest answer: a page of 100 attempts, each with its
	// bodies.
	maxAnswer = 64 << 20
)

// apiFlags say which Posthaste a command talks to, and as whom.
type apiFlags struct {
	API    string        `name:"api" env:"POSTHASTE_API_URL" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the API is."`
	Token  config.Secret `env:"POSTHASTE_TOKEN" placeholder:"JWT" help:"Token of the tenant, as posthaste token prints it."`
	APIKey config.Secret `name:"api-key" env:"POSTHASTE_API_KEY" placeholder:"KEY" help:"API key of the tenant, in place of a token."`
}

// caller returns a client of the API. What the flags lack is told as a mistake
// on the command line.
func (f apiFlags) caller() (*caller, error) {
	base, err := url.Parse(f.API)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, misused("--api (POSTHASTE_API_URL) must be the address of a Posthaste API, such as http://127.0.0.1:8080")
	}
	c := &caller{base: strings.TrimRight(f.API, "/")}
	switch {
	case f.Token.IsSet() && f.APIKey.IsSet():
		return nil, misused("there are both a token and an API key: leave one out (POSTHASTE_TOKEN and POSTHASTE_API_KEY count, too)")
	case f.Token.IsSet():
		c.credential = [2]string{"Authorization", "Bearer " + f.Token.Reveal()}
	case f.APIKey.IsSet():
		c.credential = [2]string{"X-API-Key", f.APIKey.Reveal()}
	default:
		return nil, misused("who is asking? Give --token (POSTHASTE_TOKEN), which posthaste token makes, or --api-key (POSTHASTE_API_KEY)")
	}
	return c, nil
}

// caller calls the API of a running Posthaste, as a customer would.
type caller struct {
	base       string    // URL without a slash at the end
	credential [2]string // a header's name and value
}

// refusal is an answer of the API that is not what was asked for.
type refusal struct {
	status  int
	message string
	fields  map[string]string
}

// Error says what the API said.
func (r *refusal) Error() string {
	reasons := []string{r.message}
	for _, field := range slices.Sorted(maps.Keys(r.fields)) {
		reasons = append(reasons, field+" "+r.fields[field])
	}
	return fmt.Sprintf("%d: %s", r.status, printable([]byte(strings.Join(reasons, "; ")), 2000))
}

// page is where a list goes on.
type page struct {
	NextCursor string `json:"nextCursor"`
}

// question is one request: body is sent as JSON unless it is nil, and key as the
// Idempotency-Key unless it is empty.
type question struct {
	method, path string
	body         any
	key          string
}

// ask makes one request and reads the answer's data into into, unless that is
// nil. An answer that is no success is a *refusal.
func (c *caller) ask(ctx context.Context, q question, into any) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var content bytes.Buffer
	if q.body != nil {
		if err := writeJSON(&content, q.body); err != nil {
			return page{}, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, &content)
	if err != nil {
		return page{}, fmt.Errorf("ask the API: %w", err)
	}
	request.Header.Set("User-Agent", userAgent())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(c.credential[0], c.credential[1])
	if q.key != "" {
		request.Header.Set("Idempotency-Key", q.key)
	}
	// A redirect would carry the credential elsewhere; it is an answer like others.
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := once.Do(request)
	if err != nil {
		return page{}, unreachable(ctx, c.base, err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or of no use
	return decodeAnswer(response, c.base, into)
}

// unreachable tells that nobody answered; an end that was asked for stays one.
func unreachable(ctx context.Context, base string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	return failed(err, "the API at %s does not answer (%v): check --api (POSTHASTE_API_URL), and that Posthaste runs there", base, innermost(err))
}

func decodeAnswer(response *http.Response, base string, into any) (page, error) {
	var answer struct {
		Data       json.RawMessage   `json:"data"`
		Pagination page              `json:"pagination"`
		Message    string            `json:"message"`
		Errors     map[string]string `json:"errors"`
	}
	err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		if answer.Message == "" { // something before the API, such as a proxy
			answer.Message = http.StatusText(response.StatusCode)
		}
		return page{}, &refusal{status: response.StatusCode, message: answer.Message, fields: answer.Errors}
	}
	if into == nil {
		return answer.Pagination, nil
	}
	if err == nil {
		err = json.Unmarshal(answer.Data, into)
	}
	if err != nil {
		return page{}, failed(err, "what answers at %s is no Posthaste API: check --api (POSTHASTE_API_URL)", base)
	}
	return answer.Pagination, nil
}
