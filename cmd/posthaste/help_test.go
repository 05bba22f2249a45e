package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"posthaste/config"
)

// grammarOf returns the parser of the command line, for an empty environment.
func grammarOf(t *testing.T) *kong.Kong {
	t.Helper()
	var problems []config.Problem
	parser, err := kong.New(&commands{}, kong.Name("posthaste"), kong.Vars{"version": ""},
		environment(func(string) (string, bool) { return "", false }, &problems))
	require.NoError(t, err)
	return parser
}

// exampleCall is posthaste in an example, up to the end of the command: what
// follows two spaces says what it does.
var exampleCall = regexp.MustCompile(`posthaste((?: [^\s|)]+)+)`)

// TestEveryCommandHasExamples: --help of each command that a person types shows
// how, in lines that the command line takes.
func TestEveryCommandHasExamples(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, leaf := range grammarOf(t).Model.Leaves(true) {
		if leaf.Name == "version" {
			continue // nothing can be said to it
		}
		seen++
		t.Run(leaf.Path(), func(t *testing.T) {
			t.Parallel()
			name := strings.Fields(leaf.Path())
			got := call(t, nil, append(name, "--help")...)
			require.Equal(t, exitOK, got.code, got.errors)
			_, examples, found := strings.Cut(leaf.Detail, "\n\nExamples:\n\n")
			require.True(t, found, "posthaste %s --help has no examples", leaf.Path())
			own := 0
			for line := range strings.SplitSeq(examples, "\n") {
				require.Contains(t, got.out, line, "is printed as it is written")
				match := exampleCall.FindStringSubmatch(line)
				require.NotNil(t, match, line)
				_, err := grammarOf(t).Parse(strings.Fields(match[1]))
				require.NoError(t, err, line)
				if strings.HasPrefix(match[1]+" ", " "+leaf.Path()+" ") {
					own++
				}
			}
			require.Positive(t, own)
		})
	}
	require.Greater(t, seen, 10)
}

// TestKeygenCountsItsStepsOnce: the flags give the steps of a rotation the numbers
// of the text above them.
func TestKeygenCountsItsStepsOnce(t *testing.T) {
	t.Parallel()
	numbered := regexp.MustCompile(`(?m)^(\d)\. posthaste keygen --(\w+)`).FindAllStringSubmatch(keygenCommand{}.Help(), -1)
	require.Len(t, numbered, 3)
	help := strings.Join(strings.Fields(call(t, nil, "keygen", "--help").out), " ")
	for _, step := range numbered {
		require.Regexp(t, `--`+step[2]+` Step `+step[1]+`\b`, help)
	}
}
