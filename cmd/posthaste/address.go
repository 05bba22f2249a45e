package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
)

// listen opens a TCP listener, and names the flag to change when it cannot.
func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failed(err, "%s is in use: stop what listens there, or choose another address with %s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, failed(err, "%s may not be listened on by this user: choose a port above 1023 with %s", address, flag)
	default:
		return nil, failed(err, "cannot listen on %s (%v): choose another address with %s", address, err, flag)
	}
}

// freePort makes sure that nothing listens on a loopback port which a child
// will take in a moment. Port 0 finds a free one.
func freePort(ctx context.Context, port int, flag string) (int, error) {
	listener, err := listen(ctx, net.JoinHostPort(loopback, strconv.Itoa(port)), flag)
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }() // nothing was accepted, nothing can be lost
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// loopback is where everything of `posthaste dev` listens by default.
const loopback = "127.0.0.1"

// browsable returns the URL under which a listener is reached from this
// machine: a listener on all interfaces is reached on the loopback one.
func browsable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "http://" + address.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = loopback
	}
	return "http://" + net.JoinHostPort(host, port)
}
