package balancer

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

const askSocket = "GET /chat?a=%zz HTTP/1.1\r\nHost: web\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"

// socketServer is a handler that becomes a websocket and says welcome; then it
// is talk's.
func socketServer(t *testing.T, talk func(c net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-Websocket-Key") != "x" || r.RequestURI != "/chat?a=%zz" {
			t.Errorf("the upgrade arrived as %s %v", r.RequestURI, r.Header)
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\nwelcome")
		talk(c)
	}
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// moved is a cluster of two whose first member has no web server; what the
// second one's does is handle.
func moved(t *testing.T, handle http.HandlerFunc) (c *cluster, front *pipes) {
	t.Helper()
	c = newCluster(t, 2, nil)
	c.members[0].web.down.Store(true)
	c.members[1].web.set(handle)
	return c, serveHTTP(t, c.members[0])
}

// openSocket asks for a websocket, and returns it with the head of the answer.
func openSocket(t *testing.T, front *pipes) (net.Conn, string) {
	t.Helper()
	c, err := front.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() { _, _ = io.WriteString(c, askSocket) }()
	return c, readHead(c)
}

// expect reads exactly text from c.
func expect(t *testing.T, c io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got[:n], err, text)
	}
}

// TestMovedWebsocket: where the own web server is down a peer's answers, and what
// goes either way is not read by anybody between; it may be quiet for hours.
func TestMovedWebsocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, front := moved(t, socketServer(t, echo))
		ws, head := openSocket(t, front)
		if !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") || !strings.Contains(head, "\r\nUpgrade: websocket\r\n") ||
			!strings.Contains(head, "\r\nConnection: Upgrade\r\n") || !strings.Contains(head, "\r\nSec-Websocket-Accept: y\r\n") ||
			!strings.Contains(head, "next-hop=\"n2\"") {
			t.Errorf("the upgrade came back as %q", head)
		}
		expect(t, ws, "welcome")
		const frames = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzzzzzzzzzzzzzzz"
		for range 3 {
			go func() { _, _ = io.WriteString(ws, frames) }()
			expect(t, ws, frames)
			time.Sleep(2 * time.Hour)
		}
		if owner, peer := c.members[0].Stats(), c.members[1].Stats(); owner.Websockets != 1 || owner.Calls != 1 || peer.Exchanges != 1 || peer.State.Running != 1 {
			t.Errorf("counted: the owner %d websockets and %d calls, the peer %d exchanges and %d running",
				owner.Websockets, owner.Calls, peer.Exchanges, peer.State.Running)
		}
		_ = ws.Close()
		synctest.Wait()
		if s := c.members[0].Stats(); s.Forwarded != 1 || s.Websockets != 0 || s.CopiesAnswered != 1 {
			t.Errorf("counted %+v", s)
		}
		if n := c.members[1].Stats().Wasted; n != 0 {
			t.Errorf("%d are counted as wasted", n)
		}
		c.idle()
	})
}

// TestMovedWebsocketIsLarge: far more than a window goes both ways at once.
func TestMovedWebsocketIsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 3 << 20
		c, front := moved(t, socketServer(t, echo))
		ws, _ := openSocket(t, front)
		expect(t, ws, "welcome")
		go func() { _, _ = io.Copy(ws, pattern(size, 5000)) }()
		got, n, err := sumOf(io.LimitReader(ws, size))
		want, _, _ := sumOf(pattern(size, 5000))
		if got != want || n != size || err != nil {
			t.Errorf("%d bytes %s, %v; want %s", n, got, err, want)
		}
		_ = ws.Close()
		c.idle()
	})
}

// TestMovedWebsocketIsRefused: an answer that is none of a websocket is the
// client's as any other.
func TestMovedWebsocketIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, front := moved(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Sec-WebSocket-Version", "13")
			http.Error(w, "no", http.StatusUpgradeRequired)
		})
		if out := talk(t, front, askSocket, 1000); !strings.HasPrefix(out, "HTTP/1.1 426 ") || !strings.Contains(out, "\r\n\r\nno\n") || !strings.Contains(out, "Sec-Websocket-Version: 13\r\n") {
			t.Errorf("%q", out)
		}
		c.idle()
	})
}

// TestMovedWebsocketEnds: whoever ends it, all others hear of it, and nothing is
// held.
func TestMovedWebsocketEnds(t *testing.T) {
	for name, end := range map[string]func(c *cluster, ws, server net.Conn){
		"client":     func(_ *cluster, ws, _ net.Conn) { _ = ws.Close() },
		"web server": func(_ *cluster, _, server net.Conn) { _ = server.Close() },
		"owner":      func(c *cluster, _, _ net.Conn) { c.members[0].stop(); <-c.members[0].done },
		"peer":       func(c *cluster, _, _ net.Conn) { c.members[1].stop(); <-c.members[1].done },
		"link":       func(c *cluster, _, _ net.Conn) { c.hub.Down(c.members[0].id, c.members[1].id) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var server atomic.Pointer[net.Conn]
				var ended sync.WaitGroup
				ended.Add(1)
				c, front := moved(t, socketServer(t, func(conn net.Conn) {
					defer ended.Done()
					server.Store(&conn)
					echo(conn)
				}))
				ws, _ := openSocket(t, front)
				expect(t, ws, "welcome")
				synctest.Wait()
				began := time.Now()
				end(c, ws, *server.Load())
				ended.Wait()
				if _, err := ws.Read(make([]byte, 1)); err == nil {
					t.Error("the client may read on")
				}
				if took := time.Since(began); took > 0 {
					t.Errorf("it took %v", took)
				}
				c.idle()
			})
		})
	}
}

// TestMovedWebsocketIsBegunOnce: a peer that was sent one and is lost before it
// answers may have begun it, so nobody else is asked; one that refuses it has not.
func TestMovedWebsocketIsBegunOnce(t *testing.T) {
	for _, lost := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 1, nil)
			c.members[0].web.down.Store(true)
			var asked atomic.Int32
			answer := func(p *rawPeer, e *channel.Event) {
				switch {
				case e.Type != typeRequest:
				case asked.Add(1) > 1:
					p.say(typeAnswer, e.ID, packed(answerHead{Status: 101, Length: -1, Window: 1000}, ""))
				case lost:
					p.say(typeFailed, e.ID, packReason("gone"))
				default:
					p.say(typeBusy, e.ID, nil)
				}
			}
			for range 2 {
				c.raw().does = answer
			}
			ws, head := openSocket(t, serveHTTP(t, c.members[0]))
			want, times := "HTTP/1.1 101 ", int32(2)
			if lost {
				want, times = "HTTP/1.1 502 ", 1
			}
			if !strings.HasPrefix(head, want) || asked.Load() != times {
				t.Errorf("lost %v: asked %d times, %q", lost, asked.Load(), head)
			}
			_ = ws.Close()
			time.Sleep(halfOpen) // the peers say nothing more
			c.idle()
		})
	}
}

// TestSocketsOfBadPeers: a 101 that nobody asked for, or with a body, is no
// answer; nor is more than there is room for.
func TestSocketsOfBadPeers(t *testing.T) {
	for name, c := range map[string]struct {
		ask  string
		head answerHead
		body string
		want string
	}{
		"unasked":     {"GET / HTTP/1.1\r\nHost: web\r\n\r\n", answerHead{Status: 101, Length: -1}, "", "HTTP/1.1 502 "},
		"with a body": {askSocket, answerHead{Status: 101, Length: -1}, "hello", "HTTP/1.1 502 "},
		"whole":       {askSocket, answerHead{Status: 101, Length: -1, Fin: true}, "", "HTTP/1.1 502 "},
		"early":       {askSocket, answerHead{Status: 103, Length: -1}, "", "HTTP/1.1 502 "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 1, nil)
				cl.members[0].web.down.Store(true)
				p := cl.raw()
				p.does = func(p *rawPeer, e *channel.Event) {
					if e.Type == typeRequest {
						p.say(typeAnswer, e.ID, packed(c.head, c.body))
					}
				}
				if out := talk(t, serveHTTP(t, cl.members[0]), c.ask, 1000); !strings.HasPrefix(out, c.want) {
					t.Errorf("%q", out)
				}
				if n := cl.members[0].Stats().Malformed; n == 0 {
					t.Error("it is not counted as malformed")
				}
				cl.idle()
			})
		})
	}
}

// TestSocketsOfBadOwners: what no client could ask for is refused before anything
// is begun.
func TestSocketsOfBadOwners(t *testing.T) {
	for name, change := range map[string]func(h *requestHead){
		"another upgrade": func(h *requestHead) { h.Upgrade = "h2c" },
		"a POST":          func(h *requestHead) { h.Method = "POST" },
		"a body":          func(h *requestHead) { h.Fin, h.Length = false, -1 },
		"its field":       func(h *requestHead) { h.Fields = []field{{"Upgrade", "websocket"}} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1, nil)
				p := c.raw()
				head := requestHead{Method: "GET", Target: "/", Host: "web", Fin: true, Upgrade: websocket}
				change(&head)
				p.request(head)
				p.ofType(typeFailed, 1)
				if s := c.members[0].Stats(); s.Malformed != 1 || c.members[0].web.served.Load() != 0 {
					t.Errorf("%d malformed, %d served", s.Malformed, c.members[0].web.served.Load())
				}
				c.idle()
			})
		})
	}
}
