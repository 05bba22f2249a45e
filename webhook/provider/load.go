package provider

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"posthaste/errs"
)

// Default is the provider of installations that name none.
const Default = "standard"

// shipped holds the profiles that come with Posthaste.
//
//go:embed profiles/*.yaml
var shipped embed.FS

// Registry holds every provider there is.
type Registry struct{ profiles map[string]*Profile }

// OverrideFailingFor replaces the span of failures after which a webhook is
// broken in every profile that has one; 0 switches it off. It is for the start,
// before the registry is used.
func (r *Registry) OverrideFailingFor(span time.Duration) {
	for _, p := range r.profiles {
		if p.schema.Broken.AfterFailingFor > 0 {
			p.schema.Broken.AfterFailingFor = span
		}
	}
}

// Load reads the shipped profiles and those of the operator's folder ("" =
// none), where every *.yaml and *.yml is one. The error names every mistake in
// every file with file, line and reason (ProfileError).
func Load(operatorDir string) (*Registry, error) {
	registry := &Registry{profiles: map[string]*Profile{}}
	files, err := fs.Glob(shipped, "profiles/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the shipped profiles: %w", err)
	}
	var faults []error
	for _, file := range files {
		faults = append(faults, registry.add(file, shipped.ReadFile))
	}
	if operatorDir != "" {
		entries, err := os.ReadDir(operatorDir)
		if err != nil {
			return nil, fmt.Errorf("read the folder of profiles: %w", err)
		}
		for _, entry := range entries {
			if extension := filepath.Ext(entry.Name()); !entry.IsDir() && (extension == ".yaml" || extension == ".yml") {
				faults = append(faults, registry.add(filepath.Join(operatorDir, entry.Name()), os.ReadFile))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return registry, nil
}

// add reads one file; a name that is taken already is refused.
func (r *Registry) add(file string, read func(string) ([]byte, error)) error {
	text, err := read(file)
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	profile, err := Parse(file, text)
	if err != nil {
		return err
	}
	if _, taken := r.profiles[profile.Name()]; taken {
		return &ProfileError{File: file, Line: 1, Key: "name", Reason: fmt.Sprintf("there is a provider %s already", profile.Name())}
	}
	r.profiles[profile.Name()] = profile
	return nil
}

// Parse checks the text of one profile. The file's name must be the provider's;
// it stands in every error.
func Parse(file string, text []byte) (*Profile, error) {
	doc, schema, err := decode(file, text)
	if err != nil {
		return nil, err
	}
	base := path.Base(filepath.ToSlash(file))
	if name := strings.TrimSuffix(base, path.Ext(base)); schema.Name != name {
		doc.fault("name", "must be %q, as the file is named", name)
	}
	profile := compile(doc, schema)
	if err := doc.err(); err != nil {
		return nil, err
	}
	profile.rehearse(doc)
	if err := doc.err(); err != nil {
		return nil, err
	}
	return profile, nil
}

// Profile returns a provider by its name; errs.Invalid on "provider" when there
// is none, naming those there are.
func (r *Registry) Profile(name string) (*Profile, error) {
	if profile, known := r.profiles[name]; known {
		return profile, nil
	}
	return nil, errs.InvalidField("provider", "must be one of %s", strings.Join(r.Names(), ", "))
}

// Names returns the name of every provider: the default first, then by the
// alphabet.
func (r *Registry) Names() []string {
	return slices.SortedFunc(maps.Keys(r.profiles), func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == Default:
			return -1
		case b == Default:
			return 1
		}
		return strings.Compare(a, b)
	})
}
