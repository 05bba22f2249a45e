package main

import (
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"posthaste/webhook/provider"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says where the script goes.
func (completionCommand) Help() string {
	return `The script asks posthaste itself what can stand where, so it need not be renewed with a new version. posthaste must be on PATH.

Examples:

  source <(posthaste completion bash)        in ~/.bashrc
  source <(posthaste completion zsh)         in ~/.zshrc, after compinit
  posthaste completion fish | source         in ~/.config/fish/config.fish`
}

// Run prints the script.
func (cmd completionCommand) Run(c console) error {
	_, err := io.WriteString(c.out, completionScripts[cmd.Shell])
	return err
}

// completeCommand answers the scripts: one candidate per line, with a tab and
// what it means behind it where that is known.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words after posthaste; the last one is being written."`
}

// Run prints the candidates.
func (cmd completeCommand) Run(parsed *kong.Context, c console) error {
	words := cmd.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	var lines strings.Builder
	for _, found := range complete(parsed.Model.Node, words) {
		lines.WriteString(found.word)
		if found.help != "" {
			lines.WriteString("\t" + printable([]byte(found.help), receiverShown))
		}
		lines.WriteString("\n")
	}
	_, err := io.WriteString(c.out, lines.String())
	return err
}

// candidate is a word that can stand where one is being written.
type candidate struct{ word, help string }

// completing is how far the words before the one being written have led.
type completing struct {
	node        *kong.Node
	flag        *kong.Flag // whose value comes next
	positionals int
	provider    string // of the flag --provider, for the names of events
}

// complete returns what can stand in place of the last word.
func complete(root *kong.Node, words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	at := &completing{node: root}
	for _, word := range words[:len(words)-1] {
		at.pass(word)
	}
	last := words[len(words)-1]
	var found []candidate
	prefix := ""
	switch name, value, assigned := strings.Cut(last, "="); {
	case at.flag != nil && last == "=": // bash gives it as a word of its own
		found, last = at.values(at.flag.Value), ""
	case at.flag != nil:
		found = at.values(at.flag.Value)
	case assigned && at.find(name) != nil:
		found, last, prefix = at.values(at.find(name).Value), value, name+"="
	case strings.HasPrefix(last, "-"):
		found = at.flags()
	default:
		found = at.next()
	}
	var matching []candidate
	for _, one := range found {
		if strings.HasPrefix(one.word, last) {
			matching = append(matching, candidate{prefix + one.word, one.help})
		}
	}
	return matching
}

// pass goes past one whole word.
func (at *completing) pass(word string) {
	switch {
	case at.flag != nil && word == "=":
	case at.flag != nil:
		at.take(at.flag, word)
		at.flag = nil
	case strings.HasPrefix(word, "-"):
		name, value, assigned := strings.Cut(word, "=")
		flag := at.find(name)
		switch {
		case flag == nil:
		case assigned:
			at.take(flag, value)
		case !flag.IsBool():
			at.flag = flag
		}
	default:
		for _, child := range at.node.Children {
			if child.Name == word {
				at.node = child
				return
			}
		}
		at.positionals++
	}
}

func (at *completing) take(flag *kong.Flag, value string) {
	if flag.Name == "provider" {
		at.provider = value
	}
}

// find returns the flag of the present command or one above it.
func (at *completing) find(name string) *kong.Flag {
	for node := at.node; node != nil; node = node.Parent {
		for _, flag := range node.Flags {
			if "--"+flag.Name == name {
				return flag
			}
		}
	}
	return nil
}

func (at *completing) flags() []candidate {
	var found []candidate
	for node := at.node; node != nil; node = node.Parent {
		for _, flag := range node.Flags {
			if !flag.Hidden {
				found = append(found, candidate{"--" + flag.Name, flag.Help})
			}
		}
	}
	return found
}

// next returns the commands below the present one, or the values of its next
// argument.
func (at *completing) next() []candidate {
	var found []candidate
	for _, child := range at.node.Children {
		if !child.Hidden {
			found = append(found, candidate{child.Name, child.Help})
		}
	}
	if at.positionals < len(at.node.Positional) {
		found = append(found, at.values(at.node.Positional[at.positionals])...)
	}
	return found
}

// values returns what a flag or argument can be: of a closed set by its enum, of
// ours by its tag complete.
func (at *completing) values(value *kong.Value) []candidate {
	if value.Enum != "" {
		var found []candidate
		for _, one := range value.EnumSlice() {
			if one != "" {
				found = append(found, candidate{word: one})
			}
		}
		return found
	}
	registry, err := provider.Load("") // those of an operator's folder are the server's to know
	if err != nil {
		return nil
	}
	switch value.Tag.Get("complete") {
	case "provider":
		return providerNames(registry)
	case "event":
		return eventNames(registry, at.provider)
	}
	return nil
}

func providerNames(registry *provider.Registry) []candidate {
	var found []candidate
	for _, name := range registry.Names() {
		if profile, err := registry.Profile(name); err == nil {
			found = append(found, candidate{name, profile.Description()})
		}
	}
	return found
}

func eventNames(registry *provider.Registry, name string) []candidate {
	if name == "" {
		name = provider.Default
	}
	profile, err := registry.Profile(name)
	if err != nil {
		return nil
	}
	var found []candidate
	for _, event := range profile.EventNames() {
		entry, _ := profile.Sample(event, "") // without a description where it is of an older version alone
		found = append(found, candidate{event, entry.Description})
	}
	return found
}
