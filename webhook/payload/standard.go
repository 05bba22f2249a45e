package payload

import "github.com/goccy/go-yaml"

// standardEnvelope is the body that Standard Webhooks recommends:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
var standardEnvelope = yaml.MapSlice{
	{Key: "type", Value: "$event.type"},
	{Key: "timestamp", Value: "$event.occurredAt"},
	{Key: "data", Value: "$event.data"},
}

// compileStandard compiles format standard, which has nothing to choose.
func compileStandard(spec Spec) (writer, error) {
	if err := refuseForm(spec); err != nil {
		return nil, err
	}
	if spec.Envelope.tree != nil {
		return nil, specFault("envelope", "has no meaning in format standard")
	}
	return compileTemplate(standardEnvelope)
}
