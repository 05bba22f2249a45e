package codec

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"

	"posthaste/keyset"
)

// TestOldKeysStillOpen follows a payload through a rotation.
func TestOldKeysStillOpen(t *testing.T) {
	t.Parallel()
	parse := func(line string) Codec {
		keys, err := keyset.Parse(line)
		require.NoError(t, err)
		return New(keys)
	}
	first, err := keyset.Generate()
	require.NoError(t, err)
	added, err := keyset.Add(first)
	require.NoError(t, err)
	promoted, err := keyset.Promote(added)
	require.NoError(t, err)
	retired, err := keyset.Retire(promoted)
	require.NoError(t, err)

	before, err := parse(first).Encode([]*commonpb.Payload{plain(t, canary)})
	require.NoError(t, err)
	after, err := parse(promoted).Encode([]*commonpb.Payload{plain(t, canary)})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		line          string
		before, after bool
	}{
		"first": {first, true, false}, "added": {added, true, true}, "promoted": {promoted, true, true}, "retired": {retired, false, true},
	} {
		_, err := parse(tc.line).Decode(before)
		require.Equal(t, tc.before, err == nil, name)
		_, err = parse(tc.line).Decode(after)
		require.Equal(t, tc.after, err == nil, name)
	}
}
