package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Setting is one line of the settings table.
type Setting struct {
	Group    string // such as "Worker"
	Variable string // such as POSTHASTE_POLLERS
	Flag     string // such as --pollers
	Default  string // empty when there is none
	Help     string
}

// Table returns every setting, in the order of the struct.
func Table() []Setting {
	return collect(reflect.TypeFor[Config]())
}

func collect(t reflect.Type) []Setting {
	var table []Setting
	for field := range t.Fields() {
		if field.Anonymous {
			table = append(table, collect(field.Type)...)
			continue
		}
		name := field.Tag.Get("name")
		if name == "" {
			name = dashed(field.Name)
		}
		table = append(table, Setting{
			Group:    strings.TrimSuffix(field.Tag.Get("group"), ":"),
			Variable: field.Tag.Get("env"),
			Flag:     "--" + name,
			Default:  field.Tag.Get("default"),
			Help:     field.Tag.Get("help"),
		})
	}
	return table
}

// dashed turns a field's name into its flag: EventsPerWorkflow into
// events-per-workflow. Names with initials carry a name tag instead.
func dashed(field string) string {
	var out strings.Builder
	for i, r := range field {
		if i > 0 && r >= 'A' && r <= 'Z' {
			out.WriteByte('-')
		}
		out.WriteString(strings.ToLower(string(r)))
	}
	return out.String()
}

// MarkdownTable returns the settings as the table of the README.
func MarkdownTable() string {
	var out strings.Builder
	out.WriteString("| Variable | Flag | Default | What it does |\n|---|---|---|---|\n")
	for _, s := range Table() {
		value := ""
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&out, "| `%s` | `%s` | %s | %s |\n", s.Variable, s.Flag, value, strings.ReplaceAll(s.Help, "|", `\|`))
	}
	return out.String()
}
