package provider

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"

	"posthaste/webhook"
)

// JSONSchema is JSON written in YAML: mappings keep their order.
type JSONSchema struct {
	text  []byte
	given bool
}

// UnmarshalYAML reads any YAML value and keeps it as JSON text.
func (j *JSONSchema) UnmarshalYAML(text []byte) error {
	var tree any
	if err := yaml.UnmarshalWithOptions(text, &tree, yaml.UseOrderedMap()); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := writeJSON(&out, tree); err != nil {
		return err
	}
	j.text, j.given = out.Bytes(), true
	return nil
}

func writeJSON(out *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case yaml.MapSlice:
		out.WriteByte('{')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeScalar(out, fmt.Sprint(item.Key)); err != nil {
				return err
			}
			out.WriteByte(':')
			if err := writeJSON(out, item.Value); err != nil {
				return err
			}
		}
		out.WriteByte('}')
		return nil
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeJSON(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	}
	return writeScalar(out, value)
}

func writeScalar(out *bytes.Buffer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%v cannot be written as JSON", value)
	}
	out.Write(text)
	return nil
}

// newEventType makes a catalogue entry of a schema whose sample is canonical.
func newEventType(schema EventSchema, version string) EventType {
	entry := EventType{
		Type: schema.Type, Version: version, Category: schema.Category, Description: schema.Description, Fields: schema.Data,
	}
	if sample := schema.Sample; sample != nil {
		entry.Sample = webhook.JSON(sample.Data.text)
		entry.SampleCustomData = webhook.JSON(sample.CustomData.text)
		entry.SampleSource = sample.Source
		entry.SampleAttributes = sample.Attributes
	}
	if entry.SampleSource == "" {
		entry.SampleSource = webhook.SourceSystem
	}
	return entry
}
