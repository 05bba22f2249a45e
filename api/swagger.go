package api

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"posthaste/api/dashboard"
	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
)

// The page of Swagger UI, its style around Swagger UI's own, and the script that
// starts it. They name what they need relative to themselves, so that they work
// behind a proxy's prefix too.
//
//go:embed swagger.html
var swaggerPage []byte

//go:embed swagger.css
var swaggerStyle []byte

//go:embed swagger.js
var swaggerStart []byte

// swaggerFile is a file that the page loads. Its type is written here because
// the tables of the operating system may say anything.
type swaggerFile struct {
	contentType string
	ours        []byte
	embedded    string // its name in the module that brings Swagger UI, where it is not ours
}

var swaggerFiles = map[string]swaggerFile{
	"start.js":             {"text/javascript; charset=utf-8", swaggerStart, ""},
	"page.css":             {"text/css; charset=utf-8", swaggerStyle, ""},
	"swagger-ui-bundle.js": {"text/javascript; charset=utf-8", nil, "swagger-ui-bundle.js.gz"},
	"swagger-ui.css":       {"text/css; charset=utf-8", nil, "swagger-ui.css.gz"},
	"favicon-32x32.png":    {"image/png", nil, "favicon-32x32.png"},
}

// swaggerPolicy lets the page load its own files, ask its own server, and
// nothing else. Swagger UI writes style attributes and draws its icons from
// data URLs.
const swaggerPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// swaggerTheme is where the page says what it shall look like.
const swaggerTheme = `data-theme="`

// page answers with Swagger UI over the specification, as light or dark as the
// dashboard is.
func (*docs) page(c *gin.Context) error {
	c.Header("Content-Security-Policy", swaggerPolicy)
	text := bytes.Replace(swaggerPage, []byte(swaggerTheme+"system"), []byte(swaggerTheme+dashboard.ThemeOf(c)), 1)
	c.Data(http.StatusOK, "text/html; charset=utf-8", text)
	return nil
}

// file answers with one file of the page. They change with a release alone.
func (*docs) file(c *gin.Context) error {
	file, known := swaggerFiles[c.Param("file")]
	if !known {
		return errs.New(errs.NotFound, "The documentation has no such file")
	}
	text := file.ours
	if file.embedded != "" {
		var err error
		if text, err = static.FS.ReadFile(file.embedded); err != nil {
			return fmt.Errorf("embedded %s: %w", file.embedded, err)
		}
	}
	c.Header("Cache-Control", "public, max-age=3600")
	if path.Ext(file.embedded) == ".gz" {
		return sendPacked(c, file.contentType, text)
	}
	c.Data(http.StatusOK, file.contentType, text)
	return nil
}

// sendPacked sends a text that is kept compressed, as it is to whoever takes
// that: every browser.
func sendPacked(c *gin.Context, contentType string, packed []byte) error {
	c.Header("Vary", "Accept-Encoding")
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		c.Data(http.StatusOK, contentType, packed)
		return nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	c.Data(http.StatusOK, contentType, text)
	return nil
}
