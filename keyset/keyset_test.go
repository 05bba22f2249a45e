package keyset_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	tinkkeyset "github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"posthaste/errs"
	"posthaste/keyset"
)

func generate(t *testing.T) string {
	t.Helper()
	line, err := keyset.Generate()
	require.NoError(t, err)
	return line
}

func parse(t *testing.T, line string) *keyset.Keyset {
	t.Helper()
	keys, err := keyset.Parse(line)
	require.NoError(t, err)
	return keys
}

func TestGenerateIsOneLineAndNew(t *testing.T) {
	t.Parallel()
	first, second := generate(t), generate(t)
	require.NotEqual(t, first, second)
	require.NotContains(t, first, "\n")
	require.Regexp(t, `^[A-Za-z0-9+/]+=*$`, first)
}

func TestSealedValuesOpen(t *testing.T) {
	t.Parallel()
	line := generate(t)
	for _, give := range []string{"", "whsec_abc", strings.Repeat("ü", 5000)} {
		sealed, err := parse(t, line).Seal([]byte(give), []byte("tenant/webhook/secret"))
		require.NoError(t, err)
		if give != "" {
			require.NotContains(t, string(sealed), give)
		}
		plain, err := parse(t, " "+line+"\n").Open(sealed, []byte("tenant/webhook/secret"))
		require.NoError(t, err)
		require.Equal(t, give, string(plain))
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	t.Parallel()
	keys := parse(t, generate(t))
	first, err := keys.Seal([]byte("same"), nil)
	require.NoError(t, err)
	second, err := keys.Seal([]byte("same"), nil)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	keys, others := parse(t, generate(t)), parse(t, generate(t))
	context := []byte("acme/w1/secret")
	sealed, err := keys.Seal([]byte("whsec_abc"), context)
	require.NoError(t, err)
	changed := append([]byte(nil), sealed...)
	changed[len(changed)-1] ^= 1

	tests := []struct {
		name    string
		keys    *keyset.Keyset
		sealed  []byte
		context string
	}{
		{"another context", keys, sealed, "acme/w2/secret"},
		{"no context", keys, sealed, ""},
		{"another keyset", others, sealed, string(context)},
		{"a changed value", keys, changed, string(context)},
		{"a cut value", keys, sealed[:8], string(context)},
		{"nothing", keys, nil, string(context)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plain, err := tt.keys.Open(tt.sealed, []byte(tt.context))
			require.Nil(t, plain)
			require.True(t, errs.Is(err, errs.Internal))
			require.ErrorContains(t, err, "POSTHASTE_ENCRYPTION_KEYSET")
			require.NotContains(t, err.Error(), "whsec_abc")
		})
	}
}

func TestParseReadsJSONKeysets(t *testing.T) {
	t.Parallel()
	line := generate(t)
	raw, err := base64.StdEncoding.DecodeString(line)
	require.NoError(t, err)
	handle, err := insecurecleartextkeyset.Read(tinkkeyset.NewBinaryReader(strings.NewReader(string(raw))))
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, insecurecleartextkeyset.Write(handle, tinkkeyset.NewJSONWriter(&text)))

	sealed, err := parse(t, line).Seal([]byte("x"), nil)
	require.NoError(t, err)
	plain, err := parse(t, base64.StdEncoding.EncodeToString([]byte(text.String()))).Open(sealed, nil)
	require.NoError(t, err)
	require.Equal(t, "x", string(plain))
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	macHandle, err := tinkkeyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	require.NoError(t, err)
	var macKeys strings.Builder
	require.NoError(t, insecurecleartextkeyset.Write(macHandle, tinkkeyset.NewBinaryWriter(&macKeys)))
	line := generate(t)

	tests := []struct{ name, give, want string }{
		{"empty", "  \n", "is empty"},
		{"not base64", "c4n4ry!", "no base64"},
		{"base64 of something else", base64.StdEncoding.EncodeToString([]byte("c4n4ry")), "cannot be read"},
		{"JSON of something else", base64.StdEncoding.EncodeToString([]byte(`{"c4n4ry":1}`)), "cannot be read"},
		{"half of a line", line[:len(line)/2/4*4], "cannot be read"},
		{"keys of another kind", base64.StdEncoding.EncodeToString([]byte(macKeys.String())), "another kind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, err := keyset.Parse(tt.give)
			require.Nil(t, keys)
			require.True(t, errs.Is(err, errs.Invalid))
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "c4n4ry")
		})
	}
}

func TestKeysNeverPrint(t *testing.T) {
	t.Parallel()
	keys := parse(t, generate(t))
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+"\n", keys)
		fmt.Fprintf(&printed, verb+"\n", struct{ K *keyset.Keyset }{keys})
	}
	asJSON, err := json.Marshal(keys)
	require.NoError(t, err)
	printed.Write(asJSON)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("keys", "keyset", keys)
	require.NotContains(t, printed.String(), "aead")
	require.NotContains(t, printed.String(), "0x")
	require.Contains(t, printed.String(), "[keyset]")
	require.Equal(t, "[keyset]", keys.String())
}
