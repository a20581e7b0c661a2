package api

import (
	"encoding/json"
	"io"
	"net/http"
)

// Problem is the body of an error's answer, application/problem+json of RFC
// 9457. Its type is always about:blank, so the title is the status's phrase;
// Code is what programs branch on.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   Code   `json:"code"`
	// Reasons are each node's, where leases were asked for and not granted.
	Reasons []LeaseReason `json:"reasons,omitempty"`
}

const problemType = "application/problem+json"

func newProblem(code Code, detail string) Problem {
	status := code.Status()
	return Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problems, for huma.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders are the fields of the answer that the code asks for, for huma.
func (p *Problem) GetHeaders() http.Header { return p.Code.header() }

func writeProblem(w http.ResponseWriter, code Code, detail string) {
	for name, values := range code.header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(code.Status())
	writeJSON(w, newProblem(code, detail))
}

// writeJSON writes v indented, for people with curl. A reader that is gone is
// no error of anybody's.
func writeJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}
