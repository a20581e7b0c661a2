package api

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Check is one thing that an agent needs to be ready.
type Check struct {
	// Name is one word: "http", "upstream", "gossip", "draining".
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says why not, or what to know although it is well.
	Detail string `json:"detail"`
}

// Readiness is all checks, and whether none failed.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

func readinessOf(checks []Check) Readiness {
	r := Readiness{Ready: true, Checks: checks}
	if checks == nil {
		r.Checks = []Check{}
	}
	for _, c := range checks {
		r.Ready = r.Ready && c.OK
	}
	return r
}

// serveReady answers probes with text as Kubernetes does, since that is who
// asks, and with JSON whoever says that it accepts JSON.
func serveReady(w http.ResponseWriter, req *http.Request, r Readiness) {
	status := http.StatusOK
	if !r.Ready {
		status = NotReady.Status()
	}
	if strings.Contains(req.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		writeJSON(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, verbose := req.URL.Query()["verbose"]
	r.writeText(w, verbose)
}

// writeText lists the checks, or when not verbose only those that failed.
func (r Readiness) writeText(w io.Writer, verbose bool) {
	for _, c := range r.Checks {
		mark := "[-]"
		if c.OK {
			mark = "[+]"
		}
		if verbose || !c.OK {
			fmt.Fprintln(w, strings.TrimSpace(mark+c.Name+" "+c.Detail))
		}
	}
	if r.Ready {
		fmt.Fprintln(w, "ready")
	} else {
		fmt.Fprintln(w, "not ready")
	}
}
