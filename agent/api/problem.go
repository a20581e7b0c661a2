package api

import (
	"encoding/json"
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
}

func writeProblem(w http.ResponseWriter, code Code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code.Status())
	writeJSON(w, Problem{
		Type:   "about:blank",
		Title:  http.StatusText(code.Status()),
		Status: code.Status(),
		Detail: detail,
		Code:   code,
	})
}

// writeJSON writes v indented, for people with curl. A reader that is gone is
// no error of anybody's.
func writeJSON(w http.ResponseWriter, v any) {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}
