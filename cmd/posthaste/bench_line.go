package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"

	"posthaste/config"
)

// commandLine is what was typed, in the order in which it was, for a report that
// others read: what is secret is left out of it.
func commandLine(parsed *kong.Context) string {
	words, seen := []string{"posthaste", parsed.Command()}, map[*kong.Flag]bool{}
	for _, step := range parsed.Path {
		if step.Flag == nil || seen[step.Flag] {
			continue
		}
		seen[step.Flag] = true
		name, value := "--"+step.Flag.Name, parsed.FlagValue(step.Flag)
		if given, isSwitch := value.(bool); isSwitch && given {
			words = append(words, name)
			continue
		}
		words = append(words, name, quoted(public(value)))
	}
	return strings.Join(words, " ")
}

// public is the value of a flag without what is secret in it. Of a secret only a
// URL is shown, and of a URL neither a password nor what may be one: of its query
// nothing but the mode of TLS.
func public(value any) string {
	text := fmt.Sprint(value)
	if list, isList := value.([]string); isList {
		text = strings.Join(list, ",")
	}
	secret, isSecret := value.(config.Secret)
	if isSecret && strings.Contains(secret.Reveal(), "://") {
		text = secret.Reveal()
	}
	if !strings.Contains(text, "://") {
		return text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return config.Secret(text).String()
	}
	if parsed.User != nil {
		parsed.User = url.User(parsed.User.Username())
	}
	mode := parsed.Query().Get("sslmode")
	parsed.RawQuery = ""
	if mode != "" {
		parsed.RawQuery = url.Values{"sslmode": {mode}}.Encode()
	}
	return parsed.String()
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'`$&|;<>()[]{}*?!#~\\") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
