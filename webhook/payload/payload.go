// Package payload turns events into the bytes a receiver gets. It makes JSON
// canonical at the door (Canonical), and renders the body of a POST by a Spec,
// the `payload` part of a provider's profile (Compile, Renderer.Render).
//
// Nothing here reads a clock or knows a provider: what a provider wants is data.
package payload

import (
	"time"

	"posthaste/errs"
	"posthaste/webhook"
)

// Input is what a body is rendered from.
type Input struct {
	Event        webhook.Event
	Subscription webhook.Subscription
	DeliveryID   string
	Now          time.Time // the moment of this attempt
}

// Body is what is signed and sent: the bytes and what they are.
type Body struct {
	Bytes       []byte
	ContentType string
}

// Renderer renders bodies by one Spec. It is safe for concurrent use.
type Renderer struct {
	contentType string
	write       writer
}

// writer appends the body of one event to dst.
type writer func(dst []byte, s *scope) ([]byte, error)

// format is one way of writing bodies: its content type and how a Spec becomes
// a writer.
type format struct {
	contentType string
	compile     func(Spec) (writer, error)
}

// formats holds every format. A new one is a file and a line here.
var formats = map[string]format{
	"json":        {"application/json", compileJSON},
	"standard":    {"application/json", compileStandard},
	"cloudevents": {"application/cloudevents+json", compileCloudEvents},
	"form":        {"application/x-www-form-urlencoded; charset=utf-8", compileForm},
}

// Formats returns the names of all formats, sorted.
func Formats() []string { return sortedKeys(formats) }

// Compile checks a Spec once and makes it fast to render. Whatever is wrong
// with it (an unknown format or reference, a key that makes no sense) is an
// errs.Invalid error whose message names the place within the Spec.
func Compile(spec Spec) (*Renderer, error) {
	chosen, known := formats[spec.Format]
	if !known {
		return nil, specFault("format", "%q is not a format; known are %s", spec.Format, quotedList(Formats()))
	}
	write, err := chosen.compile(spec)
	if err != nil {
		return nil, err
	}
	contentType := chosen.contentType
	if spec.ContentType != "" {
		contentType = spec.ContentType
	}
	if !isHeaderValue(contentType) {
		return nil, specFault("contentType", "holds a character that no header may hold")
	}
	return &Renderer{contentType: contentType, write: write}, nil
}

// Render writes the body of one event for one webhook. The same input gives the
// same bytes, always. It fails only when the event's data is not JSON, which
// Canonical keeps out at the door.
func (r *Renderer) Render(in Input) (Body, error) {
	s := newScope(in)
	defer s.release()
	var err error
	s.body, err = r.write(s.body, s)
	if err == nil {
		err = s.fault
	}
	if err != nil {
		return Body{}, err
	}
	body := make([]byte, len(s.body))
	copy(body, s.body)
	return Body{Bytes: body, ContentType: r.contentType}, nil
}

// specFault is a mistake in a Spec at the given place.
func specFault(place, message string, args ...any) error {
	return errs.New(errs.Invalid, "payload."+place+": "+message, args...)
}

// isHeaderValue reports whether the text can stand in a header as it is.
func isHeaderValue(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
