package keyset_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkkeyset "github.com/tink-crypto/tink-go/v2/keyset"

	"posthaste/errs"
	"posthaste/keyset"
)

// stages returns the keysets of one rotation: before, added, promoted, retired.
func stages(t *testing.T) []string {
	t.Helper()
	lines := []string{generate(t)}
	for _, step := range []func(string) (string, error){keyset.Add, keyset.Promote, keyset.Retire} {
		line, err := step(lines[len(lines)-1])
		require.NoError(t, err)
		lines = append(lines, line)
	}
	return lines
}

// During a rotation two neighbouring stages run side by side, and each opens
// what the other seals. Two that are further apart must not meet.
func TestNeighboursInARotationUnderstandEachOther(t *testing.T) {
	t.Parallel()
	lines := stages(t)
	opens := [][]bool{ // row: who opens; column: who sealed
		{true, true, false, false},
		{true, true, true, true},
		{true, true, true, true},
		{false, false, true, true},
	}
	for i, opener := range lines {
		for j, sealer := range lines {
			sealed, err := parse(t, sealer).Seal([]byte("whsec_abc"), []byte("place"))
			require.NoError(t, err)
			plain, err := parse(t, opener).Open(sealed, []byte("place"))
			require.Equal(t, opens[i][j], err == nil, "stage %d opens stage %d: %v", i, j, err)
			if err == nil {
				require.Equal(t, "whsec_abc", string(plain))
			}
		}
	}
}

func TestCurrentNamesTheKeyThatSeals(t *testing.T) {
	t.Parallel()
	lines := stages(t)
	current := [][]bool{
		{true, true, false, false},
		{true, true, false, false},
		{false, false, true, true},
		{false, false, true, true},
	}
	for i, asked := range lines {
		for j, sealer := range lines {
			sealed, err := parse(t, sealer).Seal([]byte("x"), nil)
			require.NoError(t, err)
			require.Equal(t, current[i][j], parse(t, asked).Current(sealed), "stage %d asked of stage %d", i, j)
		}
		require.False(t, parse(t, asked).Current(nil))
		require.False(t, parse(t, asked).Current([]byte{1}))
	}
}

func TestStepsOutOfOrderAreRefused(t *testing.T) {
	t.Parallel()
	lines := stages(t)
	for name, test := range map[string]struct {
		step func(string) (string, error)
		give string
		want string
	}{
		"add twice":            {keyset.Add, lines[1], "does not seal yet"},
		"promote nothing":      {keyset.Promote, lines[0], "seals already"},
		"promote twice":        {keyset.Promote, lines[2], "seals already"},
		"retire the only one":  {keyset.Retire, lines[0], "one key alone"},
		"retire an added one":  {keyset.Retire, lines[1], "--promote"},
		"retire twice":         {keyset.Retire, lines[3], "one key alone"},
		"add to nothing":       {keyset.Add, "", "is empty"},
		"promote no keyset":    {keyset.Promote, "c4n4ry!", "no base64"},
		"retire half a keyset": {keyset.Retire, lines[2][:20], "cannot be read"},
	} {
		line, err := test.step(test.give)
		require.Empty(t, line, name)
		require.True(t, errs.Is(err, errs.Invalid), name)
		require.ErrorContains(t, err, test.want, name)
		require.NotContains(t, err.Error(), "c4n4ry", name)
	}
}

// A key without a name on what it seals could not be told from the others.
func TestNamelessKeysAreRefused(t *testing.T) {
	t.Parallel()
	handle, err := tinkkeyset.NewHandle(aead.AES256GCMNoPrefixKeyTemplate())
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, insecurecleartextkeyset.Write(handle, tinkkeyset.NewBinaryWriter(&text)))
	_, err = keyset.Parse(base64.StdEncoding.EncodeToString([]byte(text.String())))
	require.ErrorContains(t, err, "another kind")
}
