package api

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"
)

// contract is the embedded specification, parsed once.
type contract struct {
	document *openapi3.T
	router   routers.Router
}

var loadContract = sync.OnceValues(func() (contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(specification)
	if err != nil {
		return contract{}, err
	}
	router, err := legacy.NewRouter(document) // validates the document and its examples
	return contract{document, router}, err
})

func readContract(t *testing.T) contract {
	t.Helper()
	c, err := loadContract()
	require.NoError(t, err)
	return c
}

// checkSpecification holds an answer to the specification: its status is listed
// for the route, its headers and body are as described, and it has no member
// that is not described. Where there is no such route, the answer is the error
// envelope.
func checkSpecification(t *testing.T, request *http.Request, got answer) {
	t.Helper()
	c := readContract(t)
	route, parameters, err := c.router.FindRoute(request)
	if err != nil || strings.HasSuffix(request.URL.Path, "/") { // the finder forgives a slash, we do not
		require.Equal(t, http.StatusNotFound, got.status, "%s %s is not in the specification", request.Method, request.URL.Path)
		checkValue(t, c.document.Components.Schemas["Error"].Value, got.body)
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: route, PathParams: parameters},
		Status:                 got.status, Header: got.header, Body: io.NopCloser(strings.NewReader(got.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), input), "%s %s → %d %s", request.Method, request.URL, got.status, got.body)
	described := route.Operation.Responses.Status(got.status).Value
	if media := described.Content.Get("application/json"); media != nil {
		checkValue(t, media.Schema.Value, got.body)
	}
}

func checkValue(t *testing.T, schema *openapi3.Schema, body string) {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(body), &value), body)
	require.NoError(t, schema.VisitJSON(value), body)
	require.Empty(t, undescribed([]*openapi3.Schema{schema}, value, ""), "members that the specification does not describe")
}

// undescribed lists the members of a value that no schema describes. Validation
// alone lets them pass, so a new column could become public by accident.
func undescribed(schemas []*openapi3.Schema, value any, path string) []string {
	schemas = parts(schemas)
	var found []string
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			below, open := memberSchemas(schemas, name)
			if len(below) == 0 && !open {
				found = append(found, path+"."+name)
			} else if len(below) > 0 {
				found = append(found, undescribed(below, member, path+"."+name)...)
			}
		}
	case []any:
		var below []*openapi3.Schema
		for _, schema := range schemas {
			if schema.Items != nil {
				below = append(below, schema.Items.Value)
			}
		}
		for _, element := range value {
			found = append(found, undescribed(below, element, path+"[]")...)
		}
	}
	return found
}

// parts adds the schemas that schemas are made of.
func parts(schemas []*openapi3.Schema) []*openapi3.Schema {
	all := slices.Clone(schemas)
	for i := 0; i < len(all); i++ {
		for _, refs := range []openapi3.SchemaRefs{all[i].AllOf, all[i].OneOf, all[i].AnyOf} {
			for _, ref := range refs {
				all = append(all, ref.Value)
			}
		}
	}
	return all
}

// memberSchemas returns what is said of a member, and whether members may have
// any name.
func memberSchemas(schemas []*openapi3.Schema, name string) (below []*openapi3.Schema, open bool) {
	for _, schema := range schemas {
		if ref, ok := schema.Properties[name]; ok {
			below = append(below, ref.Value)
		}
		extra := schema.AdditionalProperties
		if extra.Schema != nil {
			below = append(below, extra.Schema.Value)
		}
		open = open || extra.Has != nil && *extra.Has
	}
	return below, open
}

// specificationPath turns a path of the route table into one of OpenAPI.
func specificationPath(path string) string {
	return regexp.MustCompile(`:(\w+)`).ReplaceAllString(path, "{$1}")
}

func table(t *testing.T) []route {
	t.Helper()
	s, err := newServer(validDeps(t))
	require.NoError(t, err)
	return s.routes()
}

func TestRoutesMatchOpenAPI(t *testing.T) {
	t.Parallel()
	var ours, theirs []string
	for _, row := range table(t) {
		ours = append(ours, row.Method+" "+specificationPath(row.Path))
	}
	for path, item := range readContract(t).document.Paths.Map() {
		for method := range item.Operations() {
			theirs = append(theirs, method+" "+path)
		}
	}
	require.ElementsMatch(t, theirs, ours)
}

func TestEveryRouteDeclaresAuth(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	for _, row := range table(t) {
		require.Contains(t, []auth{authPublic, authTenant, authToken, authAdmin, authOperator}, row.Auth, row.Path)
		operation := c.document.Paths.Value(specificationPath(row.Path)).GetOperation(row.Method)
		require.Equal(t, row.Auth == authPublic, operation.Security != nil && len(*operation.Security) == 0,
			"%s %s: the table and the specification disagree on who may call", row.Method, row.Path)
		if row.Auth == authToken || row.Auth == authAdmin {
			require.Equal(t, &openapi3.SecurityRequirements{{"bearer": {}}}, operation.Security, "%s %s is for tokens alone", row.Method, row.Path)
		}
		if row.Auth == authOperator {
			require.Equal(t, &openapi3.SecurityRequirements{{"bearer": {}}, {"operatorCookie": {}}}, operation.Security, "%s %s", row.Method, row.Path)
		}
		if row.Auth != authPublic {
			require.NotNil(t, operation.Responses.Status(http.StatusUnauthorized), row.Path)
		}
	}
}

// TestGatedRoutesRefuseStrangers sends every route of a tenant a request without
// a credential and one with a bad one.
func TestGatedRoutesRefuseStrangers(t *testing.T) {
	t.Parallel()
	handler, err := New(validDeps(t))
	require.NoError(t, err)
	for _, row := range table(t) {
		for _, header := range []string{"", "Bearer nonsense"} {
			path := replaceID(row.Path, "0197214e-8a1c-7cc2-9f0e-7a1b5d2c9e44")
			request := httptest.NewRequestWithContext(t.Context(), row.Method, path, nil)
			if header != "" {
				request.Header.Set("Authorization", header)
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			require.Equal(t, row.Auth != authPublic, recorder.Code == http.StatusUnauthorized, "%s %s: %s", row.Method, row.Path, recorder.Body)
			if row.Auth != authPublic {
				require.Contains(t, recorder.Header().Get("WWW-Authenticate"), "Bearer realm=")
				checkSpecification(t, request, answer{recorder.Code, recorder.Header(), recorder.Body.String()})
			}
		}
	}
}

func TestEveryRouteHasScenario(t *testing.T) {
	t.Parallel()
	played := map[string]bool{}
	c := readContract(t)
	for _, s := range scenarios() {
		method := s.method
		if method == "" {
			method = http.MethodGet
		}
		request := httptest.NewRequestWithContext(t.Context(), method, s.pathOf(), nil)
		if route, _, err := c.router.FindRoute(request); err == nil && s.status < 400 {
			played[method+" "+route.Path] = true
		}
	}
	for _, row := range table(t) {
		require.True(t, played[row.Method+" "+specificationPath(row.Path)], "%s %s has no scenario that succeeds", row.Method, row.Path)
	}
}

func TestSpecificationNamesEveryCode(t *testing.T) {
	t.Parallel()
	var codes []any
	for _, wire := range wireErrors {
		codes = append(codes, wire.code)
	}
	described := readContract(t).document.Components.Schemas["Error"].Value.Properties["code"].Value.Enum
	require.ElementsMatch(t, codes, described)
	require.False(t, bytes.Contains(specification, []byte("\t")), "YAML is indented with spaces")
}

// TestAnEventOfABatchIsDescribedAsOneSentAlone but for its key, which a closed schema
// cannot add to another.
func TestAnEventOfABatchIsDescribedAsOneSentAlone(t *testing.T) {
	t.Parallel()
	schemas := readContract(t).document.Components.Schemas
	alone, member := schemas["EventCreate"].Value, *schemas["BatchEvent"].Value
	require.Contains(t, member.Properties, memberIdempotencyKey)
	member.Properties = maps.Clone(member.Properties)
	delete(member.Properties, memberIdempotencyKey)
	described, err := json.Marshal(alone.Properties)
	require.NoError(t, err)
	again, err := json.Marshal(member.Properties)
	require.NoError(t, err)
	require.JSONEq(t, string(described), string(again))
	require.Equal(t, alone.Required, member.Required)
}

// replaceID puts something in the place of a path's id.
func replaceID(path, id string) string { return strings.ReplaceAll(path, ":id", id) }
