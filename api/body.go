package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// maxDepth is how deep JSON may nest, for `data` and for everything else. The
// members of our own around `data` come on top of it.
const maxDepth = 64

// maxResourceBytes bounds every body that holds no event: a webhook with 64
// headers of 1 KiB fits well.
const maxResourceBytes = 128 << 10

// bodyRule is what a route takes as its body.
type bodyRule struct {
	maxBytes int64
	around   int  // levels of our own around the caller's data
	optional bool // an absent body stands for {}
}

// readBody reads the request's body as one JSON object. What it refuses, and
// why: anything but JSON (415), more than maxBytes (413), and text that is not
// UTF-8, not JSON, nests too deep or is no object (400).
func readBody(c *gin.Context, rule bodyRule) (*object, error) {
	text, err := readBytes(c, rule.maxBytes)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		if rule.optional {
			return newObject("", map[string]json.RawMessage{}, map[string]string{}), nil
		}
		return nil, errs.New(errs.Invalid, "The request needs a JSON object as its body")
	}
	if !utf8.Valid(text) {
		return nil, errs.New(errs.Invalid, "The body is not valid UTF-8")
	}
	if err := checkDepth(text, rule.around); err != nil {
		return nil, err
	}
	if err := checkSyntax(text); err != nil {
		return nil, err
	}
	faults := map[string]string{}
	body := parseObject(text, "", faults)
	if body == nil {
		return nil, errs.New(errs.Invalid, "The body must be a JSON object")
	}
	return body, nil
}

func readBytes(c *gin.Context, maxBytes int64) ([]byte, error) {
	if c.Request.ContentLength == 0 {
		return nil, nil
	}
	if err := checkMedia(c.Request.Header); err != nil {
		return nil, err
	}
	if c.Request.ContentLength > maxBytes {
		return nil, &http.MaxBytesError{Limit: maxBytes}
	}
	var text []byte
	var err error
	untimed(c, func() {
		text, err = readAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBytes), c.Request.ContentLength)
	})
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		// The caller sent less than it announced, or left.
		return nil, errs.Wrap(err, errs.Invalid, "The body could not be read to its end")
	}
	return text, err
}

// readAll reads to the end. Room for what was announced is made at once: growing
// step by step leaves several times as much behind.
func readAll(body io.Reader, announced int64) ([]byte, error) {
	if announced <= 0 {
		return io.ReadAll(body)
	}
	var text bytes.Buffer
	text.Grow(int(announced) + bytes.MinRead) // ReadFrom wants that much left when it meets the end
	_, err := text.ReadFrom(body)
	return text.Bytes(), err
}

// checkMedia wants JSON in UTF-8, and it uncompressed: sizes are promises about
// what arrives.
func checkMedia(header http.Header) error {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return errs.New(errs.UnsupportedMedia, "Send the body without Content-Encoding")
	}
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, given := params["charset"]
	if err != nil || media != "application/json" || given && !strings.EqualFold(charset, "utf-8") {
		return errs.New(errs.UnsupportedMedia, "Send the body as JSON, with the header Content-Type: application/json")
	}
	return nil
}

// checkSyntax refuses text that is not exactly one JSON value.
func checkSyntax(text []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return errs.Wrap(err, errs.Invalid, "The body is not valid JSON, at byte %d", syntax.Offset)
	}
	return errs.Wrap(err, errs.Invalid, "The body is not valid JSON")
}

// checkDepth refuses text that nests too deep, beside some levels of our own.
func checkDepth(text []byte, around int) error {
	member, tooDeep := nestsDeeper(text, maxDepth+around)
	message := fmt.Sprintf("nests deeper than %d levels", maxDepth)
	switch {
	case !tooDeep:
		return nil
	case member == "":
		return errs.New(errs.Invalid, "The body %s", message)
	default:
		return errs.InvalidField(member, "%s", message)
	}
}

// nestsDeeper tells whether the text opens more than limit levels, and inside
// which member of the outermost object. It looks at bytes alone, before any
// parser recurses, and so takes text that is not JSON too.
func nestsDeeper(text []byte, limit int) (member string, deeper bool) {
	depth, start, inText := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case inText && ch == '\\':
			i++
		case ch == '"':
			if inText && depth == 1 && isMemberName(text[i+1:]) {
				member = string(text[start:i])
			}
			inText, start = !inText, i+1
		case inText:
		case ch == '{' || ch == '[':
			if depth++; depth > limit {
				return member, true
			}
		case ch == '}' || ch == ']':
			depth--
		}
	}
	return "", false
}

// isMemberName tells whether the text after a string makes it a member's name.
func isMemberName(rest []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(":"))
}
