package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"posthaste/config"
)

// healthTimeout bounds the question: a process that takes longer is not well.
const healthTimeout = 5 * time.Second

type healthCommand struct {
	config.HTTP
}

// Run asks the process of this container whether it is ready. Images without a
// shell have no other way to.
func (h healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(h.HTTPAddr)
	if err != nil {
		return failed(err, "POSTHASTE_HTTP_ADDR is %q: write host:port", h.HTTPAddr)
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = loopback
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	response, err := (&http.Client{}).Do(request)
	if err != nil {
		return failed(err, "nothing answers on %s", net.JoinHostPort(host, port))
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or of no use
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if response.StatusCode != http.StatusOK {
		return failed(nil, "not ready: %s", text)
	}
	return nil
}
