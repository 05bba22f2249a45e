package payload

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"posthaste/webhook"
)

// formField is a Field, compiled.
type formField struct {
	key      []byte // encoded, up to the [*] or [] if it has one
	tail     []byte // encoded, behind the []
	shape    keyShape
	path     []step      // the key as a path into the data, up to the marker
	tailPath []step      // ... and behind it
	value    *expression // nil = the member of the data at the path
	table    map[string]string
	join     *string
	optional bool
	only     []webhook.Source
	except   []webhook.Source
}

// keyShape says how many keys a field sends.
type keyShape uint8

const (
	shapePlain  keyShape = iota // one: contact[email]
	shapeSpread                 // one per member: contact[fields][*]
	shapeRepeat                 // the same one per element: list[][id]
)

// compileForm compiles format form.
func compileForm(spec Spec) (writer, error) {
	if spec.Envelope.tree != nil {
		return nil, specFault("envelope", "has no meaning in format form")
	}
	c := formCompiler{groups: spec.Form.Groups, used: map[string]bool{}}
	byType := make(map[string][]formField, len(spec.Form.Events))
	for _, eventType := range sortedKeys(spec.Form.Events) {
		fields, err := c.compile("form.events."+eventType, spec.Form.Events[eventType])
		if err != nil {
			return nil, err
		}
		byType[eventType] = fields
	}
	others, err := c.compile("form.fields", spec.Form.Fields)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(spec.Form.Groups) {
		if !c.used[name] {
			return nil, specFault("form.groups."+name, "is used nowhere")
		}
	}
	return func(dst []byte, s *scope) ([]byte, error) {
		fields, listed := byType[s.in.Event.Type]
		if !listed {
			fields = others
		}
		w := formWriter{dst: dst, scope: s}
		w.write(fields)
		return w.dst, nil
	}, nil
}

// formCompiler compiles lists of fields that share groups.
type formCompiler struct {
	groups map[string][]Field
	used   map[string]bool // groups that some list names
}

// compile returns the fields of one list, its groups in place.
func (c *formCompiler) compile(place string, list []Field) ([]formField, error) {
	flat, err := c.flatten(place, list, nil)
	if err != nil {
		return nil, err
	}
	fields := make([]formField, 0, len(flat))
	keys := map[string][]Field{}
	for i, f := range flat {
		at := fmt.Sprintf("%s[%d]", place, i)
		if f.Key != "" {
			at = fmt.Sprintf("%s (key %q)", place, f.Key)
		}
		compiled, err := compileField(f)
		if err != nil {
			return nil, specFault(at, "%v", err)
		}
		if slices.ContainsFunc(keys[f.Key], func(other Field) bool { return !exclusive(other, f) }) {
			return nil, specFault(at, "is listed twice")
		}
		keys[f.Key] = append(keys[f.Key], f)
		fields = append(fields, compiled)
	}
	return fields, nil
}

// exclusive reports whether two fields of one key never meet in one body, as far
// as their conditions say.
func exclusive(a, b Field) bool {
	for _, source := range webhook.Sources() {
		if holds(a.Sources, a.ExceptSources, source) && holds(b.Sources, b.ExceptSources, source) {
			return false
		}
	}
	return true
}

func holds(only, except []webhook.Source, source webhook.Source) bool {
	return (len(only) == 0 || slices.Contains(only, source)) && !slices.Contains(except, source)
}

// flatten puts the fields of groups where the groups are named. Within says
// which groups are open, so that none holds itself.
func (c *formCompiler) flatten(place string, list []Field, within []string) ([]Field, error) {
	var flat []Field
	for i, f := range list {
		if f.Group == "" {
			flat = append(flat, f)
			continue
		}
		at := fmt.Sprintf("%s[%d]", place, i)
		group, known := c.groups[f.Group]
		switch {
		case !known:
			return nil, specFault(at, "no group is called %q; known are %s", f.Group, quotedList(sortedKeys(c.groups)))
		case !f.isOnlyGroup():
			return nil, specFault(at, "group stands alone in its mapping")
		case slices.Contains(within, f.Group):
			return nil, specFault(at, "group %q holds itself", f.Group)
		}
		c.used[f.Group] = true
		inner, err := c.flatten("form.groups."+f.Group, group, append(within, f.Group))
		if err != nil {
			return nil, err
		}
		flat = append(flat, inner...)
	}
	return flat, nil
}

func (f Field) isOnlyGroup() bool {
	return f.Key == "" && f.Value.tree == nil && f.Map == nil && f.Join == nil &&
		f.Presence == "" && f.Sources == nil && f.ExceptSources == nil
}

// compileField compiles one field that is not a group.
func compileField(f Field) (formField, error) {
	compiled := formField{table: f.Map, join: f.Join, only: f.Sources, except: f.ExceptSources}
	if err := compiled.readKey(f.Key); err != nil {
		return formField{}, err
	}
	switch f.Presence {
	case "", presenceAlways:
	case presenceOptional:
		compiled.optional = true
	default:
		return formField{}, fmt.Errorf("presence must be %s or %s", presenceAlways, presenceOptional)
	}
	if compiled.shape != shapePlain && (f.Presence != "" || f.Join != nil) {
		return formField{}, errors.New("a key with [*] or [] sends what there is: no presence, no join")
	}
	for _, source := range slices.Concat(f.Sources, f.ExceptSources) {
		if !slices.Contains(webhook.Sources(), source) {
			return formField{}, fmt.Errorf("%q is not a source", source)
		}
	}
	if f.Value.tree == nil {
		return compiled, nil
	}
	value, err := newExpression(f.Value.tree)
	if err != nil {
		return formField{}, fmt.Errorf("value: %w", err)
	}
	compiled.value = value
	compiled.optional = compiled.optional || value.optional
	return compiled, nil
}

// readKey takes a key such as list[][id] apart.
func (f *formField) readKey(key string) error {
	root, rest, _ := strings.Cut(key, "[")
	if root == "" {
		return fmt.Errorf("key %q must start with a name", key)
	}
	if len(root) < len(key) {
		rest = "[" + rest
	}
	f.key = appendEscaped(nil, root)
	f.path = []step{newStep(root)}
	for len(rest) > 0 {
		inner, behind, closed := strings.Cut(rest[1:], "]")
		if rest[0] != '[' || !closed || strings.Contains(inner, "[") {
			return fmt.Errorf("key %q: brackets must come in pairs, with nothing between them", key)
		}
		rest = behind
		switch {
		case inner == "*" && rest == "" && f.shape == shapePlain:
			f.shape = shapeSpread
		case inner == "" && f.shape == shapePlain:
			f.shape = shapeRepeat
			f.tail = append(f.tail, "%5B%5D"...)
		case inner == "*" || inner == "":
			return fmt.Errorf("key %q: one [*] at the end, or one []", key)
		case f.shape == shapeRepeat:
			f.tail = appendEscapedKey(f.tail, inner)
			f.tailPath = append(f.tailPath, newStep(inner))
		default:
			f.key = appendEscapedKey(f.key, inner)
			f.path = append(f.path, newStep(inner))
		}
	}
	return nil
}
