package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
)

// serveProfiles serves Go's profiles at an address of their own, so that no route
// of the API ever leads to them. Without an address it does nothing.
func serveProfiles(ctx context.Context, address string, logger *slog.Logger, closers *cleanup) error {
	if address == "" {
		return nil
	}
	listener, err := listen(ctx, address, "--debug-addr (POSTHASTE_DEBUG_ADDR)")
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/debug/pprof/", pprof.Index) // and by name: heap, goroutine, block, mutex, allocs
	routes.HandleFunc("/debug/pprof/profile", pprof.Profile)
	routes.HandleFunc("/debug/pprof/trace", pprof.Trace)
	profiles := &http.Server{Handler: routes, ReadHeaderTimeout: readHeaderTimeout}
	closers.push("profiles", func() error { return ignoreClosed(profiles.Close()) })
	logger.Warn("profiles are served, which show what is in memory", "address", listener.Addr().String())
	go func() { _ = profiles.Serve(listener) }() // it ends when it is closed
	return nil
}
