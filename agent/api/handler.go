package api

import (
	"fmt"
	"io"
	"net/http"
)

// Config is where the handler gets its answers. Each function is called once
// a request, must not block for long, and returns values that the handler may
// keep.
type Config struct {
	// Node is required.
	Node func() Node
	// Members returns every node that is known, this one too. Required.
	Members func() []Member
	// Ready returns what readiness depends on. Required.
	Ready func() []Check
	// Metrics answers /metrics. Nil: there is none.
	Metrics http.Handler
}

// NewHandler is the API's HTTP side. It panics when a required field of cfg
// is missing.
func NewHandler(cfg Config) http.Handler {
	if cfg.Node == nil || cfg.Members == nil || cfg.Ready == nil {
		panic("api: Node, Members and Ready are required")
	}
	routes := map[string]http.HandlerFunc{
		"/livez": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(w, "ok\n")
		},
		"/readyz": func(w http.ResponseWriter, r *http.Request) {
			serveReady(w, r, readinessOf(cfg.Ready()))
		},
		"/v1/node": func(w http.ResponseWriter, _ *http.Request) {
			serveJSON(w, cfg.Node())
		},
		"/v1/members": func(w http.ResponseWriter, _ *http.Request) {
			items := cfg.Members()
			if items == nil {
				items = []Member{} // [] and not null
			}
			serveJSON(w, List[Member]{Items: items})
		},
	}
	if cfg.Metrics != nil {
		routes["/metrics"] = cfg.Metrics.ServeHTTP
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		route, ok := routes[r.URL.Path]
		switch {
		case !ok:
			writeProblem(w, NotFound, fmt.Sprintf("there is no %.200q here; there are /livez, /readyz, /metrics, /v1/node and /v1/members", r.URL.Path))
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, NotAllowed, fmt.Sprintf("%s can be read with GET only", r.URL.Path))
		default:
			route(w, r)
		}
	})
}

func serveJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, v)
}
