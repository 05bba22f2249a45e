package codec

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// DataConverter returns the converter for every client that starts, steers or
// runs workflows: Temporal's own, with each payload sealed.
func DataConverter(sealer Sealer) converter.DataConverter {
	c := New(sealer)
	return dataConverter{DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c), codec: c}
}

// FailureConverter returns the converter that seals the texts and stack traces
// of failures, which would travel in the clear otherwise. Their type names stay
// readable.
func FailureConverter(sealer Sealer) converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: DataConverter(sealer), EncodeCommonAttributes: true,
	})
}

// dataConverter knows whether it works for a workflow: see blocking.
type dataConverter struct {
	converter.DataConverter
	codec Codec
}

var _ converter.ContextAware = dataConverter{}

// WithContext implements converter.ContextAware for clients and activities,
// which handle errors and are tried again.
func (d dataConverter) WithContext(context.Context) converter.DataConverter { return d }

// WithWorkflowContext implements converter.ContextAware.
func (d dataConverter) WithWorkflowContext(converter.WorkflowContext) converter.DataConverter {
	return blocking{d}
}

// blocking is the converter inside a workflow. While keys rotate, a process
// with the old keyset may be handed a workflow whose payloads it cannot open. An
// error would end that workflow and lose its event. A panic fails the workflow
// task alone, and Temporal gives it out again until a process with the key has
// it.
type blocking struct{ dataConverter }

// FromPayload panics when the payload does not open.
func (b blocking) FromPayload(payload *commonpb.Payload, value any) error {
	if payload != nil {
		payload = b.mustOpen(payload)[0]
	}
	return b.DataConverter.FromPayload(payload, value)
}

// FromPayloads panics when one of the payloads does not open.
func (b blocking) FromPayloads(payloads *commonpb.Payloads, values ...any) error {
	if payloads != nil {
		payloads = &commonpb.Payloads{Payloads: b.mustOpen(payloads.GetPayloads()...)}
	}
	return b.DataConverter.FromPayloads(payloads, values...)
}

// mustOpen opens the payloads before the converter sees them, which passes what
// is open: so one that does not open is kept apart from one of another shape.
func (b blocking) mustOpen(payloads ...*commonpb.Payload) []*commonpb.Payload {
	opened, err := b.codec.Decode(payloads)
	if err != nil {
		panic(err) //nolint:forbidigo // the SDK's own way to fail a workflow task and not the workflow
	}
	return opened
}
