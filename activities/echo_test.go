package activities

import (
	"encoding/json"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/webhook/send"
)

const signingPart = "MfKQ9r8GKYqr/TwjUPD8+ILPZIo2LaLaSw=="

// hooked is a webhook with credentials of every kind, and what is sent for it.
func hooked() (*models.Webhook, []send.Header) {
	w := &models.Webhook{
		Secret: "whsec_" + signingPart, PreviousSecret: "a secret of before",
		Headers: map[string]string{
			"authorization": "Bearer abc-canary-1", "X-Api-Key": `k<e>y/"1"é`, "X-Token": "abc", "X-Team": "the-blue-team",
		},
	}
	return w, []send.Header{
		{Name: "Idempotency-Key", Value: "the-delivery-id"}, {Name: "webhook-signature", Value: "v1,c2lnbmF0dXJl"},
		{Name: "Authorization", Value: "Bearer abc-canary-1"}, {Name: "X-Api-Key", Value: `k<e>y/"1"é`},
		{Name: "X-Token", Value: "abc"}, {Name: "X-Team", Value: "the-blue-team"},
	}
}

func TestAnEchoedCredentialIsHidden(t *testing.T) {
	t.Parallel()
	hidden := credentialsOf(hooked())
	for name, tc := range map[string]struct{ give, want string }{
		"nothing":             {"", ""},
		"no credential":       {"500 at line 7", "500 at line 7"},
		"a whole value":       {"got Bearer abc-canary-1!", "got [hidden]!"},
		"without its scheme":  {"token=abc-canary-1&x=1", "token=[hidden]&x=1"},
		"twice":               {"abc-canary-1, abc-canary-1", "[hidden], [hidden]"},
		"side by side":        {"abc-canary-1abc-canary-1", "[hidden][hidden]"},
		"the secret":          {"whsec_" + signingPart, "[hidden]"},
		"its base64":          {"<" + signingPart + ">", "<[hidden]>"},
		"the previous secret": {"a secret of before.", "[hidden]."},
		"too short to tell":   {"abc", "abc"},
		"what is no secret":   {"v1,c2lnbmF0dXJl the-delivery-id the-blue-team", "v1,c2lnbmF0dXJl the-delivery-id the-blue-team"},
		"cut":                 {"Authorization: Bearer abc-ca", "Authorization: [hidden]"},
		"cut without scheme":  {"token: abc-ca", "token: [hidden]"},
		"cut after little":    {"token: abc-c", "token: abc-c"},
		"the scheme alone":    {"wanted: Bearer", "wanted: Bearer"},
		"JSON of PHP":         {`"whsec_` + strings.ReplaceAll(signingPart, "/", `\/`) + `"`, `"[hidden]"`},
		"JSON of .NET":        {`"whsec_` + strings.NewReplacer("+", `\u002B`, "=", `\u003d`).Replace(signingPart) + `"`, `"[hidden]"`},
		"JSON cut":            {`{"secret":"whsec_MfKQ9r8GKYqr\/Tw`, `{"secret":"[hidden]`},
		"JSON cut in escape":  {`{"secret":"whsec_MfKQ9r8GKYqr\u00`, `{"secret":"[hidden]`},
		"every character":     {`k\u003ce\x3ey\/\"1\"\u00e9`, "[hidden]"},
		"other escapes":       {`100% \n &copy; &nothing; \u00zz %`, `100% \n &copy; &nothing; \u00zz %`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, string(hidden.hide([]byte(tc.give))))
		})
	}
}

func TestAnEchoedCredentialIsHiddenHoweverItIsEscaped(t *testing.T) {
	t.Parallel()
	w, sent := hooked()
	hidden := credentialsOf(w, sent)
	for _, value := range []string{w.Secret.Reveal(), sent[3].Value} {
		printed, err := json.Marshal(value)
		require.NoError(t, err)
		for name, form := range map[string]string{
			"JSON": string(printed[1 : len(printed)-1]), "HTML": html.EscapeString(value),
			"a template": template.HTMLEscapeString(value), "JavaScript": template.JSEscapeString(value),
			"a path": url.PathEscape(value),
		} {
			require.Equal(t, "<"+hiddenValue+">", string(hidden.hide([]byte("<"+form+">"))), "%s: %s", name, form)
		}
	}
}

func TestBasicIsHiddenInEveryForm(t *testing.T) {
	t.Parallel()
	w := &models.Webhook{Headers: map[string]string{"Authorization": "x"}}
	hidden := credentialsOf(w, []send.Header{{Name: "Authorization", Value: "Basic ZXZlOmEtbG9uZy1wYXNzd29yZA=="}})
	require.Equal(t, "[hidden], auth=[hidden], [hidden], [hidden]",
		string(hidden.hide([]byte("Basic ZXZlOmEtbG9uZy1wYXNzd29yZA==, auth=ZXZlOmEtbG9uZy1wYXNzd29yZA==, eve:a-long-password, a-long-password"))))
}

func TestHidingStaysInItsBounds(t *testing.T) {
	t.Parallel()
	w := &models.Webhook{Headers: map[string]string{"X-Key": "x"}}
	hidden := credentialsOf(w, []send.Header{{Name: "X-Key", Value: "abcd"}})
	require.Len(t, hidden.hide([]byte(strings.Repeat("abcd", send.MaxResponseBody/4))), send.MaxResponseBody)
	body := []byte("abcd-abcd")
	hidden.hide(body)
	require.Equal(t, "abcd-abcd", string(body), "what came is not written over")
	require.Empty(t, credentialsOf(&models.Webhook{}, nil))
	require.Equal(t, "abcd", string(credentials(nil).hide([]byte("abcd"))))
}

func TestTheLedgerGetsNoEchoedCredential(t *testing.T) {
	t.Parallel()
	w, sent := hooked()
	attempt := ledgerAttempt(models.Due{Webhook: *w}, send.Request{Header: sent}, send.Result{
		ResponseBody: []byte("Authorization: Bearer abc-canary-1"), ResponseTruncated: true,
		ResponseHeader: http.Header{"X-Debug": {"a", "abc-canary-1"}, "Location": {"/?t=abc%2dcanary%2D1"}},
	})
	require.Equal(t, "Authorization: [hidden]", string(attempt.ResponseBody))
	require.Equal(t, [][2]string{{"Location", "/?t=[hidden]"}, {"X-Debug", "a"}, {"X-Debug", "[hidden]"}}, attempt.ResponseHeaders)
	require.True(t, attempt.ResponseTruncated)
}
