package balancer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

const plainGet = "GET / HTTP/1.1\r\n" + hostLine + "\r\n"

// dialed is a client's connection.
func dialed(t *testing.T, l *pipes) net.Conn {
	t.Helper()
	c, err := l.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// say writes what a client says, without waiting for it to be read.
func say(c net.Conn, text string) {
	go func() { _, _ = io.WriteString(c, text) }()
}

// TestStraight: plain requests are served as bytes, what is not plain stays with
// net/http from then on, and a request that must wait does not.
func TestStraight(t *testing.T) {
	for _, c := range []struct {
		name, in string
		straight uint64
	}{
		{"plain", strings.Repeat(plainGet, 3), 3},
		{"with a body", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\n\r\nabc" + plainGet, 2},
		{"with a large body", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000) + plainGet, 1},
		{"in chunks", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + plainGet, 1},
		{"with a deadline", "GET / HTTP/1.1\r\n" + hostLine + "Grpc-Timeout: 1S\r\n\r\n" + plainGet, 1},
		{"that was here", "GET / HTTP/1.1\r\n" + hostLine + "Via: 1.1 kecho-web1\r\n\r\n" + plainGet, 1},
		{"not plain", plainGet + "GET / HTTP/1.1\r\n" + hostLine + "Te: trailers\r\n\r\n" + plainGet, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, b := lone(t, serveHTTP(t, http.HandlerFunc(hello)))
				out := talk(t, l, c.in, 1000)
				if n := b.Stats().Straight; n != c.straight || strings.Count(c.in, "HTTP/1.1") != strings.Count(out, "HTTP/1.1 200") {
					t.Errorf("%d requests were served as bytes, want %d: %q", n, c.straight, out)
				}
			})
		})
	}
}

// TestLanePatience: what a client may take its time for, and what it gets then.
func TestLanePatience(t *testing.T) {
	for _, c := range []struct {
		name, in string
		after    time.Duration
		got      string // the last answer's status; "": none
	}{
		{"nothing", "", headPatience, ""},
		{"half a head", "GET / HTTP/1.1\r\nHo", headPatience, "408"},
		{"half a head, later", plainGet + "GET / HT", headPatience, "408"},
		{"idle", plainGet, time.Minute, "200"},
		{"half a body", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 5\r\n\r\nab", bodyPatience, "408"},
		{"half a large body", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 50000\r\n\r\nab", bodyPatience, "408"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, b := lone(t, serveHTTP(t, http.HandlerFunc(hello)))
				conn := dialed(t, l)
				defer conn.Close()
				start := time.Now()
				say(conn, c.in)
				out, _ := io.ReadAll(conn)
				answers := statusLine.FindAllString(string(out), -1)
				last := ""
				if n := len(answers); n > 0 {
					last = answers[n-1][9:12]
				}
				took := time.Since(start)
				if last == "408" {
					took -= lingerFor / 2 // the answer was there before
				}
				if last != c.got || took != c.after {
					t.Errorf("%q after %v, want %q after %v", out, took, c.got, c.after)
				}
				if s := b.Stats(); s.State.Running != 0 {
					t.Errorf("%d places are taken", s.State.Running)
				}
			})
		})
	}
}

// TestLaneClientLeaves: a client that leaves while it waits ends the web server's
// work, gives its place back and is counted.
func TestLaneClientLeaves(t *testing.T) {
	for name, in := range map[string]string{
		"as bytes":     plainGet,
		"by a request": "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"in a body":    "GET /body HTTP/1.1\r\n" + hostLine + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended atomic.Int64
				l, b := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					if r.URL.Path == "/body" {
						_, _ = io.WriteString(w, "some")
						_ = http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
					ended.Store(time.Now().UnixNano())
				})))
				conn := dialed(t, l)
				say(conn, in)
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				time.Sleep(5 * time.Second)
				left := time.Now()
				_ = conn.Close()
				time.Sleep(time.Second)
				if took := time.Duration(ended.Load() - left.UnixNano()); took < 0 || took > 2*sweepEvery {
					t.Errorf("the web server's work ended after %v", took)
				}
				s := b.Stats()
				if s.State.Running != 0 || name != "in a body" && s.Abandoned != 1 {
					t.Errorf("%d places are taken, %d were abandoned", s.State.Running, s.Abandoned)
				}
			})
		})
	}
}

// slowlyKnown is a connection that does not know at once who the client is.
type slowlyKnown struct{ net.Conn }

func (c slowlyKnown) RemoteAddr() net.Addr {
	time.Sleep(headPatience)
	return c.Conn.RemoteAddr()
}

type slowlyKnowing struct{ *pipes }

func (l slowlyKnowing) Accept() (net.Conn, error) {
	c, err := l.pipes.Accept()
	return slowlyKnown{c}, err
}

// TestLaneAcceptsMeanwhile: a proxy that is slow to say who its client is holds
// nobody up.
func TestLaneAcceptsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := lone(t, serveHTTP(t, http.HandlerFunc(hello)))
		l := newPipes()
		lane := NewLane(LaneConfig{Balancer: b, Listener: slowlyKnowing{l}})
		ran := start(func() error { return lane.Run(t.Context()) })
		began := time.Now()
		for range 3 {
			defer dialed(t, l).Close()
		}
		c := dialed(t, l)
		say(c, plainGet)
		if head := readHead(c); !strings.HasPrefix(head, "HTTP/1.1 200") || time.Since(began) != headPatience {
			t.Errorf("%q after %v", head, time.Since(began))
		}
		_ = c.Close()
		_ = lane.Close()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// TestLaneDrains: Close ends idle connections at once and others after their
// answer, which says so; Run returns then.
func TestLaneDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			hello(w, r)
		})))
		l := newPipes()
		lane := NewLane(LaneConfig{Balancer: b, Listener: l})
		ran := start(func() error { return lane.Run(context.Background()) })
		idle, busy := dialed(t, l), dialed(t, l)
		say(idle, plainGet)
		readHead(idle)
		_, _ = io.ReadFull(idle, make([]byte, 5))
		say(busy, plainGet)
		time.Sleep(100 * time.Millisecond)
		_ = lane.Close()
		began := time.Now()
		if rest, err := io.ReadAll(idle); len(rest) > 0 || err != nil || time.Since(began) != 0 {
			t.Errorf("the idle one: %q, %v after %v", rest, err, time.Since(began))
		}
		if out, err := io.ReadAll(busy); err != nil || !strings.Contains(string(out), "Connection: close\r\n") || !strings.HasSuffix(string(out), "hello") {
			t.Errorf("the other: %q, %v", out, err)
		}
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if _, err := lane.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepted: %v", err)
		}
	})
}

// TestLaneGivesWhileItDrains: a request that has begun when the lane is closed and
// is net/http's is answered too, by a server that is shut down meanwhile.
func TestLaneGivesWhileItDrains(t *testing.T) {
	for name, later := range map[string]string{"half a head": "Te: trailers\r\n\r\n", "nothing yet": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, b := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second)
					hello(w, r)
				})))
				l := newPipes()
				lane := NewLane(LaneConfig{Balancer: b, Listener: l})
				server := &http.Server{Handler: b, ConnContext: GuardContext, ConnState: GuardState, DisableGeneralOptionsHandler: true}
				ran := start(func() error { return lane.Run(context.Background()) })
				served := start(func() error { return server.Serve(lane) })
				c := dialed(t, l)
				head := "GET / HTTP/1.1\r\n" + hostLine
				if later == "" {
					later = head + "Te: trailers\r\n\r\n"
				} else {
					say(c, head)
				}
				synctest.Wait()
				began := time.Now()
				down := start(func() error {
					lane.Drain(context.Background())
					return server.Shutdown(context.Background())
				})
				time.Sleep(time.Second)
				say(c, later)
				if out, err := io.ReadAll(c); err != nil || !strings.Contains(string(out), "Connection: close\r\n") || !strings.HasSuffix(string(out), "hello") {
					t.Errorf("%q, %v", out, err)
				}
				if err := errors.Join(<-down, <-ran); err != nil {
					t.Error(err)
				}
				if err := <-served; !errors.Is(err, http.ErrServerClosed) || time.Since(began) > headPatience {
					t.Errorf("%v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// TestLaneGivesHTTP2WhileItDrains: what begins HTTP/2 then has its answer, and is
// told that it is the last.
func TestLaneGivesHTTP2WhileItDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := lone(t, serveHTTP(t, http.HandlerFunc(hello)))
		l := newPipes()
		lane := NewLane(LaneConfig{Balancer: b, Listener: l})
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		server := &http.Server{Handler: b, ConnContext: GuardContext, ConnState: GuardState, Protocols: &protocols}
		ran := start(func() error { return lane.Run(context.Background()) })
		served := start(func() error { return server.Serve(lane) })
		conn := dialed(t, l)
		synctest.Wait()
		drained := start(func() error {
			lane.Drain(context.Background())
			return nil
		})
		synctest.Wait()
		c := newRaw(t, conn)
		_ = c.begin(fields("/", 0, ""), true)
		time.Sleep(2 * time.Second)
		if said := c.away.Load(); said == nil || said.ErrCode != http2.ErrCodeNo || said.LastStreamID != 1 {
			t.Errorf("it was told %v", said)
		}
		<-c.done
		if err := errors.Join(<-drained, server.Shutdown(context.Background()), <-ran); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// TestLaneCut: the end of Run's context ends what is being served.
func TestLaneCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := lone(t, serveHTTP(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})))
		l := newPipes()
		lane := NewLane(LaneConfig{Balancer: b, Listener: l})
		ctx, cut := context.WithCancel(context.Background())
		ran := start(func() error { return lane.Run(ctx) })
		straight, other := dialed(t, l), dialed(t, l)
		say(straight, plainGet)
		say(other, "POST / HTTP/1.1\r\n"+hostLine+"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
		time.Sleep(time.Minute / 4)
		began := time.Now()
		cut()
		if err := <-ran; err != nil || time.Since(began) > 2*sweepEvery {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for _, c := range []net.Conn{straight, other} {
			if out, _ := io.ReadAll(c); len(out) > 0 {
				t.Errorf("%q", out)
			}
		}
	})
}

// TestLaneLoses: what a web server leaves without an answer goes on as it would
// by net/http: to a peer if it may, else it is said what happened.
func TestLaneLoses(t *testing.T) {
	for method, want := range map[string]string{"GET": "200", "POST": "502"} {
		synctest.Test(t, func(t *testing.T) {
			cl := newCluster(t, 2, nil)
			cl.members[0].web.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			cl.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(append(body, r.Header.Get("X-Request-Id")...))
			})
			out := talk(t, serveHTTP(t, cl.members[0]), method+" / HTTP/1.1\r\n"+hostLine+"X-Request-Id: id1\r\nContent-Length: 3\r\n\r\nabc"+plainGet, 1000)
			first, _, _ := strings.Cut(out, "HTTP/1.1 200 OK\r\n")
			if first == "" {
				first = out
			}
			if first[9:12] != want || want == "200" && !strings.Contains(out, "abcid1") {
				t.Errorf("%s: %q", method, out)
			}
			if n := len(statusLine.FindAllString(out, -1)); n != 2 {
				t.Errorf("%s: %d answers: %q", method, n, out)
			}
			cl.idle()
		})
	}
}
