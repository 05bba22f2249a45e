package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"posthaste/errs"
	"posthaste/keyset"
)

const canary = "canary-in-a-payload"

func keys(t *testing.T) *keyset.Keyset {
	t.Helper()
	line, err := keyset.Generate()
	require.NoError(t, err)
	parsed, err := keyset.Parse(line)
	require.NoError(t, err)
	return parsed
}

func plain(t *testing.T, value any) *commonpb.Payload {
	t.Helper()
	payload, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return payload
}

func TestEveryPayloadComesBackAsItWas(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	given := []*commonpb.Payload{
		plain(t, map[string]string{"a": canary}), plain(t, nil), plain(t, []byte{0, 255}), {}, plain(t, strings.Repeat(canary, 50_000)),
	}
	sealed, err := c.Encode(given)
	require.NoError(t, err)
	require.Len(t, sealed, len(given))
	for _, payload := range sealed {
		require.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "sealed-by": []byte("posthaste/1")}, payload.GetMetadata())
		require.NotContains(t, string(payload.GetData()), canary)
		require.NotContains(t, string(payload.GetData()), "json/plain", "what kind of payload it is, is sealed too")
	}
	opened, err := c.Decode(sealed)
	require.NoError(t, err)
	for i := range given {
		require.True(t, proto.Equal(given[i], opened[i]), "payload %d", i)
	}
	again, err := c.Encode(given[:1])
	require.NoError(t, err)
	require.NotEqual(t, sealed[0].GetData(), again[0].GetData(), "equal payloads do not look equal")
}

// TestASealedSummaryFitsIntoTemporal: workflows clip summaries at 320 bytes, and
// Temporal's limit is 400.
func TestASealedSummaryFitsIntoTemporal(t *testing.T) {
	t.Parallel()
	sealed, err := New(keys(t)).Encode([]*commonpb.Payload{plain(t, strings.Repeat("s", 320))})
	require.NoError(t, err)
	require.LessOrEqual(t, len(sealed[0].GetData()), 400)
	t.Logf("a summary of 320 bytes: %d sealed", len(sealed[0].GetData()))
	t.Logf("whole payload: %d plain, %d sealed", proto.Size(plain(t, strings.Repeat("s", 320))), proto.Size(sealed[0]))
}

func TestForeignPayloadsPassAsTheyAre(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	foreign := []*commonpb.Payload{
		plain(t, canary), {},
		{Metadata: map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("theirs")}, Data: []byte("?")},
		{Metadata: map[string][]byte{"encoding": []byte("json/plain"), "sealed-by": []byte("posthaste/1")}, Data: []byte("1")},
	}
	opened, err := c.Decode(foreign)
	require.NoError(t, err)
	for i := range foreign {
		require.Same(t, foreign[i], opened[i])
	}
}

func TestChangedPayloadsDoNotOpen(t *testing.T) {
	t.Parallel()
	ours, theirs := keys(t), keys(t)
	seal := func(by Sealer, purpose string, data []byte) *commonpb.Payload {
		sealed, err := by.Seal(data, []byte(purpose))
		require.NoError(t, err)
		return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encoding), "sealed-by": []byte(sealedBy)}, Data: sealed}
	}
	whole, err := proto.Marshal(plain(t, canary))
	require.NoError(t, err)
	flipped := seal(ours, purpose, whole)
	flipped.Data[len(flipped.Data)/2] ^= 1
	for name, payload := range map[string]*commonpb.Payload{
		"one bit":           flipped,
		"cut":               {Metadata: flipped.Metadata, Data: flipped.Data[:10]},
		"empty":             {Metadata: flipped.Metadata},
		"another's keys":    seal(theirs, purpose, whole),
		"of a database row": seal(ours, "webhook/acme/1", whole),
		"no payload":        seal(ours, purpose, []byte("\x0a\xff"+canary)),
	} {
		_, err := New(ours).Decode([]*commonpb.Payload{plain(t, 1), payload})
		require.Error(t, err, name)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), name)
		require.NotContains(t, fmt.Sprintf("%+v", err), canary, name)
	}
}

func TestDataConverterReadsPlainAndSealed(t *testing.T) {
	t.Parallel()
	data := DataConverter(keys(t))
	var value string
	require.NoError(t, data.FromPayload(plain(t, canary), &value))
	require.Equal(t, canary, value)
	sealed, err := data.ToPayloads(canary, 7)
	require.NoError(t, err)
	require.NotContains(t, sealed.String(), canary)
	var number int
	value = ""
	require.NoError(t, data.FromPayloads(sealed, &value, &number))
	require.Equal(t, canary, value)
	require.Equal(t, 7, number)
	require.NoError(t, data.FromPayload(nil, &value))
	require.NoError(t, data.FromPayloads(nil))
}

// TestOnlyWorkflowsPanic: an error would end a workflow; for everybody else an
// error is what it is.
func TestOnlyWorkflowsPanic(t *testing.T) {
	t.Parallel()
	sealed, err := DataConverter(keys(t)).ToPayloads(canary)
	require.NoError(t, err)
	other := DataConverter(keys(t))
	aware, ok := other.(converter.ContextAware)
	require.True(t, ok)
	var value string
	for _, calm := range []converter.DataConverter{other, aware.WithContext(t.Context())} {
		require.Error(t, calm.FromPayloads(sealed, &value))
		require.Error(t, calm.FromPayload(sealed.GetPayloads()[0], &value))
	}
	inside := aware.WithWorkflowContext(nil)
	require.Panics(t, func() { _ = inside.FromPayloads(sealed, &value) })
	require.Panics(t, func() { _ = inside.FromPayload(sealed.GetPayloads()[0], &value) })
	require.NoError(t, inside.FromPayload(nil, &value))
	require.NoError(t, inside.FromPayloads(nil))
	var number int
	require.Error(t, inside.FromPayload(plain(t, canary), &number), "another shape is an error as ever")
}

func TestFailuresAreSealed(t *testing.T) {
	t.Parallel()
	failures := FailureConverter(keys(t))
	failure := failures.ErrorToFailure(temporal.NewApplicationErrorWithCause(canary, "retry", errors.New(canary+"-cause"), canary+"-detail"))
	text := failure.String()
	require.NotContains(t, text, canary)
	require.Equal(t, "retry", failure.GetApplicationFailureInfo().GetType(), "the workflow's code reads it")
	back := failures.FailureToError(failure)
	require.ErrorContains(t, back, canary)
	require.ErrorContains(t, errors.Unwrap(back), canary+"-cause")
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	c := New(keys(t))
	sealed, err := c.Encode([]*commonpb.Payload{plain(t, canary)})
	require.NoError(t, err)
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: append(sealed, plain(t, "open"))})
	require.NoError(t, err)
	answer, err := c.DecodeJSON(body)
	require.NoError(t, err)
	var got struct {
		Payloads []struct{ Data []byte }
	}
	require.NoError(t, json.Unmarshal(answer, &got))
	require.Len(t, got.Payloads, 2)
	require.Equal(t, `"`+canary+`"`, string(got.Payloads[0].Data))
	require.Equal(t, `"open"`, string(got.Payloads[1].Data))

	_, err = c.DecodeJSON([]byte(`{"payloads":[],"later":{"a":1}}`))
	require.NoError(t, err, "members of a later version are no reason to refuse")
	for _, bad := range []string{"", "{", "[]", `{"payloads":"` + canary + `"}`, `{"payloads":[{"data":"` + canary + `!"}]}`} {
		_, err := c.DecodeJSON([]byte(bad))
		require.Equal(t, errs.Invalid, errs.CodeOf(err), bad)
		require.NotContains(t, fmt.Sprintf("%+v", err), canary)
	}
}
