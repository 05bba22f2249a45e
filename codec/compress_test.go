package codec

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"posthaste/errs"
)

// noise does not compress.
func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	return data
}

func TestLargePayloadsTravelCompressed(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	for name, tc := range map[string]struct {
		data    []byte
		smaller bool
	}{
		"one event":            {[]byte(events(1)), false},
		"below the threshold":  {bytes.Repeat([]byte("a"), minCompressed-100), false},
		"above the threshold":  {bytes.Repeat([]byte("a"), minCompressed), true},
		"64 events":            {[]byte(events(64)), true},
		"noise":                {noise(64 << 10), false},
		"more than may be":     {bytes.Repeat([]byte("a"), maxCompressed+1), false},
		"as much as may be":    {bytes.Repeat([]byte("a"), maxCompressed-100), true},
		"begins with the mark": {append([]byte{compressed}, noise(10)...), false},
		"nothing":              {nil, false},
		"mark alone":           {[]byte{compressed}, false},
		"a compressed message": {compress([]byte(events(64))), false},
	} {
		given := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: tc.data}
		sealed, err := c.Encode([]*commonpb.Payload{given})
		require.NoError(t, err, name)
		require.Len(t, sealed[0].GetMetadata(), 2, "%s: nothing outside tells that it is compressed", name)
		if tc.smaller {
			require.Less(t, len(sealed[0].GetData()), len(tc.data)/3, name)
		} else {
			require.Greater(t, len(sealed[0].GetData()), len(tc.data), name)
		}
		opened, err := c.Decode(sealed)
		require.NoError(t, err, name)
		require.True(t, proto.Equal(given, opened[0]), name)
	}
}

// TestPayloadsFromBeforeCompressionOpen: they are sealed as Encode sealed them
// before it compressed anything, whatever their size.
func TestPayloadsFromBeforeCompressionOpen(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	var given, sealed []*commonpb.Payload
	for _, payload := range []*commonpb.Payload{{}, plain(t, canary), plain(t, strings.Repeat(canary, 50_000)), {Data: noise(100)}, {Data: []byte{compressed}}} {
		message, err := proto.Marshal(payload)
		require.NoError(t, err)
		old := seal(t, c, message)
		renewed, err := c.Encode([]*commonpb.Payload{payload})
		require.NoError(t, err)
		given, sealed = append(given, payload, payload, payload), append(sealed, old, renewed[0], payload)
	}
	opened, err := c.Decode(sealed)
	require.NoError(t, err)
	for i := range given {
		require.True(t, proto.Equal(given[i], opened[i]), "payload %d", i)
	}
}

// TestBombsDoNotExpand: whoever has the keys and means ill, or a mistake of ours.
func TestBombsDoNotExpand(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	deflated := func(size int) []byte {
		var out bytes.Buffer
		writer, err := flate.NewWriter(&out, flate.BestCompression)
		require.NoError(t, err)
		_, err = writer.Write(make([]byte, size))
		require.NoError(t, err)
		require.NoError(t, writer.Close())
		return out.Bytes()
	}
	message := func(length uint64, body []byte) []byte {
		return append(binary.AppendUvarint([]byte{compressed}, length), body...)
	}
	for name, inside := range map[string][]byte{
		"64 MiB that say so":    message(64<<20, deflated(64<<20)),
		"64 MiB that say 4 MiB": message(maxCompressed, deflated(64<<20)),
		"one byte too many":     message(9, deflated(10)),
		"one byte too few":      message(11, deflated(10)),
		"a length beyond all":   append([]byte{compressed}, bytes.Repeat([]byte{0xff}, 12)...),
		"a length alone":        message(10, nil),
		"the mark alone":        {compressed},
		"cut":                   message(100, deflated(100)[:5]),
		"no deflate":            message(100, noise(100)),
		"no payload":            message(100, deflated(100)),
	} {
		_, err := c.Decode([]*commonpb.Payload{seal(t, c, inside)})
		require.Equal(t, errs.Invalid, errs.CodeOf(err), name)
	}
}

// TestDecodeJSONOpensNoMoreThanItMay: a small body can hold much.
func TestDecodeJSONOpensNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	large := &commonpb.Payload{Data: make([]byte, maxCompressed-100)}
	for count, fits := range map[int]bool{maxOpened / maxCompressed: true, maxOpened/maxCompressed + 1: false} {
		sealed, err := c.Encode(slices.Repeat([]*commonpb.Payload{large}, count))
		require.NoError(t, err)
		body, err := protojson.Marshal(&commonpb.Payloads{Payloads: sealed})
		require.NoError(t, err)
		require.Less(t, len(body), 256<<10)
		_, err = c.DecodeJSON(body)
		require.Equal(t, fits, err == nil, "%d payloads", count)
		require.Equal(t, !fits, errs.Is(err, errs.TooLarge), "%d payloads", count)
	}
}

// seal seals bytes as they are.
func seal(t *testing.T, c Codec, inside []byte) *commonpb.Payload {
	t.Helper()
	data, err := c.sealer.Seal(inside, []byte(purpose))
	require.NoError(t, err)
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encoding), metadataSealedBy: []byte(sealedBy)}, Data: data}
}
