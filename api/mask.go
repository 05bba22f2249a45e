package api

import (
	"net/http"

	"posthaste/webhook"
)

// mask stands in answers for a header value that is a credential. Sent back in
// a PATCH it means: leave the value as it is.
const mask = "••••"

// maskHeaders returns a webhook's headers as they may be shown.
func maskHeaders(headers map[string]string) map[string]string {
	shown := make(map[string]string, len(headers))
	for name, value := range headers {
		if webhook.CarriesCredential(name) {
			value = mask
		}
		shown[name] = value
	}
	return shown
}

// unmaskHeaders puts the stored values back where a mask was sent; a mask
// without a stored value is at fault.
func unmaskHeaders(body *object, given, stored map[string]string) {
	for name, value := range given {
		if value != mask {
			continue
		}
		old, ok := stored[http.CanonicalHeaderKey(name)]
		if !ok {
			body.fault("headers."+name, "is only a mask; send the value itself")
			continue
		}
		given[name] = old
	}
}
