package api

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// specification is the OpenAPI document of this API. Tests hold the route table
// and every answer of theirs to it.
//
//go:embed openapi.yaml
var specification []byte

// docs serves the specification, and Swagger UI to read it with.
type docs struct{}

func (*docs) specification(c *gin.Context) error {
	c.Data(http.StatusOK, "application/yaml; charset=utf-8", specification)
	return nil
}
