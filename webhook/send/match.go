package send

import (
	"crypto/x509"
	"errors"
	"net"
	"slices"
)

// The tests below are the vocabulary of the table of faults. They look at types
// and values, never at texts.

func anyOf(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func either(tests ...func(error) bool) func(error) bool {
	return func(err error) bool {
		for _, test := range tests {
			if test(err) {
				return true
			}
		}
		return false
	}
}

func stalledAt(phases ...phase) func(error) bool {
	return func(err error) bool {
		stalled, ok := errors.AsType[*stalledError](err)
		return ok && slices.Contains(phases, stalled.at)
	}
}

func brokenAt(p phase) func(error) bool {
	return func(err error) bool {
		broken, ok := errors.AsType[*brokenError](err)
		return ok && broken.at == p
	}
}

func certificate(reason x509.InvalidReason) func(error) bool {
	return func(err error) bool {
		invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
		return ok && invalid.Reason == reason
	}
}

func dialTimeout(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && op.Timeout()
}

func timeout(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout()
}

// tlsAlert finds the alerts of crypto/tls, whose type it keeps to itself.
func tlsAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error")
}
