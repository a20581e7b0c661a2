package balancer

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// All of HTTP, the same here and at a peer: what the web server sees, and what
// the client sees.

// sightings is what a web server saw of its requests.
type sightings struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

func (s *sightings) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, fmt.Sprintf(format, args...))
}

func (s *sightings) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.all, "\n")
}

// fieldsOf is a header without what tells one way from the other, and without
// what differs from time to time.
func fieldsOf(header http.Header) string {
	header = header.Clone()
	for _, name := range []string{"Via", "X-Request-Id", "Server-Timing", "Proxy-Status", "Date", "Served-By"} {
		delete(header, name)
	}
	var lines []string
	for name, values := range header {
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// see wraps a handler so that what it is asked is noted, with the body after it
// has read that.
func (s *sightings) see(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.add("%s %s %s, host %s, length %d, codings %q; %s", r.Method, r.RequestURI, r.Proto, r.Host, r.ContentLength, r.TransferEncoding, fieldsOf(r.Header))
		handle(w, r)
		if r.Body != http.NoBody && r.Header.Get("Unread") == "" {
			rest, err := io.ReadAll(r.Body)
			s.add("then %d bytes, %v; trailers %s", len(rest), err, fieldsOf(r.Trailer))
		}
	}
}

// answers is what came back, message by message: heads without what differs, and
// bodies. A message is read as the answer to method.
func answers(t *testing.T, raw, method string) string {
	t.Helper()
	var all strings.Builder
	in := bufio.NewReader(strings.NewReader(raw))
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			rest, _ := io.ReadAll(in)
			fmt.Fprintf(&all, "end, %q, %v\n", rest, err)
			return all.String()
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			fmt.Fprintf(&all, "%s %s\n", res.Status, fieldsOf(res.Header))
			continue
		}
		body, err := io.ReadAll(res.Body)
		fmt.Fprintf(&all, "%s %s; length %d, codings %q, close %v; %s; %q, %v; trailers %s\n", res.Proto, res.Status, res.ContentLength,
			res.TransferEncoding, res.Close, fieldsOf(res.Header), short(string(body)), err, fieldsOf(res.Trailer))
	}
}

// short is a body that is not printed whole.
func short(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%s and %d more", s[:200], len(s)-200)
	}
	return s
}

// conformance is one thing that HTTP can do.
type conformance struct {
	name   string
	method string // that the answers are read by; zero: GET
	ask    string // what the client writes
	handle http.HandlerFunc
	saw    string // a part of what the web server saw
	got    string // a part of what the client got
}

const file = "0123456789abcdef"

func serveFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"x"`)
	http.ServeContent(w, r, "a.txt", time.Unix(1, 0), strings.NewReader(file))
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// allRead echoes the size of the body, and its trailers as its own.
func allRead(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "Sum")
	n, err := io.Copy(io.Discard, r.Body)
	_, _ = fmt.Fprintf(w, "%d, %v, ", n, err)
	_ = http.NewResponseController(w).Flush()
	_, _ = io.WriteString(w, "more")
	w.Header().Set("Sum", r.Trailer.Get("Sum"))
	w.Header().Set(http.TrailerPrefix+"Late", "y")
}

// withHints gives three informational answers before the last one.
func withHints(w http.ResponseWriter, _ *http.Request) {
	for i := range 2 {
		w.Header()["Link"] = []string{fmt.Sprintf("</%d.css>; rel=preload", i), "</x>"}
		w.WriteHeader(http.StatusEarlyHints)
	}
	w.Header().Del("Link")
	w.WriteHeader(http.StatusProcessing)
	w.Header().Set("Final", "yes")
	_, _ = io.WriteString(w, "hello")
}

func refuseUnread(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
}

func stream(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 3 {
		_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Second)
	}
}

const end = "Host: web\r\n\r\n"

var conformances = []conformance{
	{name: "GET", ask: "GET /a%2Fb//c?x=%zz;y&&z HTTP/1.1\r\nA: 1\r\nB: 2\r\nA: 3\r\nCookie: a=b\r\n" + end, handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=b", "c=d"}
		hello(w, r)
	}, saw: "GET /a%2Fb//c?x=%zz;y&&z HTTP/1.1, host web", got: "200 OK; length 5"},
	{name: "HEAD", method: "HEAD", ask: "HEAD / HTTP/1.1\r\n" + end, handle: serveFile, saw: "HEAD /", got: "length 16"},
	{name: "OPTIONS *", ask: "OPTIONS * HTTP/1.1\r\n" + end, handle: hello, saw: "OPTIONS * ", got: "200 OK"},
	{name: "TRACE", ask: "TRACE / HTTP/1.1\r\n" + end, handle: hello, saw: "TRACE /", got: "200 OK"},
	{name: "another method", ask: "PROPFIND /x HTTP/1.1\r\nContent-Length: 3\r\nDepth: 1\r\n" + end + "abc", handle: allRead, saw: "PROPFIND /x", got: "3, <nil>, more"},
	{name: "CONNECT", ask: "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n", handle: hello, got: "405 "},
	{name: "range", ask: "GET / HTTP/1.1\r\nRange: bytes=2-5\r\n" + end, handle: serveFile, saw: `Range: ["bytes=2-5"]`, got: `206 Partial Content; length 4`},
	{name: "ranges", ask: "GET / HTTP/1.1\r\nRange: bytes=99-\r\n" + end, handle: serveFile, got: `Content-Range: ["bytes */16"]`},
	{name: "304", ask: "GET / HTTP/1.1\r\nIf-None-Match: \"x\"\r\n" + end, handle: serveFile, got: "304 Not Modified"},
	{name: "204", ask: "DELETE / HTTP/1.1\r\n" + end, handle: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, saw: "DELETE /", got: "204 No Content"},
	{name: "empty", ask: "GET / HTTP/1.1\r\n" + end, handle: func(http.ResponseWriter, *http.Request) {}, got: "200 OK; length 0"},
	{name: "PUT", ask: "PUT / HTTP/1.1\r\nContent-Length: 5\r\n" + end + "hello", handle: allRead, saw: "length 5, codings []", got: "5, <nil>, more"},
	{name: "empty POST", ask: "POST / HTTP/1.1\r\nContent-Length: 0\r\n" + end, handle: allRead, saw: "length 0", got: "0, <nil>, more"},
	{name: "chunks and trailers", ask: "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: Sum\r\n" + end + "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nSum: 5\r\n\r\n", handle: allRead,
		saw: `Te: ["trailers"]`, got: `"5, <nil>, more", <nil>; trailers Late: ["y"], Sum: ["5"]`},
	{name: "large", ask: "POST / HTTP/1.1\r\nContent-Length: 3000000\r\n" + end + strings.Repeat("x", 3e6), handle: allRead, saw: "length 3000000", got: "3000000, <nil>, more"},
	{name: "large in chunks", ask: "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + end + "200000\r\n" + strings.Repeat("x", 0x200000) + "\r\n0\r\n\r\n", handle: allRead, saw: "length -1", got: "2097152, <nil>, more"},
	{name: "refused unread", ask: "POST / HTTP/1.1\r\nUnread: 1\r\nContent-Length: 3000000\r\n" + end + strings.Repeat("x", 3e6), handle: refuseUnread, got: "413 Request Entity Too Large; length 0"},
	{name: "expected", ask: "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" + end + "hello", handle: allRead, saw: "Expect", got: "100 Continue"},
	{name: "expected large", ask: "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 300000\r\n" + end + strings.Repeat("x", 3e5), handle: allRead, saw: "Expect", got: "300000, <nil>"},
	{name: "expected and refused", ask: "POST / HTTP/1.1\r\nExpect: 100-continue\r\nUnread: 1\r\nContent-Length: 5\r\n" + end, handle: refuseUnread, saw: "Expect", got: "HTTP/1.1 413 "},
	{name: "hints", ask: "GET / HTTP/1.1\r\n" + end, handle: withHints, got: `103 Early Hints; length 0, codings [], close false; Link: ["</1.css>; rel=preload" "</x>"]`},
	{name: "hints for HTTP/1.0", ask: "GET / HTTP/1.0\r\n" + end, handle: withHints, saw: "HTTP/1.1", got: "HTTP/1.0 200 OK"},
	{name: "events", ask: "GET / HTTP/1.1\r\nAccept: text/event-stream\r\n" + end, handle: stream, got: `data: 0\n\ndata: 1\n\ndata: 2\n\n`},
	{name: "HTTP/1.0", ask: "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", handle: allRead, saw: "POST / HTTP/1.1", got: "2, <nil>, more"},
	{name: "absolute", ask: "GET http://web/x?y HTTP/1.1\r\n" + end, handle: hello, saw: "GET /x?y", got: "200 OK"},
	{name: "one hop's fields", ask: "GET / HTTP/1.1\r\nConnection: close, X\r\nX: 1\r\nKeep-Alive: 3\r\nProxy-Authorization: b\r\nUpgrade: h2c\r\n" + end, handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"], w.Header()["Y"], w.Header()["Keep-Alive"] = []string{"Y"}, []string{"1"}, []string{"timeout=5"}
		hello(w, r)
	}, got: "200 OK; length 5, codings [], close true"},
	{name: "broken off", ask: "GET / HTTP/1.1\r\n" + end, handle: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000") // what is small is read whole before it is sent on
		_, _ = io.WriteString(w, strings.Repeat("x", 5e4))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Second) // that it broke off may overtake what came before
		panic(http.ErrAbortHandler)
	}, got: `x and 49800 more", unexpected EOF`},
	{name: "websocket", ask: askSocket + "frames", handle: func(w http.ResponseWriter, _ *http.Request) {
		c, rest, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n")
		_, _ = io.CopyN(c, rest, 6)
	}, saw: "Sec-Websocket-Key", got: "101 Switching Protocols"},
}

// A way is how a request reaches a web server.
type way struct {
	name   string
	slow   bool // by net/http's lane, whatever the request is
	atPeer bool // to a peer's
}

var ways = []way{{name: "here"}, {name: "here by net/http", slow: true}, {name: "at a peer", atPeer: true}}

// through is the member whose web server answers what the first one is asked, and
// the balancer for that one's fast lane; nil: the way is by the other lane.
func (w way) through(cl *cluster) (server *member, fast *Balancer) {
	server, fast = cl.members[0], cl.members[0].Balancer
	if w.atPeer {
		server.web.down.Store(true)
		server = cl.members[1]
	}
	if w.slow {
		fast = nil
	}
	return server, fast
}

// conform has a client ask, of a node whose own web server answers, or one whose
// peer's does.
func (c *conformance) conform(t *testing.T, by way) (saw, got string) {
	t.Helper()
	seen := new(sightings)
	cl := newCluster(t, 2, nil)
	server, fast := by.through(cl)
	server.web.set(seen.see(c.handle))
	method := c.method
	if method == "" {
		method = "GET"
	}
	raw := talk(t, serveLanes(t, cl.members[0], fast, nil), c.ask, 16<<10)
	cl.idle()
	if n := server.Stats().Received; by.atPeer != (n == 1) && c.saw != "" {
		t.Errorf("at a peer: %v, and it received %d", by.atPeer, n)
	}
	return seen.String(), answers(t, raw, method)
}

func TestConformance(t *testing.T) {
	for _, c := range conformances {
		t.Run(c.name, func(t *testing.T) {
			saw, got := make([]string, len(ways)), make([]string, len(ways))
			for i, by := range ways {
				synctest.Test(t, func(t *testing.T) { saw[i], got[i] = c.conform(t, by) })
				if saw[i] != saw[0] || got[i] != got[0] {
					t.Errorf("%s it differs", by.name)
				}
			}
			if !strings.Contains(saw[0], c.saw) || !strings.Contains(got[0], c.got) {
				t.Errorf("want %q to be seen and %q to be got", c.saw, c.got)
			}
			for i, by := range ways {
				if t.Failed() {
					t.Errorf("%s the web server saw\n%s\nand the client got\n%s", by.name, saw[i], got[i])
				}
			}
		})
	}
}
