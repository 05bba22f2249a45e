package dashboard

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthaste/models"
	"posthaste/webhook"
)

// ended puts a full stop to a sentence that has no end yet.
func ended(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".?!") {
		return text
	}
	return text + "."
}

// colorScheme tells the browser what its own controls shall look like.
func colorScheme(theme string) string {
	if theme == themeSystem {
		return "light dark"
	}
	return theme
}

// nbsp keeps a number and its unit on one line.
const nbsp = "\u00a0"

func pressed(on bool) string { return strconv.FormatBool(on) }

// titled begins a word with a capital.
func titled(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// machineTime is how <time> is told a moment.
func machineTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// shownTime is a moment for people, until a script shows it in their zone.
func shownTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// counted writes a number with its noun: 1 event, 2 events.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a number with its thousands apart: 12,345.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// percent writes a share: 0 %, <0.1 %, 12.3 %, 100 % for all and nothing less.
func percent(part, whole int64) string {
	switch {
	case whole == 0:
		return "–"
	case part == 0:
		return "0\u00a0%"
	case part == whole:
		return "100\u00a0%"
	}
	share := 100 * float64(part) / float64(whole)
	switch {
	case share < 0.1:
		return "<0.1\u00a0%"
	case share > 99.9:
		return ">99.9\u00a0%"
	case share >= 10:
		return strconv.FormatFloat(share, 'f', 0, 64) + "\u00a0%"
	default:
		return strconv.FormatFloat(share, 'f', 1, 64) + "\u00a0%"
	}
}

// tone is the colour of a badge: good, bad, warn or quiet.
func tone(status string) string {
	switch status {
	case models.StatusActive:
		return "good"
	case models.StatusBroken, models.StatusGone:
		return "bad"
	default:
		return "quiet"
	}
}

// outcome says in a word or two how an attempt ended: 200, 503 or Timeout.
func outcome(a models.Attempt) string {
	if a.StatusCode != nil {
		return strconv.Itoa(*a.StatusCode)
	}
	return spoken(a.Reason)
}

// spoken writes a reason for people: connection_refused is Connection refused.
func spoken(reason string) string {
	if reason == "" {
		return "No answer"
	}
	words := strings.ReplaceAll(reason, "_", " ")
	for _, short := range []string{"dns", "tls"} {
		words = strings.ReplaceAll(words, short, strings.ToUpper(short))
	}
	return titled(words)
}

// neverLeft are the ends of attempts that came to no connection to send over.
var neverLeft = []webhook.Reason{
	webhook.ReasonConnectTimeout, webhook.ReasonDNSNotFound, webhook.ReasonDNSFailure, webhook.ReasonForbiddenAddress,
	webhook.ReasonConnectionRefused, webhook.ReasonUnreachable, webhook.ReasonTLS, webhook.ReasonBadRequest,
}

// requestTitle says what the request of an attempt is: what came back tells
// whether it left. Without an answer it may have, in whole or in part.
func requestTitle(a models.Attempt) string {
	switch {
	case a.StatusCode != nil:
		return "Request, as it was sent"
	case slices.Contains(neverLeft, webhook.Reason(a.Reason)):
		return "Request, as it would have been sent"
	default:
		return "Request"
	}
}

// took writes a duration of milliseconds: 87 ms, 1.24 s, 30.0 s.
func took(ms int64) string {
	switch {
	case ms < 1000:
		return fmt.Sprintf("%d\u00a0ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.2f\u00a0s", float64(ms)/1000)
	default:
		return fmt.Sprintf("%.1f\u00a0s", float64(ms)/1000)
	}
}
