package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"posthaste/errs"
)

// maxOpened is how many bytes one call of DecodeJSON opens: a page of Web UI is
// far smaller, and what was compressed could grow a thousandfold.
const maxOpened = 32 << 20

// DecodeJSON opens a list of payloads as Temporal's tools send it to a codec
// endpoint: the JSON form of temporal.api.common.v1.Payloads, both ways, as many
// payloads out as in. It returns errs.Invalid for a body that is none, or that
// holds a payload of ours that does not open, and errs.TooLarge for one whose
// payloads open to more than 32 MiB.
func (c Codec) DecodeJSON(body []byte) ([]byte, error) {
	var payloads commonpb.Payloads
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &payloads) != nil {
		// The cause may quote the body, and older payloads in it are plain.
		return nil, errs.New(errs.Invalid, `The body must be {"payloads":[…]}, with payloads as Temporal writes them in JSON`)
	}
	room := maxOpened
	for i, payload := range payloads.GetPayloads() {
		opened, err := c.Decode([]*commonpb.Payload{payload})
		if err != nil {
			return nil, err
		}
		if room -= len(opened[0].GetData()); room < 0 {
			return nil, errs.New(errs.TooLarge, "The payloads open to more than %d MiB: send fewer at a time", maxOpened>>20)
		}
		payloads.Payloads[i] = opened[0]
	}
	text, err := protojson.Marshal(&payloads)
	if err != nil {
		return nil, fmt.Errorf("marshal payloads: %w", err)
	}
	return text, nil
}
