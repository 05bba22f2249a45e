package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"posthaste/config"
)

// healthTimeout bounds the question: a process that takes longer is not well.
const healthTimeout = 5 * time.Second

type healthCommand struct {
	config.HTTP
	output
}

// Help says what comes of it.
func (healthCommand) Help() string {
	return `It exits with 0 when the process is ready, and with 1 when it is not or does not answer.

Examples:

  posthaste health
  posthaste health --http 127.0.0.1:8081 --json`
}

// health is what a process says of itself.
type health struct {
	Ready   bool              `json:"ready"`
	Checks  map[string]string `json:"checks"`
	Message string            `json:"message,omitempty"` // of an API that is not ready, in place of the checks
}

// Run asks the process of this container whether it is ready. Images without a
// shell have no other way to.
func (h healthCommand) Run(ctx context.Context, c console) error {
	found, err := h.ask(ctx)
	if err != nil {
		return err
	}
	if h.JSON {
		err = writeJSON(c.out, found)
	} else if len(found.Checks) > 0 {
		var rows [][]string
		for _, name := range slices.Sorted(maps.Keys(found.Checks)) {
			rows = append(rows, []string{name, found.Checks[name]})
		}
		err = writeTable(c.out, []string{"CHECK", "STATUS"}, rows)
	}
	if err != nil || found.Ready {
		return err
	}
	return failed(nil, "not ready: %s", found.why())
}

// why names what is not ready.
func (h health) why() string {
	var failing []string
	for _, name := range slices.Sorted(maps.Keys(h.Checks)) {
		if h.Checks[name] != "ok" {
			failing = append(failing, name)
		}
	}
	return cmp.Or(strings.Join(failing, ", "), h.Message, "it does not say why")
}

func (h healthCommand) ask(ctx context.Context) (health, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(h.HTTPAddr)
	if err != nil {
		return health{}, failed(err, "POSTHASTE_HTTP_ADDR is %q: write host:port", h.HTTPAddr)
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = loopback
	}
	address := net.JoinHostPort(host, port)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return health{}, fmt.Errorf("ask for readiness: %w", err)
	}
	response, err := (&http.Client{}).Do(request)
	if err != nil {
		return health{}, failed(err, "nothing answers on %s", address)
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or of no use
	var said struct {                            // a worker names its checks on top, the API within data
		health
		Data health `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 4<<10)).Decode(&said); err != nil {
		return health{}, failed(err, "what answers on %s is no Posthaste (status %d)", address, response.StatusCode)
	}
	found := health{Ready: response.StatusCode == http.StatusOK, Checks: map[string]string{}, Message: said.Message}
	maps.Copy(found.Checks, said.Checks)
	maps.Copy(found.Checks, said.Data.Checks)
	return found, nil
}
