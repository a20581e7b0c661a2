package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// What a request may bring (docs/design.md, "Limits").
const (
	maxBody  = 64 << 10
	maxDepth = 16
	// A filter may be a module, as base64.
	maxFilterBody = 12 << 20
)

// guard is what stands before every endpoint: no page of another site writes
// through somebody's browser, and no body is larger or deeper than it may be.
func guard(next http.Handler) http.Handler {
	ours := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if rebound(r) {
			writeProblem(w, Forbidden, "a browser sent this to a name; only at an address, or at localhost, can a browser write")
			return
		}
		if writes(r) && ours.Check(asPost(r)) != nil {
			writeProblem(w, Forbidden, "a browser sent this for a page of another site; nothing was changed")
			return
		}
		if code, detail := readBounded(w, r); code != "" {
			writeProblem(w, code, detail)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// writes reports whether a request can change something: a websocket can,
// although it begins as a GET.
func writes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Upgrade") != ""
}

// asPost is what CrossOriginProtection looks at, which lets each GET pass.
func asPost(r *http.Request) *http.Request {
	post := *r
	post.Method = http.MethodPost
	return &post
}

// rebound reports whether a browser writes to a name: whoever owns that can
// have had it point elsewhere when the page was loaded that the browser takes
// this to be of (DNS rebinding), so its origin says nothing.
func rebound(r *http.Request) bool {
	if !writes(r) || r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	_, err = netip.ParseAddr(host)
	return err != nil && host != "localhost"
}

// readBounded replaces the body by its bytes in memory, or says what is wrong
// with it. The server's time to read ends here: an endpoint may take longer,
// and net/http would take the end of that time for the end of the client.
func readBounded(w http.ResponseWriter, r *http.Request) (code Code, detail string) {
	most := int64(maxBody)
	if takesFilter(r.URL.Path) {
		most = maxFilterBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return TooLarge, fmt.Sprintf("the body has more than %d bytes", most)
	case err != nil:
		return Usage, "the body ended early"
	case !opaque(r) && deeper(body, maxDepth):
		return Invalid, fmt.Sprintf("the body has more than %d levels", maxDepth)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a recorder of a test has none
	return "", ""
}

// opaque reports whether the body is an event's data, in the binary mode of
// CloudEvents: nobody here looks into it.
func opaque(r *http.Request) bool {
	return r.Header.Get("Ce-Specversion") != "" && strings.HasPrefix(r.URL.Path, channelsPath) &&
		!strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents")
}

// deeper reports whether JSON has more than most levels of objects and lists.
// Of what is no JSON it says something or other.
func deeper(text []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
