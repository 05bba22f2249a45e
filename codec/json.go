package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"posthaste/errs"
)

// DecodeJSON opens a list of payloads as Temporal's tools send it to a codec
// endpoint: the JSON form of temporal.api.common.v1.Payloads, both ways, as many
// payloads out as in. It returns errs.Invalid for a body that is none, or that
// holds a payload of ours that does not open.
func (c Codec) DecodeJSON(body []byte) ([]byte, error) {
	var payloads commonpb.Payloads
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &payloads) != nil {
		// The cause may quote the body, and older payloads in it are plain.
		return nil, errs.New(errs.Invalid, `The body must be {"payloads":[…]}, with payloads as Temporal writes them in JSON`)
	}
	opened, err := c.Decode(payloads.GetPayloads())
	if err != nil {
		return nil, err
	}
	text, err := protojson.Marshal(&commonpb.Payloads{Payloads: opened})
	if err != nil {
		return nil, fmt.Errorf("marshal payloads: %w", err)
	}
	return text, nil
}
