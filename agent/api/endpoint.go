package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// endpoints are what is below /v1: huma checks requests against the Go types
// of each, reads and writes the JSON, and describes them for /openapi.json.
type endpoints struct{ huma huma.API }

// newEndpoints adds the endpoints' routes to mux. It is huma without what huma
// keeps for the whole process, and without its documentation pages, which load
// scripts from elsewhere.
func newEndpoints(mux *http.ServeMux, version string) endpoints {
	format := huma.Format{
		Marshal: func(w io.Writer, v any) error {
			writeJSON(w, v)
			return nil
		},
		Unmarshal: json.Unmarshal,
	}
	return endpoints{humago.New(mux, huma.Config{
		OpenAPI:                      &huma.OpenAPI{Info: &huma.Info{Title: "kecho agent", Version: version}},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{wordProblems},
	})}
}

// answer is what an endpoint returns whose answer is a T.
type answer[T any] struct{ Body T }

// listOf is a list as an endpoint returns it: [] and not null.
func listOf[T any](items []T) *answer[List[T]] {
	if items == nil {
		items = []T{}
	}
	return &answer[List[T]]{List[T]{Items: items}}
}

// nothing is the input of an endpoint that has none, and the output of one
// that answers 204.
type nothing = struct{}

// add adds one endpoint. op needs Method, Path, OperationID and Summary. Of I
// the fields with `path:"..."`, `query:"..."` and `header:"..."` are read from
// there and Body from JSON; O is an answer or nothing. An *Error of serve is
// answered by the table of errors, any other error is Failed.
func add[I, O any](e endpoints, op huma.Operation, serve func(context.Context, *I) (*O, error)) {
	for f := range reflect.TypeFor[I]().Fields() {
		if f.Anonymous && !f.IsExported() {
			panic("api: huma would not read the fields of " + f.Name + ": embed an exported type")
		}
	}
	// Bodies were read and bounded by guard.
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1
	schemas := e.huma.OpenAPI().Components.Schemas
	if op.Responses == nil {
		op.Responses = make(map[string]*huma.Response)
	}
	op.Responses["default"] = &huma.Response{
		Description: "A problem of RFC 9457.",
		Content: map[string]*huma.MediaType{
			problemType: {Schema: schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")},
		},
	}
	huma.Register(e.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := serve(ctx, in)
		if err != nil {
			return nil, failure(err)
		}
		return out, nil
	})
}

// describe is the OpenAPI document of the endpoints.
func (e endpoints) describe() *huma.OpenAPI {
	api := e.huma.OpenAPI()
	delete(api.Components.Schemas.Map(), "ErrorModel") // huma's own, which wordProblems replaces
	delete(api.Components.Schemas.Map(), "ErrorDetail")
	for _, n := range nullable {
		if s := api.Components.Schemas.Map()[n.schema]; s != nil { // nil: no endpoint has it
			s.Properties[n.property] = &huma.Schema{AnyOf: []*huma.Schema{s.Properties[n.property], {Type: "null"}}}
		}
	}
	return api
}

// nullable are the properties that are an object or null: huma takes a pointer
// to a struct for an object.
var nullable = []struct{ schema, property string }{{"Member", "link"}, {"ChannelEvents", "gap"}, {"Events", "gap"}}

// failure is err as huma wants it.
func failure(err error) error {
	var coded *Error
	if !errors.As(err, &coded) {
		coded = &Error{Code: Failed, Detail: err.Error()}
	}
	p := newProblem(coded.Code, coded.Detail)
	p.Reasons = coded.Reasons
	return &p
}

// wordProblems makes our problems of what huma finds wrong with a request.
func wordProblems(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	parts := make([]string, 0, len(m.Errors))
	for _, e := range m.Errors[:min(len(m.Errors), 10)] {
		parts = append(parts, fmt.Sprintf("%.100s: %.200s", e.Location, e.Message))
	}
	detail := strings.Join(parts, "; ")
	if detail == "" {
		detail = m.Detail
	}
	if m.Status == http.StatusUnsupportedMediaType {
		detail += "; want Content-Type: application/json"
	}
	p := newProblem(codeOf(m.Status), detail)
	p.Status, p.Title = m.Status, http.StatusText(m.Status)
	return &p, nil
}

// codeOf is the code of a request that huma refuses with status.
func codeOf(status int) Code {
	switch status {
	case http.StatusBadRequest:
		return Usage
	case http.StatusUnsupportedMediaType:
		return NotJSON
	case http.StatusUnprocessableEntity:
		return Invalid
	}
	return Failed
}
