package provider

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"posthaste/webhook/send"
)

// maxURLLength is what receivers, proxies and logs commonly stand.
const maxURLLength = 2048

// URLRules are what an installation adds to a profile's URL rule.
type URLRules struct {
	// AllowHTTP is the development switch: http where the profile wants https,
	// and any port.
	AllowHTTP bool
	// AllowNetworks are networks that a webhook may point to although they are
	// not on the public Internet.
	AllowNetworks []netip.Prefix
}

// check returns what is wrong with a webhook's URL, or "". The address a name
// resolves to is looked at when the sender dials, not here.
func (s URLSchema) check(raw string, rules URLRules) string {
	if raw == "" {
		return "is required"
	}
	if len(raw) > maxURLLength {
		return fmt.Sprintf("must be at most %d characters", maxURLLength)
	}
	if fault := checkURLText(raw); fault != "" {
		return fault
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Opaque != "" || parsed.Host == "" {
		return "must be an absolute URL such as https://example.com/webhooks"
	}
	if parsed.User != nil {
		return "must not hold a user name or password; use a header"
	}
	if fault := s.checkScheme(parsed.Scheme, rules); fault != "" {
		return fault
	}
	if fault := s.checkPort(parsed, rules); fault != "" {
		return fault
	}
	return checkHost(parsed.Hostname(), strings.HasPrefix(parsed.Host, "["), rules.AllowNetworks)
}

// checkURLText refuses what parsers disagree about, before one is asked.
func checkURLText(raw string) string {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || scheme == "" {
		return "must be an absolute URL such as https://example.com/webhooks"
	}
	if strings.Contains(raw, "#") {
		return "must not have a fragment"
	}
	host, path := rest, ""
	if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
		host, path = rest[:slash], rest[slash:]
	}
	if strings.ContainsAny(host, "%\\ \t\r\n") {
		return "has a character in its host that no host has"
	}
	for _, c := range path {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", c) {
			return fmt.Sprintf("has %q, which must be percent-encoded", c)
		}
	}
	return ""
}

func (s URLSchema) checkScheme(scheme string, rules URLRules) string {
	switch {
	case scheme != "https" && scheme != "http":
		return "must use https or http"
	case slices.Contains(s.Schemes, scheme), scheme == "http" && rules.AllowHTTP:
		return ""
	}
	return "must use " + s.Schemes[0]
}

func (s URLSchema) checkPort(parsed *url.URL, rules URLRules) string {
	port := map[string]int{"https": 443, "http": 80}[parsed.Scheme]
	if text := parsed.Port(); text != "" {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > 65535 || text[0] == '0' {
			return "must have a port between 1 and 65535"
		}
		port = number
	} else if strings.HasSuffix(parsed.Host, ":") {
		return "must have a port after the colon"
	}
	allowed := s.Ports[parsed.Scheme]
	if len(allowed) == 0 || rules.AllowHTTP || slices.Contains(allowed, port) {
		return ""
	}
	return fmt.Sprintf("must use port %d with %s", allowed[0], parsed.Scheme)
}

// localNames are names that lead to this machine wherever they are resolved.
var localNames = []string{
	"localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6",
	"ip6-localhost", "ip6-loopback",
}

// metadataName leads to a cloud's metadata service, as its address does.
const metadataName = "metadata.google.internal"

var metadataAddr = netip.AddrFrom4([4]byte{169, 254, 169, 254})

// checkHost accepts an IP address in its one canonical text form, or a DNS
// name. What resolvers read as an address in disguise (2130706433, 0x7f.1,
// 127.1, full-width digits) is neither.
func checkHost(host string, bracketed bool, allow []netip.Prefix) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" || bracketed != (addr.Is6()) {
			return "has an address that cannot be used"
		}
		return checkAddr(addr.Unmap(), allow)
	}
	if bracketed {
		return "has an address that cannot be used"
	}
	name, err := asciiName(strings.ToLower(strings.TrimSuffix(host, ".")))
	if err != nil || !isDNSName(name) {
		return "has a host that is neither an IP address nor a DNS name"
	}
	if slices.Contains(localNames, name) || strings.HasSuffix(name, ".localhost") {
		if checkAddr(netip.IPv6Loopback(), allow) == "" {
			return ""
		}
		return checkAddr(netip.AddrFrom4([4]byte{127, 0, 0, 1}), allow)
	}
	if name == metadataName {
		return checkAddr(metadataAddr, allow)
	}
	return ""
}

// asciiName turns an international name into the one that is looked up, by the
// rules net/http uses. Plain ASCII stays: those rules know no underscore.
func asciiName(host string) (string, error) {
	isPlain := !strings.ContainsFunc(host, func(c rune) bool { return c >= 0x80 })
	if isPlain && !strings.Contains(host, "xn--") {
		return host, nil
	}
	return idna.Lookup.ToASCII(host)
}

// isDNSName reports whether the ASCII name can be looked up and cannot be read
// as a number.
func isDNSName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return !isNumeric(labels[len(labels)-1])
}

// isNumeric is the URL standard's test for a host that ends in a number: such a
// host is an IPv4 address to some resolver, whatever stands before it.
func isNumeric(label string) bool {
	if hexDigits, found := strings.CutPrefix(label, "0x"); found {
		return strings.Trim(hexDigits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func checkAddr(addr netip.Addr, allow []netip.Prefix) string {
	if send.Forbidden(addr, allow) {
		return "must not point to this machine or a private network"
	}
	return ""
}
