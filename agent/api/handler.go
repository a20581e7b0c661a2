package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"kecho/agent/channels"
	"kecho/agent/news"
	"kecho/resmgr"
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
	// Gauges are read and set. Nil: there are none.
	Gauges Gauges
	// Filters are put on channels. Nil: none can be.
	Filters Filters
	// StockFilters are the filters that are known by name.
	StockFilters []StockFilter
	// Events is what happens, for /v1/events; closing it ends the streams. Nil:
	// there are none.
	Events *news.Log
	// Leases is the resource manager. Nil: there is none.
	Leases *resmgr.Manager
	// Channels are those of applications. Nil: there are none.
	Channels *channels.Table
	// Gateway is what is shared with another cluster; it returns nil when nothing
	// is. Nil: the same.
	Gateway func() *Gateway
	// Metrics answers /metrics. Nil: there is none.
	Metrics http.Handler
	// Version is the agent's, for /openapi.json.
	Version string
}

// NewHandler is the API's HTTP side. It panics when a required field of cfg
// is missing.
func NewHandler(cfg Config) http.Handler {
	if cfg.Node == nil || cfg.Members == nil || cfg.Ready == nil {
		panic("api: Node, Members and Ready are required")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		serveReady(w, r, readinessOf(cfg.Ready()))
	})
	if cfg.Metrics != nil {
		mux.Handle("GET /metrics", cfg.Metrics)
	}
	v1 := newEndpoints(mux, cfg.Version)
	v1.addNode(cfg.Node)
	v1.addMembers(cfg.Members)
	if cfg.Gauges != nil {
		v1.addGauges(cfg.Gauges)
		v1.addThresholds(cfg.Gauges)
	}
	if cfg.Filters != nil {
		v1.addFilters(cfg.Filters, cfg.StockFilters)
	}
	if cfg.Leases != nil {
		v1.addLeases(cfg.Leases)
	}
	if cfg.Channels != nil {
		v1.addChannels(cfg.Channels)
	}
	if cfg.Gateway != nil {
		v1.addGateway(cfg.Gateway)
	}
	if cfg.Events != nil {
		v1.addEvents(cfg.Events)
	}

	description, err := json.MarshalIndent(v1.describe(), "", "  ")
	if err != nil {
		panic("api: " + err.Error()) // our own types
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(description)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { serveUnknown(mux, w, r) })
	return guard(mux)
}

// serveUnknown says that there is no such path, or no such method of it.
func serveUnknown(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	allowed := methodsAt(mux, r)
	if len(allowed) == 0 {
		writeProblem(w, NotFound, fmt.Sprintf("there is no %.200q here; /openapi.json says what there is", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, NotAllowed, fmt.Sprintf("%.200s knows %s, not %.20s", r.URL.Path, strings.Join(allowed, ", "), r.Method))
}

// methodsAt are the methods that the mux has a route for at r's path.
func methodsAt(mux *http.ServeMux, r *http.Request) []string {
	all := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return slices.DeleteFunc(all, func(method string) bool {
		_, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host})
		return pattern == "/"
	})
}
