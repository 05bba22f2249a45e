package main

import (
	"errors"
	"fmt"
	"io"

	"posthaste/config"
	"posthaste/errs"
)

// failure is something that can be expected to go wrong on a machine, told in
// one sentence that says what to do. The cause is shown only where it adds
// something.
type failure struct {
	sentence string
	cause    error
	code     int // what the process exits with; 0 stands for exitFailure
}

// Error returns the sentence.
func (f *failure) Error() string { return f.sentence }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// failed returns a failure with its sentence.
func failed(cause error, format string, args ...any) error {
	return &failure{sentence: fmt.Sprintf(format, args...), cause: cause}
}

// misused returns a mistake on the command line that the grammar cannot see.
func misused(format string, args ...any) error {
	return &failure{sentence: fmt.Sprintf(format, args...), code: exitUsage}
}

// report writes the error for a person and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "posthaste: %s\n", explain(err))
	var known *failure
	if errors.As(err, &known) && known.code != 0 {
		return known.code
	}
	return exitFailure
}

// explain returns what a person should read of an error.
func explain(err error) string {
	var (
		known    *failure
		settings *config.Error
		coded    *errs.Error
	)
	switch {
	case errors.As(err, &known):
		return known.sentence
	case errors.As(err, &settings):
		return settings.Error()
	case errors.As(err, &coded) && coded.Code == errs.Invalid:
		text := coded.Message
		for field, fault := range coded.Fields {
			text = field + " " + fault
		}
		return text
	default:
		return err.Error()
	}
}
