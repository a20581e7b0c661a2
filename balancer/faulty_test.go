package balancer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// ok is a whole answer, which leaves its connection good.
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

// webFault is what a web server does wrong.
type webFault struct {
	name string
	says string
	stay bool
	do   func(c net.Conn) // in place of says
	// headed says that what is wrong comes behind a good head, although the
	// client is told of it.
	headed bool
	// status is the client's; body is what it gets, whole unless cut.
	status int
	body   string
	cut    bool
}

// faulty are web servers that do wrong, and what a client sees of it: 502 as
// long as nothing of the body has come. After what is said the web server closes,
// unless it stays.
var faulty = []webFault{
	{name: "it goes after the head", status: 502},
	{name: "it goes in the status line", says: "HTTP/1.", status: 502},
	{name: "it goes in the answer's head", says: "HTTP/1.1 200 OK\r\nContent-Le", status: 502},
	{name: "it goes before the end of the head", says: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", status: 502},
	{name: "it goes before the body", says: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", headed: true, status: 502},
	{name: "it goes in the body", says: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi", status: 200, body: "fi", cut: true},
	{name: "it goes before the first chunk", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", headed: true, status: 502},
	{name: "it goes in a chunk's size", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2", status: 200, body: "fi", cut: true},
	{name: "it goes in a chunk", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfi", status: 200, body: "fi", cut: true},
	{name: "it goes after a chunk", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n", status: 200, body: "fine", cut: true},
	{name: "it goes before the trailers", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n4\r\nfine\r\n0\r\n", status: 200, body: "fine", cut: true},
	{name: "it goes in the trailers", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n4\r\nfine\r\n0\r\nA: b", status: 200, body: "fine", cut: true},
	{name: "it goes after an early answer", says: "HTTP/1.1 103 Early Hints\r\n\r\n", status: 502},
	{name: "the end of the connection ends the body", says: "HTTP/1.1 200 OK\r\n\r\nfine", status: 200, body: "fine"},

	{name: "garbage", says: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", status: 502},
	{name: "much garbage", says: strings.Repeat("garbage ", 20_000), stay: true, status: 502},
	{name: "another protocol", says: "SSH-2.0-OpenSSH_9.2p1\r\n", stay: true, status: 502},
	{name: "HTTP/2", says: "\x00\x00\x12\x04\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 18), stay: true, status: 502},
	{name: "a status of two digits", says: "HTTP/1.1 20 OK\r\n\r\n", stay: true, status: 502},
	{name: "a status that is no number", says: "HTTP/1.1 2x0 OK\r\n\r\n", stay: true, status: 502},
	{name: "a length that is no number", says: "HTTP/1.1 200 OK\r\nContent-Length: 4x\r\n\r\nfine", stay: true, status: 502},
	{name: "a signed length", says: "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nfine", stay: true, status: 502},
	{name: "two lengths", says: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfine!", stay: true, status: 502},
	{name: "both lengths", says: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n", stay: true, status: 502},
	{name: "a strange coding", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nfine", stay: true, status: 502},
	{name: "a line folded", says: "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 4\r\n\r\nfine", stay: true, status: 502},
	{name: "a NUL in a field", says: "HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 4\r\n\r\nfine", stay: true, status: 502},
	{name: "a CR in a field", says: "HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 4\r\n\r\nfine", stay: true, status: 502},
	{name: "a space before a colon", says: "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 4\r\n\r\nfine", stay: true, status: 502},
	{name: "a chunk without end", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfineand more", stay: true, status: 200, body: "fine", cut: true},
	{name: "a chunk of no size", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nfine\r\n", stay: true, headed: true, status: 502},
	{name: "a chunk of too many digits", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000004\r\nfine\r\n0\r\n\r\n", stay: true, headed: true, status: 502},
	{name: "more than the length", says: ok + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", stay: true, status: 200, body: "fine"},
	{name: "a body where there is none", says: "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", stay: true, status: 204},
	{name: "an upgrade that nobody asked for", says: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", stay: true, status: 502},

	{name: "100 for ever", do: onAndOn("HTTP/1.1 100 Continue\r\n\r\n"), status: 502},
	{name: "103 for ever", do: onAndOn("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"), status: 502},
	{name: "fields for ever", do: onAndOn("HTTP/1.1 200 OK\r\n", "A: b\r\n"), status: 502},
	{name: "one field for ever", do: onAndOn("HTTP/1.1 200 OK\r\nA: ", strings.Repeat("b", 1000)), status: 502},
	{name: "trailers for ever", do: onAndOn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n", "A: b\r\n"), status: 200, body: "fine", cut: true},
	{name: "chunk extensions for ever", do: onAndOn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4", ";a=b"), headed: true, status: 502},
	{name: "nothing for ever", do: onAndOn(""), status: 504},
	{name: "a head that never ends", says: "HTTP/1.1 200 OK\r\nA: b\r\n", stay: true, status: 504},
	{name: "an early answer and nothing", says: "HTTP/1.1 103 Early Hints\r\n\r\n", stay: true, status: 504},
}

// onAndOn writes first, and then rest until nobody reads.
func onAndOn(first string, rest ...string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, first)
		more := append(rest, first)[0]
		for err == nil && more != "" {
			_, err = io.WriteString(c, more)
		}
		_, _ = io.Copy(io.Discard, c)
	}
}

// TestFaultyWebServers: whatever a web server says, the client gets a sound
// answer or a connection that is cut, and the next request is served.
func TestFaultyWebServers(t *testing.T) {
	for _, f := range faulty {
		for _, request := range []string{
			"GET /faulty HTTP/1.1\r\nHost: web\r\n\r\n",
			"POST /faulty HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbody",
			"POST /faulty HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		} {
			method, _, _ := strings.Cut(request, " ")
			inLanes(t, method+" "+f.name, func(t *testing.T, fast bool) {
				synctest.Test(t, func(t *testing.T) {
					x := newPatient(t, fast, serveRaw(t, f.serve))
					res, body, err := x.ask(request)
					if err != nil || res.StatusCode != f.status {
						t.Fatalf("%v, %v; want %d", res, err, f.status)
					}
					if f.status < 300 && body.text != f.body || (body.err != nil) != f.cut {
						t.Errorf("it got %q, %v; want %q, cut: %v", body.text, body.err, f.body, f.cut)
					}
					x.goOn(res, body)
					x.sound()
				})
			})
		}
	}
}

// serve is the web server: wrong where it is asked for it.
func (f webFault) serve(c net.Conn, head string) {
	if !strings.Contains(head, " /faulty ") {
		serveFine(c, head)
		return
	}
	readBody(c, head)
	if f.do != nil {
		f.do(c)
	} else if _, err := io.WriteString(c, f.says); err == nil && f.stay {
		_, _ = io.Copy(io.Discard, c)
	}
}

// readBody takes the request's body off c, so that a pipe is not blocked.
func readBody(c net.Conn, head string) {
	switch {
	case strings.Contains(head, "Content-Length: 4"):
		_, _ = io.ReadFull(c, make([]byte, 4))
	case strings.Contains(head, "Transfer-Encoding"):
		var got []byte
		for b := make([]byte, 1); !bytes.HasSuffix(got, []byte("0\r\n\r\n")); got = append(got, b[0]) {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	}
}

// serveFine answers all that comes on c.
func serveFine(c net.Conn, head string) {
	for head != "" {
		readBody(c, head)
		if _, err := io.WriteString(c, ok); err != nil {
			return
		}
		head = readHead(c)
	}
}

// patient is a client of a front, on one connection, and what was logged.
type patient struct {
	*testing.T
	front *pipes
	b     *Balancer
	log   bytes.Buffer
	conn  net.Conn
	in    *bufio.Reader
}

// newPatient is for bubbles.
func newPatient(t *testing.T, fast bool, web *pipes) *patient {
	t.Helper()
	x := &patient{T: t}
	limits := defaults()
	limits.Places, limits.Hard = 2, 2
	x.b = running(t, Config{
		Name: "web1", Upstream: "http://web", Dial: web.dial, Policy: limits,
		Logger: slog.New(slog.NewTextHandler(&x.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	lane := x.b
	if !fast {
		lane = nil
	}
	x.front = serveLanes(t, x.b, lane, nil)
	x.dial()
	return x
}

// inLanes runs a test in net/http's lane and in the fast one.
func inLanes(t *testing.T, name string, test func(t *testing.T, fast bool)) {
	t.Run(name+"/net/http", func(t *testing.T) { test(t, false) })
	t.Run(name+"/fast", func(t *testing.T) { test(t, true) })
}

func (x *patient) dial() {
	x.Helper()
	conn, err := x.front.dial(x.Context(), "", "")
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { _ = conn.Close() })
	x.conn, x.in = conn, bufio.NewReader(conn)
}

// answered is the body of an answer, as far as it came.
type answered struct {
	text string
	err  error
}

func (x *patient) ask(request string) (*http.Response, answered, error) {
	go func() { _, _ = io.WriteString(x.conn, request) }()
	_ = x.conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	method, _, _ := strings.Cut(request, " ")
	for {
		res, err := http.ReadResponse(x.in, &http.Request{Method: method})
		if err != nil {
			return nil, answered{}, err
		}
		if res.StatusCode < 200 {
			continue
		}
		text, err := io.ReadAll(res.Body)
		return res, answered{string(text), err}, nil
	}
}

// goOn asks once more, on the same connection if it is to be kept; if not, it
// must be closed.
func (x *patient) goOn(res *http.Response, body answered) {
	x.Helper()
	if res.Close || body.err != nil {
		if _, err := x.in.ReadByte(); !errors.Is(err, io.EOF) {
			x.Errorf("the connection is not closed: %v", err)
		}
		x.dial()
	}
	res, body, err := x.ask("GET /next HTTP/1.1\r\nHost: web\r\n\r\n")
	if err != nil || res.StatusCode != 200 || body.text != "fine" || body.err != nil {
		x.Errorf("the next request: %v, %q, %v", res, body.text, err)
	}
}

// sound says what is left when all is over, which is one line of the log at
// most.
func (x *patient) sound() {
	x.Helper()
	_ = x.conn.Close()
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	s := x.b.Stats()
	if s.State.Running != 0 || s.State.Queued != 0 || s.Calls != 0 || s.Exchanges != 0 || s.Websockets != 0 {
		x.Errorf("left behind: %+v", s.State)
	}
	if n := strings.Count(x.log.String(), "\n"); n > 1 {
		x.Errorf("%d lines are logged:\n%s", n, x.log.String())
	}
}

// TestFaultyWebServersOfPeers: what a peer's web server does wrong is the same to
// a client, or a 502, or its connection ends where an answer had begun; and it
// leaves nothing at either node.
func TestFaultyWebServersOfPeers(t *testing.T) {
	for _, f := range faulty {
		for _, request := range []string{
			"GET /faulty HTTP/1.1\r\nHost: web\r\n\r\n",
			"POST /faulty HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		} {
			method, _, _ := strings.Cut(request, " ")
			inLanes(t, method+" "+f.name, func(t *testing.T, fast bool) {
				synctest.Test(t, func(t *testing.T) {
					x := &patient{T: t}
					peer := newPeered(t, x, fast, f.serve)
					res, body, err := x.ask(request)
					switch late := f.headed || f.cut; {
					case err == nil && res.StatusCode == f.status:
						if f.status < 300 && body.text != f.body || (body.err != nil) != f.cut {
							t.Errorf("it got %q, %v; want %q, cut: %v", body.text, body.err, f.body, f.cut)
						}
					case err == nil && res.StatusCode == 502 && (late || f.status == 504): // the peer gave it up first
					case err == nil:
						t.Errorf("%v; want %d", res, f.status)
					case err != nil && !late:
						t.Errorf("%v; want %d", err, f.status)
					}
					if err != nil { // it is closed before a byte of the answer was sent
						res, body.err = &http.Response{}, err
					}
					x.goOn(res, body)
					x.sound()
					if s := peer.Stats(); s.State.Running != 0 || s.State.Queued != 0 || s.Exchanges != 0 {
						t.Errorf("left at the peer: %+v", s.State)
					}
				})
			})
		}
	}
}

// newPeered has x's front stand before a web server that is down, beside a peer
// whose connections to its own are served by serve.
func newPeered(t *testing.T, x *patient, fast bool, serve func(net.Conn, string)) *member {
	t.Helper()
	web := serveRaw(t, serve)
	log := slog.New(slog.NewTextHandler(&x.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	c := newCluster(t, 2, func(i int, cfg *Config) {
		cfg.Logger = log
		if cfg.Dial = web.dial; i == 0 {
			cfg.Logger = nil // that it is down is no news
			cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
		}
	})
	x.b = c.members[0].Balancer
	lane := x.b
	if !fast {
		lane = nil
	}
	x.front = serveLanes(t, x.b, lane, nil)
	x.dial()
	return c.members[1]
}
