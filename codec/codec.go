// Package codec seals what Temporal keeps for us. Every payload of a workflow
// (inputs, results, signals, summaries, memos, texts of failures) is encrypted
// before it leaves the process and opened when it comes back, with the keys that
// seal secrets at rest (docs/decisions/0010-temporal-payloads.md).
package codec

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"posthaste/errs"
)

// Sealer encrypts and decrypts; *keyset.Keyset satisfies it. The context given to
// Seal must be given to Open.
type Sealer interface {
	Seal(plain, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// How a sealed payload looks. None of these may ever change: Temporal holds
// payloads for as long as workflows wait, and for their retention after that.
const (
	encoding = "binary/encrypted"
	// metadataSealedBy tells our payloads from those of somebody else's codec.
	metadataSealedBy = "sealed-by"
	sealedBy         = "posthaste/1"
	// purpose keeps a sealed payload from being opened as anything else that the
	// same keys seal, and the other way round.
	purpose = "posthaste/temporal-payload/1"
)

// Codec is a converter.PayloadCodec. It is safe for concurrent use.
type Codec struct{ sealer Sealer }

var _ converter.PayloadCodec = Codec{}

// New returns the codec over the keys.
func New(sealer Sealer) Codec { return Codec{sealer} }

// Encode seals each payload whole, metadata included, compressed where that pays.
func (c Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	sealed := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, fmt.Errorf("marshal a payload: %w", err)
		}
		data, err := c.sealer.Seal(compress(plain), []byte(purpose))
		if err != nil {
			return nil, fmt.Errorf("seal a payload: %w", err)
		}
		sealed[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding), metadataSealedBy: []byte(sealedBy)},
			Data:     data,
		}
	}
	return sealed, nil
}

// Decode opens the payloads that Encode sealed. All others pass as they are:
// workflows that began before there was a codec go on. It returns errs.Invalid
// for a payload of ours that does not open; the error tells nothing of it.
func (c Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	plain := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if !isSealed(payload) {
			plain[i] = payload
			continue
		}
		opened, err := c.open(payload)
		if err != nil {
			return nil, err
		}
		plain[i] = opened
	}
	return plain, nil
}

func isSealed(payload *commonpb.Payload) bool {
	metadata := payload.GetMetadata()
	return string(metadata[converter.MetadataEncoding]) == encoding && string(metadata[metadataSealedBy]) == sealedBy
}

// open drops the causes behind the seal on purpose: they may quote the payload.
func (c Codec) open(payload *commonpb.Payload) (*commonpb.Payload, error) {
	plain, err := c.sealer.Open(payload.GetData(), []byte(purpose))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "A sealed payload of Temporal does not open: it was sealed with a key that POSTHASTE_ENCRYPTION_KEYSET does not hold, or it was changed")
	}
	opened := &commonpb.Payload{}
	message, err := expand(plain)
	if err != nil || proto.Unmarshal(message, opened) != nil {
		return nil, errs.New(errs.Invalid, "A sealed payload of Temporal opens to something else than a payload")
	}
	return opened, nil
}
