package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// PathCodec is where Temporal's tools find what opens sealed payloads for an
// operator: the address to give them as their codec endpoint.
const PathCodec = "/api/temporal/codec"

// pathDecode is the one operation of the codec protocol that we have: nothing
// else than Posthaste seals payloads.
const pathDecode = PathCodec + "/decode"

// maxCodecBytes bounds a body of payloads: the largest message that Temporal's
// gRPC takes.
const maxCodecBytes = 4 << 20

// Codec opens what Temporal keeps sealed.
type Codec interface {
	// DecodeJSON takes and returns temporal.api.common.v1.Payloads in JSON. It
	// returns errs.Invalid for a body that is none or does not open.
	DecodeJSON(body []byte) ([]byte, error)
}

// codecs is the codec endpoint of Temporal's tools, and the page on which an
// operator signs in for Temporal Web UI.
type codecs struct {
	codec      Codec
	tokens     *jwtAuthenticator
	origin     string // of Temporal Web UI; "" lets no other origin in
	protection *http.CrossOriginProtection
	now        func() time.Time
}

func newCodecs(deps Deps, tokens *jwtAuthenticator) (*codecs, error) {
	h := &codecs{codec: deps.Codec, tokens: tokens, origin: originOf(deps.TemporalUIURL), protection: http.NewCrossOriginProtection(), now: deps.Now}
	if h.origin != "" {
		if err := h.protection.AddTrustedOrigin(h.origin); err != nil {
			return nil, fmt.Errorf("api.Deps.TemporalUIURL %q: %w", deps.TemporalUIURL, err)
		}
	}
	return h, nil
}

// originOf is the origin of a URL as browsers send it: in lower case, and
// without the port that its scheme has anyway. "" when the URL has none.
func originOf(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" || parsed.Host == "" {
		return ""
	}
	scheme, host := strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
	standard := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return scheme + "://" + strings.TrimSuffix(host, standard)
}

// share lets the pages of Temporal Web UI read the answers of the decode route,
// errors included, and those of no other origin.
func (h *codecs) share(c *gin.Context) {
	if c.FullPath() == pathDecode {
		c.Header("Vary", "Origin")
		if h.origin != "" && c.GetHeader("Origin") == h.origin {
			c.Header("Access-Control-Allow-Origin", h.origin)
			c.Header("Access-Control-Allow-Credentials", "true")
		}
	}
	c.Next()
}

// preflight answers a browser's question whether Temporal Web UI may ask. To any
// other origin the answer has no Access-Control headers, which is a no.
func (*codecs) preflight(c *gin.Context) error {
	if c.Writer.Header().Get("Access-Control-Allow-Origin") != "" {
		c.Header("Access-Control-Allow-Methods", http.MethodPost)
		c.Header("Access-Control-Allow-Headers", "Authorization, Authorization-Extras, Content-Type, X-Namespace")
		c.Header("Access-Control-Max-Age", "600")
	}
	c.Status(http.StatusNoContent)
	return nil
}

// decode opens payloads. The header X-Namespace, which the tools send, makes no
// difference: one keyset seals all.
func (h *codecs) decode(c *gin.Context) error {
	if err := h.sameOrigin(c); err != nil {
		return err
	}
	body, err := readBytes(c, maxCodecBytes)
	if err != nil {
		return err
	}
	opened, err := h.codec.DecodeJSON(body)
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, contentTypeJSON, opened)
	return nil
}

// sameOrigin refuses what a page of another origin than ours and Temporal Web
// UI's made a browser send: the cookie comes along with every request from the
// same site, and another port is the same site.
func (h *codecs) sameOrigin(c *gin.Context) error {
	err := h.protection.Check(c.Request)
	return errs.Wrap(err, errs.Forbidden, "Pages of this origin may not ask: only those of this server and of POSTHASTE_TEMPORAL_UI_URL may")
}

// cookieOperator holds the token with which an operator signed in.
const cookieOperator = "posthaste_operator"

// operatorHeader is the request's header, with the cookie's token in the place
// of the credential that it lacks.
func operatorHeader(request *http.Request) http.Header {
	if request.Header.Get("Authorization") != "" || request.Header.Get(headerAPIKey) != "" {
		return request.Header
	}
	cookie, err := request.Cookie(cookieOperator)
	if errors.Is(err, http.ErrNoCookie) {
		return request.Header
	}
	header := request.Header.Clone()
	header.Set("Authorization", "Bearer "+cookie.Value)
	return header
}
