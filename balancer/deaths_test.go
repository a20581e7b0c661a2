package balancer

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deaths are the moments at which a client may go: what it has sent, and how
// much of the answer it reads before it does.
var deaths = []struct {
	name  string
	says  string
	reads int
}{
	{name: "before it says anything"},
	{name: "in the method", says: "GE"},
	{name: "in the target", says: "GET /wa"},
	{name: "in the head", says: "GET /wait HTTP/1.1\r\nHost: w"},
	{name: "before the end of the head", says: "GET /wait HTTP/1.1\r\nHost: web\r\n"},
	{name: "after the head", says: "GET /wait HTTP/1.1\r\nHost: web\r\n\r\n"},
	{name: "before the body", says: "POST /echo HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\n"},
	{name: "in the body", says: "POST /echo HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbo"},
	{name: "in a large body", says: "POST /echo HTTP/1.1\r\nHost: web\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("b", 1_000_000)},
	{name: "before the first chunk", says: "POST /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "in a chunk's size", says: "POST /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4"},
	{name: "in a chunk", says: "POST /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo"},
	{name: "after a chunk", says: "POST /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"},
	{name: "in the trailers", says: "POST /echo HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nA: b"},
	{name: "after the body", says: "POST /wait HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbody"},
	{name: "after the chunks", says: "POST /wait HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"},
	{name: "asked to go on", says: "POST /wait HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"},
	{name: "in the answer's head", says: "GET /stream HTTP/1.1\r\nHost: web\r\n\r\n", reads: 10},
	{name: "in the answer's body", says: "GET /stream HTTP/1.1\r\nHost: web\r\n\r\n", reads: 100_000},
	{name: "in an answer that pauses", says: "GET /pause HTTP/1.1\r\nHost: web\r\n\r\n", reads: 100},
	{name: "in a second head", says: "GET /fine HTTP/1.1\r\nHost: web\r\n\r\nGET /wait HTTP/1.1\r\nHo", reads: 20},
	{name: "after a second head", says: "GET /fine HTTP/1.1\r\nHost: web\r\n\r\nGET /wait HTTP/1.1\r\nHost: web\r\n\r\n", reads: 20},
	{name: "behind one that waits", says: "GET /wait HTTP/1.1\r\nHost: web\r\n\r\nGET /fine HTTP/1.1\r\nHost: web\r\n\r\n"},
	{name: "after its websocket began", says: "GET /socket HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", reads: 20},
}

// TestClientsThatGo: at whatever moment a client goes, the web server's work for
// it ends, its place is free, and nothing of it is left.
func TestClientsThatGo(t *testing.T) {
	for _, d := range deaths {
		inLanes(t, d.name, func(t *testing.T, fast bool) {
			synctest.Test(t, func(t *testing.T) {
				var working atomic.Int64
				x := newPatient(t, fast, serveRaw(t, counted(&working)))
				x.goes(d.says, d.reads)
				x.leavesNothing(x.b, &working)
			})
		})
	}
}

// TestClientsThatGoFromPeers: so does a peer's.
func TestClientsThatGoFromPeers(t *testing.T) {
	for _, d := range deaths {
		inLanes(t, d.name, func(t *testing.T, fast bool) {
			synctest.Test(t, func(t *testing.T) {
				var working atomic.Int64
				x := &patient{T: t}
				peer := newPeered(t, x, fast, counted(&working))
				x.goes(d.says, d.reads)
				x.leavesNothing(peer.Balancer, &working)
			})
		})
	}
}

// counted is serveDying, and how many are served by it.
func counted(working *atomic.Int64) func(net.Conn, string) {
	return func(c net.Conn, head string) {
		working.Add(1)
		defer working.Add(-1)
		serveDying(c, head)
	}
}

// goes has the client say something, read some of the answer, and go.
func (x *patient) goes(says string, reads int) {
	x.Helper()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.WriteString(x.conn, says)
	}()
	if reads > 0 {
		if _, err := io.ReadFull(x.conn, make([]byte, reads)); err != nil {
			x.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	_ = x.conn.Close()
	<-gone
	time.Sleep(time.Second)
	synctest.Wait()
}

// leavesNothing says what is left, and whether the next client is served. The
// web server is server's.
func (x *patient) leavesNothing(server *Balancer, working *atomic.Int64) {
	x.Helper()
	for _, b := range []*Balancer{x.b, server} {
		if s := b.Stats(); s.State.Running+s.State.Queued+s.Websockets+s.Calls+s.Exchanges != 0 {
			x.Errorf("a second later there are %d running, %d queued, %d websockets, %d calls, %d exchanges",
				s.State.Running, s.State.Queued, s.Websockets, s.Calls, s.Exchanges)
		}
	}
	server.upstream.client.CloseIdle()
	synctest.Wait()
	if n := working.Load(); n != 0 {
		x.Errorf("a second later the web server still works on %d", n)
	}
	x.dial()
	res, body, err := x.ask("GET /next HTTP/1.1\r\nHost: web\r\n\r\n")
	if err != nil || res.StatusCode != 200 || body.text != "fine" {
		x.Errorf("the next request: %v, %q, %v", res, body.text, err)
	}
	x.sound()
}

// serveDying is a web server by what it is asked for.
func serveDying(c net.Conn, head string) {
	for head != "" {
		_, path, _ := strings.Cut(head, " ")
		path, _, _ = strings.Cut(path, " ")
		if strings.Contains(head, "Content-Length: 2000000\r\n") {
			_, _ = io.CopyN(io.Discard, c, 2_000_000)
		}
		readBody(c, head)
		var err error
		switch path {
		case "/wait":
			_, err = c.Read(make([]byte, 1)) // until the agent goes
		case "/stream":
			onAndOn("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nfine\r\n")(c)
			return
		case "/pause":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n")
			_, err = c.Read(make([]byte, 1))
		case "/socket":
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			_, err = c.Read(make([]byte, 1))
		default:
			_, err = io.WriteString(c, ok)
		}
		if err != nil {
			return
		}
		head = readHead(c)
	}
}
