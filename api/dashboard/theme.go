package dashboard

import "github.com/gin-gonic/gin"

// ThemeOf returns what this browser wants pages to look like, for pages beside
// the dashboard's own: system, light or dark.
func ThemeOf(c *gin.Context) string { return themeOf(c) }
