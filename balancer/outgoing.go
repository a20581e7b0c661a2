package balancer

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"kecho/balancer/h1"
)

// outgoing is a request as it is sent to the web server.
type outgoing struct {
	method string
	target string      // path and query as received ("/a%2Fb?c=%zz"), or "*"
	host   string      // the client's Host; empty: the web server's own address
	header http.Header // end-to-end fields; belongs to roundTrip from then on
	// trailer has the announced names as keys; whoever reads body to its end
	// has filled in the values by then. nil: none.
	trailer http.Header
	// body is read by another goroutine until it is at its end or the answer
	// is; if it is an io.Closer it is closed when no more is read. nil: none.
	body   io.Reader
	length int64 // of body in bytes; -1: not known
	// upgrade is what the connection is to become: websocket, or empty.
	upgrade string
	// answerBy is when the head of the answer must be there. Zero: nothing but
	// HeaderTimeout.
	answerBy time.Time
	// early is told each informational answer but 101 before the final one, and
	// wrote that the last byte of a body that is not in memory was written, on
	// another goroutine. nil: nobody.
	early func(status int, header http.Header) error
	wrote func()
	// took is how long it took until the head of the answer was there; set by
	// serve. It is what a service takes: how long the client reads on is no
	// matter of the server's.
	took time.Duration
	// wins is asked when the head of the answer is there, by serve: false when
	// it is not wanted any more. nil: it is.
	wins func() bool
}

// request is out as it is written.
func (u *upstream) request(out *outgoing) h1.Request {
	r := h1.Request{
		Method: out.method, Target: out.target, Host: cmp.Or(out.host, u.origin.Host),
		Header: out.header, Length: out.length,
		AnswerBy: out.answerBy, Early: out.early, Wrote: out.wrote,
	}
	if out.target != "*" {
		r.Target = u.origin.Prefix + out.target
	}
	if out.body != nil && out.length != 0 {
		r.Body = out.body
		if out.length < 0 {
			r.Trailer = out.trailer
		}
	}
	return r
}

// validRequestLine refuses what could be written but is not for a web server:
// the target and host may come from a peer. h1 itself refuses methods and
// fields that are no tokens or hold line ends.
func validRequestLine(out *outgoing) error {
	switch {
	case out.method == http.MethodConnect:
		return fmt.Errorf("%w: CONNECT is not for a web server", errBadTarget)
	case checkUpgrade(out) != nil:
		return checkUpgrade(out)
	case out.method == "" || out.header == nil:
		return fmt.Errorf("%w: it has no method or no fields", errBadTarget)
	case out.target != "*" && !strings.HasPrefix(out.target, "/"),
		out.target == "*" && out.method != http.MethodOptions:
		return fmt.Errorf("%w: its target must be a path", errBadTarget)
	}
	if i := outside(out.target, &targetByte); i >= 0 {
		return fmt.Errorf("%w: byte %#02x in its target", errBadTarget, out.target[i])
	}
	if i := outside(out.host, &hostByte); i >= 0 {
		return fmt.Errorf("%w: byte %#02x in its host", errBadTarget, out.host[i])
	}
	return nil
}

// Bytes that targets and hosts may have.
var targetByte, hostByte = func() (target, host [256]bool) {
	for c := range 256 {
		target[c] = c > ' ' && c != 0x7f && c != '#'
		host[c] = c > ' ' && c < 0x7f && strings.IndexByte(`/\?#@<>"`, byte(c)) < 0
	}
	return target, host
}()

// outside is where the first byte of s is that is not in the table; below 0: all
// are.
func outside[T string | []byte](s T, table *[256]bool) int {
	for i := range len(s) {
		if !table[s[i]] {
			return i
		}
	}
	return -1
}

// targetOf is what a client asked for as a path and query, byte by byte as it
// came; the absolute form ("http://host/path") is cut to its path.
func targetOf(r *http.Request) string {
	target := r.RequestURI
	switch {
	case target == "":
		return r.URL.RequestURI()
	case target[0] == '/' || target == "*":
		return target
	}
	_, rest, _ := strings.Cut(target, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		if rest[i] == '?' {
			return "/" + rest[i:]
		}
		return rest[i:]
	}
	if r.Method == http.MethodOptions {
		return "*" // RFC 9112 §3.2.4
	}
	return "/"
}
