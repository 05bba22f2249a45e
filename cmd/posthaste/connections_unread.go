package main

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// lingering is how long a connection stays open for the rest of a body that
	// nobody wants, after the answer. Closed at once, it would be reset under a
	// caller who is still sending, and the answer lost with it.
	lingering = 500 * time.Millisecond
	// atHand is how much of a body is looked at that came together with the
	// headers: what net/http reads at once.
	atHand = 4 << 10
)

// answeringAtOnce has a handler's answer sent when it is there, though the body
// of its request is not. By itself net/http waits for the body first, so that who
// announces one and sends nothing holds a connection for the whole time that
// bodies have, without any credential.
func answeringAtOnce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		// The server's own request keeps its body, by whose type it goes.
		own := r.WithContext(r.Context())
		answer := &promptAnswer{ResponseWriter: w, request: r, body: &watchedBody{ReadCloser: r.Body}}
		own.Body = answer.body
		next.ServeHTTP(answer, own)
		answer.settle()
	})
}

// promptAnswer decides before its first byte what becomes of the connection.
type promptAnswer struct {
	http.ResponseWriter
	request *http.Request
	body    *watchedBody
	settled bool
}

// Unwrap is for http.ResponseController.
func (a *promptAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (a *promptAnswer) WriteHeader(status int) {
	if status >= http.StatusOK {
		a.settle()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *promptAnswer) Write(text []byte) (int, error) {
	a.settle()
	return a.ResponseWriter.Write(text)
}

// settle closes the connection after the answer unless the whole body is there: a
// small one, which came with the headers, leaves it usable.
func (a *promptAnswer) settle() {
	if a.settled {
		return
	}
	a.settled = true
	connection := http.NewResponseController(a.ResponseWriter)
	// Of a caller who waits to be asked for the body, reading would ask for it.
	// Chunks cannot be read on after a failure.
	if !a.body.ended && a.request.ContentLength > 0 && a.request.Header.Get("Expect") == "" {
		_ = connection.SetReadDeadline(time.Now()) // nothing is waited for
		_, _ = io.CopyN(io.Discard, a.body, atHand)
		if a.body.ended {
			_ = connection.SetReadDeadline(time.Time{})
		}
	}
	if !a.body.ended {
		a.Header().Set("Connection", "close") // so that the server does not wait either
		_ = connection.SetReadDeadline(time.Now().Add(lingering))
	}
}

// watchedBody knows whether it was read to its end.
type watchedBody struct {
	io.ReadCloser
	ended bool
}

// Read implements io.Reader.
func (b *watchedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}
