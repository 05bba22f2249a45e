package provider

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Limits of a webhook's own headers.
const (
	maxHeaders     = 20
	maxHeaderName  = 128
	maxHeaderValue = 4 << 10
)

// commonDeliveryHeader is the name most profiles give to the header with the
// delivery's id. No webhook may set it, whatever its provider does.
const commonDeliveryHeader = "X-Delivery-Id"

// ownHeaders are set by Posthaste or by the HTTP connection; a webhook that
// could set them could break the request or pass for another.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect",
	"Host", "Http2-Settings", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent", commonDeliveryHeader,
}

// ownPrefixes are the beginnings of names that are ours or the connection's.
var ownPrefixes = []string{"Proxy-", "Webhook-"}

// normaliseHeaders returns the headers under their canonical names and adds
// what is wrong with them to the faults.
func (p *Profile) normaliseHeaders(headers map[string]string, faults map[string]string) map[string]string {
	if len(headers) == 0 {
		return headers
	}
	if len(headers) > maxHeaders {
		faults["headers"] = fmt.Sprintf("must be at most %d", maxHeaders)
		return headers
	}
	normal := make(map[string]string, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical, value := http.CanonicalHeaderKey(name), strings.Trim(headers[name], " \t")
		_, twice := normal[canonical]
		if fault := p.checkHeader(canonical, value, twice); fault != "" {
			faults["headers."+name] = fault
		}
		normal[canonical] = value
	}
	return normal
}

func (p *Profile) checkHeader(canonical, value string, twice bool) string {
	switch {
	case len(canonical) > maxHeaderName || !httpguts.ValidHeaderFieldName(canonical):
		return "is no header name"
	case twice:
		return "is given twice"
	case p.isOwnHeader(canonical):
		return "is set by Posthaste"
	case len(value) > maxHeaderValue:
		return fmt.Sprintf("must be at most %d bytes", maxHeaderValue)
	case !httpguts.ValidHeaderFieldValue(value):
		return "has a character that no header may hold"
	}
	return ""
}

// isOwnHeader reads an underscore as a hyphen, as receivers behind CGI and WSGI
// do: to them Webhook_Id is the webhook-id.
func (p *Profile) isOwnHeader(canonical string) bool {
	hyphened := http.CanonicalHeaderKey(strings.ReplaceAll(canonical, "_", "-"))
	return p.reserved[canonical] || p.reserved[hyphened] || isConnectionHeader(hyphened)
}

func isConnectionHeader(canonical string) bool {
	return slices.Contains(ownHeaders, canonical) ||
		slices.ContainsFunc(ownPrefixes, func(prefix string) bool { return strings.HasPrefix(canonical, prefix) })
}
