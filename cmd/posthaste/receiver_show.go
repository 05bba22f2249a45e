package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	// receiverShown is how much of an event's data fits a terminal's line.
	receiverShown = 100
	// lineShown bounds each line of a POST that is shown in full.
	lineShown = 4000
)

// showFully prints a POST for a person: its headers, its body laid out, what
// verification found, and the answer.
func showFully(out io.Writer, came *arrival) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  POST %d  %s  from %s\n", came.at.Format(time.TimeOnly), came.number, printable([]byte(came.path), lineShown), came.from)
	for _, name := range slices.Sorted(maps.Keys(came.header)) {
		for _, value := range came.header[name] {
			fmt.Fprintf(&text, "  %s: %s\n", printable([]byte(name), lineShown), printable([]byte(value), lineShown))
		}
	}
	text.WriteString("\n")
	for _, line := range layOut(came) {
		fmt.Fprintf(&text, "  %s\n", printable([]byte(line), lineShown))
	}
	fmt.Fprintf(&text, "\n  %s\n  %s\n\n", came.verdict.line(), came.answer())
	_, _ = io.WriteString(out, text.String()) // a terminal that is gone is no reason to stop
}

// answer says what the sender gets.
func (a *arrival) answer() string {
	answer := fmt.Sprintf("answer %d %s", a.status, http.StatusText(a.status))
	if a.delay > 0 {
		answer += fmt.Sprintf(" after %v", a.delay)
	}
	return answer
}

// layOut returns the lines of a body: JSON indented, a form as its fields in
// their order, anything else as it is.
func layOut(came *arrival) []string {
	kind, _, _ := mime.ParseMediaType(came.header.Get("Content-Type"))
	var indented bytes.Buffer
	switch {
	case len(came.body) == 0:
		return []string{"(no body)"}
	case kind == "application/x-www-form-urlencoded":
		return formLines(string(came.body))
	case json.Indent(&indented, came.body, "", "  ") == nil:
		return strings.Split(indented.String(), "\n")
	default:
		return strings.Split(string(came.body), "\n")
	}
}

func formLines(body string) []string {
	var lines []string
	for _, pair := range strings.Split(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		lines = append(lines, unescaped(name)+" = "+unescaped(value))
	}
	return lines
}

// unescaped decodes a part of a form; what cannot be decoded stays as it came.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// arrivalJSON is a POST for a program. Body is JSON text in a string, as it came:
// a signature covers those bytes.
type arrivalJSON struct {
	At       string      `json:"at"`
	Number   int         `json:"number"`
	Path     string      `json:"path"`
	Headers  http.Header `json:"headers"`
	Body     string      `json:"body"`
	Verified *bool       `json:"verified"` // null = not checked
	Version  string      `json:"version,omitempty"`
	Why      string      `json:"why,omitempty"`
	Answer   int         `json:"answer"`
}

// showJSON prints a POST as one line of JSON.
func showJSON(out io.Writer, came *arrival) {
	shown := arrivalJSON{
		At: came.at.UTC().Format(time.RFC3339Nano), Number: came.number, Path: came.path, Headers: came.header, Body: string(came.body),
		Version: came.verdict.version, Why: came.verdict.why, Answer: came.status,
	}
	if came.verdict.checked {
		shown.Verified = &came.verdict.verified
	}
	_ = writeJSON(out, shown) // a reader that is gone is no reason to stop
}

// printable makes foreign text fit for a terminal: one line, of so many
// characters at most, without the control characters that could steer it.
func printable(text []byte, most int) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, string(bytes.ToValidUTF8(text, []byte("?"))))
	if short := []rune(clean); len(short) > most {
		return string(short[:most]) + "…"
	}
	return clean
}
