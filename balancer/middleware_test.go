package balancer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
	"kecho/channel/channeltest"
)

// embedded has each member's web server be a handler of its program.
func embedded(change func(i int, h *handlers)) func(i int, cfg *Config) {
	return func(i int, cfg *Config) {
		h := &handlers{name: cfg.Name, serve: work}
		if change != nil {
			change(i, h)
		}
		cfg.Upstream, cfg.Dial, cfg.Handler = "", nil, h
	}
}

// handlers is a handler that says whose it is.
type handlers struct {
	name  string
	serve http.HandlerFunc
}

func (h *handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Served-By", h.name)
	h.serve(w, r)
}

// TestMiddlewareOverflows: what finds no place at the handler goes to peers,
// whose handlers answer; what finds one is answered as if there were no agent.
func TestMiddlewareOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 4, embedded(nil))
		hot := c.members[0]
		by := map[string]int{}
		for _, res := range hot.many(8, "/x?ms=38") {
			if res.Code != 200 || res.Body.String() != "GET /x" || res.took > 40*time.Millisecond {
				t.Errorf("%d %q after %v", res.Code, res.Body, res.took)
			}
			by[res.by()]++
			if local, via := res.by() == "n1", res.Header().Get("Via"); local == (via != "") {
				t.Errorf("served by %s with Via %q", res.by(), via)
			}
		}
		c.idle()
		for _, m := range c.members {
			if by[m.cfg.Name] != 2 {
				t.Errorf("%s served %d of 8 requests, want 2: %v", m.cfg.Name, by[m.cfg.Name], by)
			}
		}
		if s := hot.Stats(); s.Local != 2 || s.Forwarded != 6 {
			t.Errorf("counted %+v", s)
		}
	})
}

// TestMiddlewareQueues: what has to wait here is served by the same handler in
// the same way, its body and the time that its client still has with it.
func TestMiddlewareQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, embedded(func(_ int, h *handlers) {
			h.serve = func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				time.Sleep(38 * time.Millisecond)
				fmt.Fprintf(w, "%s %v %s", body, err, r.Header.Get("Grpc-Timeout"))
			}
		}))
		hot := c.members[0]
		var all []<-chan *outcome
		for range 6 { // places 2, hard 4
			all = append(all, start(func() *outcome {
				r := request("POST", "/", "payload")
				r.Header.Set("Grpc-Timeout", "1000m")
				return hot.do(r)
			}))
		}
		waited := 0
		for _, res := range all {
			got := <-res
			if got.Header().Get("Via") != "" || got.Header().Get("X-Request-Id") != "" {
				t.Errorf("the agent's fields are on an answer of this program: %v", got.Header())
			}
			switch got.Body.String() {
			case "payload <nil> 1000m":
			case "payload <nil> 962m":
				waited++
			default:
				t.Errorf("got %d %q", got.Code, got.Body)
			}
		}
		if waited != 2 {
			t.Errorf("%d requests waited, want 2", waited)
		}
		c.idle()
	})
}

// TestMiddlewarePanics: a handler that panics gives its place back, and the
// panic is the server's that called.
func TestMiddlewarePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []int
		c := newCluster(t, 1, func(i int, cfg *Config) {
			embedded(func(_ int, h *handlers) {
				h.serve = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
			})(i, cfg)
			cfg.Observe = func(_ Route, status int, _ time.Duration) { seen = append(seen, status) }
		})
		for range 10 {
			if !c.members[0].get("/").aborted {
				t.Error("the panic did not come out")
			}
		}
		c.idle()
		if len(seen) != 10 || seen[0] != 500 {
			t.Errorf("observed %v", seen)
		}
	})
}

// TestMiddlewareFailing: a handler that answers 503 again and again takes nothing
// from peers, as a web server that does.
func TestMiddlewareFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, embedded(func(i int, h *handlers) {
			if i == 0 {
				h.serve = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusServiceUnavailable) }
			}
		}))
		for range 20 {
			c.members[0].get("/")
		}
		if s := c.members[0].Stats(); !s.State.Sick {
			t.Errorf("the node that fails is not sick: %+v", s.State)
		}
	})
}

// TestMiddlewareWriter: the handler's ResponseWriter can do what the server's can.
func TestMiddlewareWriter(t *testing.T) {
	front := embeddedFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, flushes := w.(http.Flusher)
		_, hijacks := w.(http.Hijacker)
		_, copies := w.(io.ReaderFrom)
		switch r.URL.Path {
		case "/can":
			fmt.Fprint(w, flushes, hijacks, copies)
		case "/flush":
			w.Header().Set("Trailer", "Sum")
			_, _ = io.WriteString(w, "one")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			w.Header().Set("Sum", "3")
		case "/hijack":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
		}
	}))
	server := httptest.NewServer(front)
	defer server.Close()
	for path, want := range map[string]string{"/can": "true true true", "/flush": "one", "/hijack": "hello"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if path == "/hijack" {
			req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := readAll(res.Body)
		_ = res.Body.Close()
		if err != nil || body != want || path == "/flush" && res.Trailer.Get("Sum") != "3" {
			t.Errorf("%s: %q, %v, trailers %v; want %q", path, body, err, res.Trailer, want)
		}
	}
}

// TestMiddlewareWebsocket: one that is not to be here is a peer's handler's, which
// takes over a connection as it does of net/http.
func TestMiddlewareWebsocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, embedded(func(_ int, h *handlers) {
			h.serve = func(w http.ResponseWriter, _ *http.Request) {
				conn, rest, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nwelcome")
				_, _ = io.Copy(conn, rest)
			}
		}))
		c.members[0].SetOverflow(true)
		front := serveHTTP(t, c.members[0])
		ws, head := openSocket(t, front)
		if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "next-hop=\"n2\"") {
			t.Errorf("the upgrade came back as %q", head)
		}
		expect(t, ws, "welcome")
		time.Sleep(time.Hour)
		go func() { _, _ = io.WriteString(ws, "frames") }()
		expect(t, ws, "frames")
		_ = ws.Close()
		c.idle()
	})
}

// TestMiddlewareBehindGuard: what the guard of a connection has to say holds for a
// handler of the program too.
func TestMiddlewareBehindGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front := serveHTTP(t, embeddedFront(t, http.HandlerFunc(answerPlain)))
		for request, want := range map[string]string{
			"GET / HTTP/1.1\r\nHost: web\r\n\r\n": "HTTP/1.1 200 ",
			"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "HTTP/1.1 400 ",
		} {
			if got := talk(t, front, request, 12); !strings.HasPrefix(got, want) {
				t.Errorf("%q is answered by %q, want %q", request, got, want)
			}
		}
	})
}

// embeddedFront is a balancer before h, with room for everything and all that an
// agent has look on.
func embeddedFront(t testing.TB, h http.Handler) *Balancer {
	t.Helper()
	node := channeltest.Start(t, channeltest.NewHub(), 1)
	data, err := node.Open("data")
	if err != nil {
		t.Fatal(err)
	}
	front, err := New(Config{
		Name: "web1", Handler: h, Data: data,
		Policy:  policy.Config{Places: 64, Queue: 64, ShedAge: time.Second},
		Load:    func(http.Header) {},
		Observe: func(Route, int, time.Duration) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return front
}

// TestMiddlewareAllocs: a request that stays costs no memory beyond the handler's.
func TestMiddlewareAllocs(t *testing.T) {
	front := embeddedFront(t, http.HandlerFunc(answerPlain))
	w, r := newNullWriter(), httptest.NewRequest(http.MethodGet, "/", nil)
	bare := testing.AllocsPerRun(100, func() { answerPlain(w, r) })
	if got := testing.AllocsPerRun(1000, func() { front.ServeHTTP(w, r) }); got > bare {
		t.Errorf("%v allocations a request, and %v without the agent", got, bare)
	}
	if s := front.Stats(); s.Local < 1000 || s.State.Running != 0 {
		t.Errorf("counted %+v", s)
	}
}

var plainAnswer = []byte(strings.Repeat("x", 1024))

func answerPlain(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(plainAnswer)
}

// nullWriter can do what net/http's can, and does nothing.
type nullWriter struct{ header http.Header }

func newNullWriter() *nullWriter { return &nullWriter{header: make(http.Header)} }

func (w *nullWriter) Header() http.Header                 { return w.header }
func (w *nullWriter) WriteHeader(int)                     {}
func (w *nullWriter) Write(p []byte) (int, error)         { return len(p), nil }
func (w *nullWriter) Flush()                              {}
func (w *nullWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
func (w *nullWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

// BenchmarkMiddleware is what a request that stays costs, with the decision and
// counting, beside the handler alone.
func BenchmarkMiddleware(b *testing.B) {
	w := newNullWriter()
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.WithValue(b.Context(), guardKey{}, nil))
	for _, h := range []struct {
		name    string
		handler http.Handler
	}{
		{"bare", http.HandlerFunc(answerPlain)},
		{"kecho", embeddedFront(b, http.HandlerFunc(answerPlain))},
	} {
		b.Run(h.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.handler.ServeHTTP(w, r)
			}
		})
	}
}
