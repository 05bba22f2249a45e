// Command posthaste delivers webhooks. `posthaste dev` runs everything on one
// machine; `posthaste serve` is production. Each command has a file of its own;
// all of them are wiring: what is decided is decided in the rooms they join.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal stops in good order; a second one ends the process at once
	collectSeldom(os.LookupEnv)
	os.Exit(run(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv}))
}
