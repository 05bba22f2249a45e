package dashboard

import (
	"slices"
	"strings"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// filters reads what a page is narrowed to and gathers what is wrong with it, so
// that no list shows more than it was asked for. An empty one counts as absent,
// as forms send them.
type filters struct {
	c      *gin.Context
	faults map[string]string
}

func readFilters(c *gin.Context) *filters { return &filters{c: c, faults: map[string]string{}} }

// oneOf returns a filter that has to be one of the words; "" when absent.
func (f *filters) oneOf(name string, words ...string) string {
	text := f.c.Query(name)
	if text != "" && !slices.Contains(words, text) {
		f.faults[name] = "must be one of " + strings.Join(words, ", ")
		return ""
	}
	return text
}

// done returns all faults as one error; nil when there are none.
func (f *filters) done() error {
	if len(f.faults) == 0 {
		return nil
	}
	return errs.InvalidFields(f.faults)
}

// valuesOf lists what can be chosen, without "" for all.
func valuesOf(choices []choice) []string {
	var values []string
	for _, one := range choices {
		if one.Value != "" {
			values = append(values, one.Value)
		}
	}
	return values
}
