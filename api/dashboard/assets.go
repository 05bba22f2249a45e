package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

//go:embed assets
var embedded embed.FS

// assetTypes lists what pages load. Types are written here because the tables
// of the operating system may say anything.
var assetTypes = map[string]string{
	"style.css":        "text/css; charset=utf-8",
	"ledger.css":       "text/css; charset=utf-8",
	"app.js":           "text/javascript; charset=utf-8",
	"htmx.min.js":      "text/javascript; charset=utf-8", // 2.0.10, unchanged
	"htmx.LICENSE.txt": "text/plain; charset=utf-8",
	"icon.svg":         "image/svg+xml",
}

// assets holds the files by name, and what is in them as a version.
type assets struct {
	texts    map[string][]byte
	versions map[string]string
}

func readAssets() (*assets, error) {
	a := &assets{texts: map[string][]byte{}, versions: map[string]string{}}
	for name := range assetTypes {
		text, err := embedded.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("embedded file: %w", err)
		}
		sum := sha256.Sum256(text)
		a.texts[name], a.versions[name] = text, hex.EncodeToString(sum[:6])
	}
	return a, nil
}

// path returns where a page finds a file. It changes with the file.
func (a *assets) path(name string) string { return "/assets/" + name + "?v=" + a.versions[name] }

// serve answers with a file; browsers keep the one of the version asked for.
func (a *assets) serve(c *gin.Context) error {
	name := c.Param("file")
	text, known := a.texts[name]
	if !known {
		return errs.New(errs.NotFound, "There is no such file")
	}
	if c.Query("v") == a.versions[name] {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	c.Data(http.StatusOK, assetTypes[name], text)
	return nil
}
