package provider

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxProfileBytes keeps a wrong file (a dump, a log) from being parsed.
const maxProfileBytes = 4 << 20

// ProfileError is one mistake in a profile's file.
type ProfileError struct {
	File   string
	Line   int
	Key    string // path of the key, such as events[3].type; "" when the text is no YAML
	Reason string
}

// Error reads "profiles/acme.yaml:12: events[3].type: is listed twice".
func (e *ProfileError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Key, e.Reason)
}

// document is a profile's text while it is checked: it knows which line a key
// is on and gathers every mistake, so that one look at the log mends them all.
type document struct {
	file   string
	tree   *ast.File
	faults []*ProfileError
}

// decode reads the text strictly into the schema.
func decode(file string, text []byte) (*document, Schema, error) {
	doc := &document{file: file}
	var schema Schema
	if len(text) > maxProfileBytes {
		return nil, schema, &ProfileError{File: file, Line: 1, Reason: fmt.Sprintf("is larger than %d bytes", maxProfileBytes)}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, schema, doc.syntax(err)
	}
	doc.tree = tree
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, schema, &ProfileError{File: file, Line: 1, Reason: "must hold exactly one YAML document"}
	}
	if err := yaml.UnmarshalWithOptions(text, &schema, yaml.Strict()); err != nil {
		return nil, schema, doc.syntax(err)
	}
	return doc, schema, nil
}

// syntax turns the YAML decoder's error into a ProfileError.
func (d *document) syntax(err error) error {
	var wrongType *yaml.TypeError
	if errors.As(err, &wrongType) && wrongType.Token != nil {
		return &ProfileError{File: d.file, Line: wrongType.Token.Position.Line, Reason: fmt.Sprintf(
			"%s must be %s, not %s", shorten(wrongType.Token.Value), kindName(wrongType.DstType), kindName(wrongType.SrcType))}
	}
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		return &ProfileError{File: d.file, Line: located.GetToken().Position.Line, Reason: located.GetMessage()}
	}
	return &ProfileError{File: d.file, Line: 1, Reason: err.Error()}
}

// fault notes what is wrong with the value of a key.
func (d *document) fault(key, format string, args ...any) {
	d.faults = append(d.faults, &ProfileError{File: d.file, Line: d.line(key), Key: key, Reason: fmt.Sprintf(format, args...)})
}

// err returns every fault in the order of the lines, or nil.
func (d *document) err() error {
	slices.SortStableFunc(d.faults, func(a, b *ProfileError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Reason, b.Reason))
	})
	list := make([]error, len(d.faults))
	for i, fault := range d.faults {
		list[i] = fault
	}
	return errors.Join(list...)
}

// line finds the key, or the nearest one above it that is there.
func (d *document) line(key string) int {
	for path := key; path != ""; path = parent(path) {
		found, err := yaml.PathString("$." + path)
		if err != nil {
			continue
		}
		if node, err := found.FilterFile(d.tree); err == nil && node != nil && node.GetToken() != nil {
			return node.GetToken().Position.Line
		}
	}
	return 1
}

// parent cuts the last step off a path: events[3].type, events[3], events.
func parent(path string) string {
	return path[:max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['), 0)]
}

// kindName is a Go type in the words of YAML.
func kindName(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a span such as 120h"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Pointer:
		return kindName(t.Elem())
	default:
		return "a number"
	}
}

// shorten keeps a value that stands in a message to one line.
func shorten(text string) string {
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return strconv.Quote(text)
}
