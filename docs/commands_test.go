package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/config"
)

// call is `posthaste` with its arguments, up to the end of the command.
var call = regexp.MustCompile(`(?m)(?:^|[\s/"(=])posthaste((?: +[^\s|;&)"<>\[\]…]+)+)`)

// namesake is where other programs are given a name that is ours.
var namesake = regexp.MustCompile(`(-n|--namespace|--task-queue|secret generic) posthaste\b`)

// flagName is a flag, without its value.
var flagName = regexp.MustCompile(`^--[a-z-]+`)

func TestCommandsNamedExist(t *testing.T) {
	t.Parallel()
	grammar := commandLine(t)
	seen := 0
	for name, text := range documents(t) {
		for _, code := range codeOf(text) {
			for _, match := range call.FindAllStringSubmatch(namesake.ReplaceAllString(code, "$1 theirs"), -1) {
				seen++
				grammar.accepts(t, strings.Fields(match[1]), name)
			}
		}
	}
	require.Positive(t, seen)
}

// command is one command of the program: its flags and the commands below it.
type command struct {
	flags map[string]bool
	below map[string]*command
}

// accepts fails the test unless the words are a command of this one, with flags
// that it has.
func (c *command) accepts(t *testing.T, words []string, where string) {
	t.Helper()
	for _, word := range words {
		if name := flagName.FindString(word); name != "" {
			require.True(t, c.flags[name] || name == "--help" || name == "--version",
				"%s: posthaste %s: there is no flag %s", where, strings.Join(words, " "), name)
			continue
		}
		if len(c.below) == 0 {
			continue // the value of a flag
		}
		next, known := c.below[word]
		require.True(t, known, "%s: there is no command posthaste %s", where, strings.Join(words, " "))
		c = next
	}
}

// commandLine reads the grammar out of the source of cmd/posthaste: its package
// main cannot be imported, and building it here would cost a minute.
func commandLine(t *testing.T) *command {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "cmd/posthaste/*.go"))
	require.NoError(t, err)
	structs := map[string]*ast.StructType{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					if fields, ok := named.Type.(*ast.StructType); ok {
						structs[named.Name.Name] = fields
					}
				}
			}
		}
	}
	require.Contains(t, structs, "commands")
	return commandOf(structs, structs["commands"])
}

func commandOf(structs map[string]*ast.StructType, fields *ast.StructType) *command {
	made := &command{flags: map[string]bool{}, below: map[string]*command{}}
	for _, field := range fields.Fields.List {
		if len(field.Names) == 0 { // a group of flags: of the commands, or of settings
			if group, ok := field.Type.(*ast.Ident); ok && structs[group.Name] != nil {
				maps.Copy(made.flags, commandOf(structs, structs[group.Name]).flags)
				continue
			}
			for _, setting := range config.Table() {
				made.flags[setting.Flag] = true
			}
			continue
		}
		var tag reflect.StructTag
		if field.Tag != nil {
			text, err := strconv.Unquote(field.Tag.Value)
			if err == nil {
				tag = reflect.StructTag(text)
			}
		}
		name := tag.Get("name")
		if name == "" {
			name = dashed(field.Names[0].Name)
		}
		if _, isCommand := tag.Lookup("cmd"); !isCommand {
			made.flags["--"+name] = true
			continue
		}
		below := &command{flags: map[string]bool{}}
		if named, ok := field.Type.(*ast.Ident); ok && structs[named.Name] != nil {
			below = commandOf(structs, structs[named.Name])
		}
		made.below[name] = below
	}
	return made
}

// commandLineVariables are the variables that commands give their own flags.
func commandLineVariables(t *testing.T) []string {
	t.Helper()
	var names []string
	walk(t, ".go", func(name, text string) {
		if strings.HasPrefix(name, "cmd/posthaste/") {
			for _, match := range ownVariable.FindAllStringSubmatch(text, -1) {
				names = append(names, match[1])
			}
		}
	})
	require.NotEmpty(t, names)
	return names
}

// ownVariable is the variable of a flag.
var ownVariable = regexp.MustCompile(`env:"(POSTHASTE_[A-Z_]+)"`)

// capitalised is one word of a field's name.
var capitalised = regexp.MustCompile(`[A-Z]+[a-z0-9]*`)

// dashed turns a field's name into a flag's: SkipTemporal into skip-temporal.
func dashed(field string) string {
	return strings.ToLower(strings.Join(capitalised.FindAllString(field, -1), "-"))
}
