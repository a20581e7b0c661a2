package balancer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestUpstreamURLs(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:8000":     "127.0.0.1:8000",
		"http://web":                "web:80",
		"https://web/prefix/":       "web:443",
		"http://[::1]:8000/a%2Fb":   "[::1]:8000",
		"http://[::1]":              "[::1]:80",
		"":                          "",
		"web:8000":                  "",
		"127.0.0.1:8000":            "",
		"h2c://web":                 "web:80",
		"h2://web":                  "web:443",
		"ftp://web":                 "",
		"http://":                   "",
		"http://:80":                "",
		"http://user:secret@web":    "",
		"http://web?x":              "",
		"http://web#x":              "",
		"http://web:port":           "",
		"http://web\n":              "",
		"unix:///run/web/app.sock":  "/run/web/app.sock",
		"unix:///run/web/app.sock/": "",
		"unix://run/web/app.sock":   "",
		"unix:run/web/app.sock":     "",
		"unix://":                   "",
		"http://web:0":              "",
		"http://web:65536":          "",
	} {
		u, err := newUpstream(upstreamConfig{URL: in})
		switch {
		case err == nil && u.origin.Address != want:
			t.Errorf("%q is dialled at %s, want %s", in, u.origin.Address, want)
		case (err != nil) != (want == ""):
			t.Errorf("%q: %v", in, err)
		case err != nil && !strings.HasPrefix(err.Error(), "upstream URL "):
			t.Errorf("%q: the message does not say what is wrong: %v", in, err)
		}
	}
}

func TestPrefix(t *testing.T) {
	u, err := newUpstream(upstreamConfig{URL: "http://web/app/"})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{"/": "/app/", "/x?y": "/app/x?y", "//x": "/app//x", "/a%2f?": "/app/a%2f?"} {
		req := u.request(&outgoing{method: "GET", target: in, header: http.Header{}})
		if req.Target != want {
			t.Errorf("%s: %v; want %s", in, req.Target, want)
		}
	}
}

// TestBadRequestsFromPeers: what a peer may put into a message and net/http
// would write.
func TestBadRequestsFromPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := newUpstream(upstreamConfig{URL: "http://web", Dial: func(context.Context, string, string) (net.Conn, error) {
			t.Error("something was dialled")
			return nil, io.EOF
		}})
		if err != nil {
			t.Fatal(err)
		}
		good := outgoing{method: "GET", target: "/", host: "web", header: http.Header{}}
		for name, spoil := range map[string]func(o *outgoing){
			"space in the target":  func(o *outgoing) { o.target = "/ HTTP/1.1" },
			"line in the target":   func(o *outgoing) { o.target = "/ \r\nX: y" },
			"no path":              func(o *outgoing) { o.target = "x" },
			"empty":                func(o *outgoing) { o.target = "" },
			"elsewhere":            func(o *outgoing) { o.target = "http://elsewhere/" },
			"host with a line":     func(o *outgoing) { o.host = "web\r\nX: y" },
			"host with a path":     func(o *outgoing) { o.host = "web/x" },
			"host with a backlash": func(o *outgoing) { o.host = `web\x` },
			"CONNECT":              func(o *outgoing) { o.method = "CONNECT" },
			"star":                 func(o *outgoing) { o.target = "*" },
			"method with a space":  func(o *outgoing) { o.method = "GET /x" },
			"no method":            func(o *outgoing) { o.method = "" },
			"name with a line":     func(o *outgoing) { o.header = http.Header{"A\r\nB": {"c"}} },
			"value with a line":    func(o *outgoing) { o.header = http.Header{"A": {"b\r\nC: d"}} },
			"no fields":            func(o *outgoing) { o.header = nil },
			"trailer with a line": func(o *outgoing) {
				o.trailer, o.body, o.length = http.Header{"A\n": nil}, strings.NewReader("x"), -1
			},
		} {
			out := good
			out.header = http.Header{}
			spoil(&out)
			if _, err := u.roundTrip(t.Context(), &out); err == nil || errors.Is(err, errUpstreamDown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !u.up() {
			t.Error("the web server counts as down")
		}
	})
}

// up reports whether the web server can be given requests, as far as is known.
func (u *upstream) up() bool { return !u.health.down.Load() }

// TestUpstreamGoesAndComes: down with the first failed dial, told once, back
// with a probe within two seconds.
func TestUpstreamGoesAndComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		var there atomic.Bool
		var told []bool
		var log bytes.Buffer
		u, err := newUpstream(upstreamConfig{
			URL: "http://web", Changed: func(up bool) { told = append(told, up) }, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				if !there.Load() {
					return nil, errors.New("connection refused")
				}
				return web.dial(ctx, network, address)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { u.run(ctx); close(ended) }()
		for range 2 {
			there.Store(false)
			for range 3 {
				_, err := u.roundTrip(t.Context(), &outgoing{method: "GET", target: "/", header: http.Header{}})
				if !errors.Is(err, errUpstreamDown) || u.up() {
					t.Errorf("up %v, error %v", u.up(), err)
				}
			}
			time.Sleep(5 * time.Second)
			if u.up() {
				t.Error("up while nothing listens")
			}
			there.Store(true)
			time.Sleep(2 * time.Second)
			if !u.up() {
				t.Error("not up 2 s after it came")
			}
			u.client.CloseIdle()
		}
		cancel()
		<-ended
		if len(told) != 4 || told[0] || !told[1] || told[2] || !told[3] {
			t.Errorf("told %v", told)
		}
		if n := strings.Count(log.String(), "\n"); n != 4 {
			t.Errorf("%d log lines: %s", n, &log)
		}
	})
}

// TestUpstreamIsTriedAtOnce: one that is down is known to be before anybody
// asks for something, and the log says what to do.
func TestUpstreamIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b, err := New(Config{
			Name: "web1", Upstream: "http://web", Policy: defaults(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		s := b.Stats()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if s.Upstream.Up || s.State.Capacity() != 0 {
			t.Errorf("up %v, capacity %d", s.Upstream.Up, s.State.Capacity())
		}
		if !strings.Contains(log.String(), "start it, or correct the address") {
			t.Errorf("the log says %q", &log)
		}
	})
}

// TestSecondTryKeepsTheID: the id that the client hears is the one that a peer
// gets after the web server could not be reached.
func TestSecondTryKeepsTheID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		m, p := c.members[0], c.raw()
		m.web.down.Store(true)
		res := start(func() *outcome { return m.get("/") })
		asked := p.ofType(typeRequest, 1)[0]
		p.say(typeAnswer, asked.ID, packed(answerHead{Status: 200, Length: 2, Fin: true}, "ok"))
		got := <-res
		if id := got.Header().Get("X-Request-Id"); got.Code != 200 || id == "" || !strings.Contains(string(asked.Body), id) {
			t.Errorf("%d with id %q, and the peer was asked %q", got.Code, id, asked.Body)
		}
	})
}

// TestSlowUpstreams: a dial takes at most a second, a head at most what the
// configuration says, and each has its own error.
func TestSlowUpstreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := func() *outgoing { return &outgoing{method: "GET", target: "/", header: http.Header{}} }
		hangs := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		u, err := newUpstream(upstreamConfig{URL: "http://web", Dial: hangs})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := u.roundTrip(t.Context(), request()); !errors.Is(err, errUpstreamDown) || time.Since(start) != time.Second {
			t.Errorf("a dial that hangs: %v after %v", err, time.Since(start))
		}
		mute := serveRaw(t, func(c net.Conn, _ string) { _, _ = c.Read(make([]byte, 1)) })
		u, err = newUpstream(upstreamConfig{URL: "http://web", Dial: mute.dial, HeaderTimeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if _, err := u.roundTrip(t.Context(), request()); !errors.Is(err, errUpstreamTimeout) || time.Since(start) != 3*time.Second {
			t.Errorf("a server that is mute: %v after %v", err, time.Since(start))
		}
		if !u.up() {
			t.Error("a slow server counts as down")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := u.roundTrip(ctx, request()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errUpstreamTimeout) {
			t.Errorf("a caller that gives up: %v", err)
		}
	})
}

// TestStaleConnections: a kept connection that the web server closed costs no
// request, whatever its method.
func TestStaleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		web := serveRaw(t, func(c net.Conn, head string) {
			if head != "" {
				requests.Add(1)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		front, _ := frontBefore(t, web)
		for i := range 10 {
			res, err := client(t, front).Post("http://web/", "", nil)
			if err != nil || res.StatusCode != 200 {
				t.Errorf("request %d: %v, %v", i, res, err)
			}
			synctest.Wait()
		}
		if requests.Load() != 10 {
			t.Errorf("%d requests arrived", requests.Load())
		}
	})
}

func TestUpstreamDownIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := newPipes()
		_ = gone.Close()
		front, f := frontBefore(t, gone)
		for _, request := range []string{"GET / HTTP/1.1\r\nHost: web\r\n\r\n", "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 1\r\n\r\nx"} {
			out := talk(t, front, request, 1000)
			if !strings.HasPrefix(out, "HTTP/1.1 502 ") || !errors.Is(f.failed, errUpstreamDown) {
				t.Errorf("%q, %v", out, f.failed)
			}
		}
	})
}

// TestGivenUpDialsSayNothing: who stops waiting does not make the web server
// count as down.
func TestGivenUpDialsSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := newUpstream(upstreamConfig{URL: "http://web", Dial: newPipes().dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := u.dialOnce(ctx); err == nil || errors.Is(err, errUpstreamDown) || !u.up() {
			t.Errorf("up %v, %v", u.up(), err)
		}
	})
}

// tardy is a context whose end is noticed a while after its deadline, as those
// of a busy machine are.
type tardy struct {
	context.Context
	deadline time.Time
}

func (c tardy) Deadline() (time.Time, bool) { return c.deadline, true }

// TestDialsThatEndFirstSayNothing: a dialer may see the caller's deadline pass
// before the caller's context does.
func TestDialsThatEndFirstSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := newUpstream(upstreamConfig{URL: "http://web", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, os.ErrDeadlineExceeded
		}})
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now()
		late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := u.dialOnce(tardy{late, deadline}); errors.Is(err, errUpstreamDown) || !u.up() {
			t.Errorf("up %v, %v: want nothing said of a server whose client had no more time", u.up(), err)
		}
	})
}
