package send

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// badRequestError says why a Request cannot be sent at all. The text is shown
// to people: it names no value of the request.
type badRequestError struct{ why string }

func (e *badRequestError) Error() string { return e.why }

// receiver is how sentences name the other side: never with a path, a query or
// credentials, which hold secrets.
type receiver struct {
	host    string // without the port
	address string // with the port
}

// someReceiver stands in where no usable URL is known.
var someReceiver = receiver{host: "the receiver", address: "the receiver"}

// newRequest turns r into a request of net/http that reports to p.
func newRequest(ctx context.Context, r Request, p *progress) (*http.Request, receiver, error) {
	request, err := http.NewRequestWithContext(p.watch(ctx), http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil { // holds the URL, so it goes no further
		return nil, someReceiver, &badRequestError{"the URL cannot be read"}
	}
	to, err := checkURL(request.URL)
	if err != nil {
		return nil, to, err
	}
	if request.Header, err = headers(r.Header); err != nil {
		return nil, to, err
	}
	request.GetBody = p.again(request.GetBody)
	return request, to, nil
}

func checkURL(u *url.URL) (receiver, error) {
	port := u.Port()
	switch u.Scheme {
	case "https":
		port = orDefault(port, "443")
	case "http":
		port = orDefault(port, "80")
	default:
		return someReceiver, &badRequestError{"the URL is neither http nor https"}
	}
	if u.Hostname() == "" {
		return someReceiver, &badRequestError{"the URL names no host"}
	}
	to := receiver{host: u.Hostname(), address: net.JoinHostPort(u.Hostname(), port)}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return to, &badRequestError{"the URL names an impossible port"}
	}
	if u.User != nil { // net/http would turn it into an Authorization header
		return to, &badRequestError{"the URL holds credentials"}
	}
	return to, nil
}

func orDefault(port, def string) string {
	if port == "" {
		return def
	}
	return port
}

// framing lists the headers that say where a message goes, how long it is or
// what becomes of the connection. Sent beside those of net/http they would let
// one request pass for two.
var framing = map[string]bool{
	"Connection": true, "Content-Length": true, "Expect": true, "Host": true,
	"Http2-Settings": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// headers keeps every name as it is given, with the exceptions that net/http
// forces on us.
func headers(given []Header) (http.Header, error) {
	// Without an entry of its own, net/http would add its own User-Agent.
	out := http.Header{"User-Agent": nil}
	for _, h := range given {
		if !httpguts.ValidHeaderFieldName(h.Name) {
			return nil, &badRequestError{"a header has an impossible name"}
		}
		name, canonical := h.Name, http.CanonicalHeaderKey(h.Name)
		if framing[canonical] {
			return nil, &badRequestError{"the header " + canonical + " cannot be set"}
		}
		if !httpguts.ValidHeaderFieldValue(h.Value) {
			return nil, &badRequestError{"the value of a header holds impossible characters"}
		}
		switch canonical {
		case "User-Agent":
			name = canonical // net/http looks for it under this spelling only
		case "Idempotency-Key", "X-Idempotency-Key":
			// Under the canonical spelling net/http takes the POST for repeatable
			// and repeats it unasked; how often to send is the policy's decision.
			name = strings.ToLower(name)
		}
		out[name] = append(out[name], h.Value)
	}
	return out, nil
}
