//go:build unix

package balancer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// The lane reads the system's sockets in a way of its own, which no bubble has.

// overSockets serves handler behind a lane on loopback.
func overSockets(t testing.TB, handler http.Handler) (*Balancer, net.Addr) {
	t.Helper()
	web := listenLoopback(t)
	server := &http.Server{Handler: handler}
	limits := defaults()
	limits.Places, limits.Hard = 64, 64
	b, err := New(Config{Name: "web1", Upstream: "http://" + web.Addr().String(), Policy: limits})
	if err != nil {
		t.Fatal(err)
	}
	lane := NewLane(LaneConfig{Balancer: b, Listener: listenLoopback(t)})
	front := &http.Server{Handler: b, ConnContext: GuardContext, ConnState: GuardState, DisableGeneralOptionsHandler: true}
	ctx, cut := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(web) })
	done.Go(func() { _ = front.Serve(lane) })
	done.Go(func() { _ = lane.Run(ctx) })
	t.Cleanup(func() {
		_ = front.Close()
		cut()
		_ = server.Close()
		done.Wait()
		b.upstream.client.CloseIdle()
	})
	return b, lane.Addr()
}

func listenLoopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dialLoopback(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// TestLaneSockets: requests come in pieces, several at once, with bodies of all
// sizes, and go to the other lane in the end.
func TestLaneSockets(t *testing.T) {
	b, addr := overSockets(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%s %d %v", r.RequestURI, n, err)
	}))
	var in, want strings.Builder
	for i, n := range []int{0, 1, 4000, 5000, 16 << 10, 17 << 10, 300_000, 0} {
		fmt.Fprintf(&in, "POST /%d HTTP/1.1\r\nHost: web\r\nX: %s\r\n", i, strings.Repeat("x", i*1000))
		if i%3 == 1 && n > 0 {
			fmt.Fprintf(&in, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("b", n))
		} else {
			fmt.Fprintf(&in, "Content-Length: %d\r\n\r\n%s", n, strings.Repeat("b", n))
		}
		fmt.Fprintf(&want, "/%d %d <nil>", i, n)
	}
	in.WriteString("GET /last HTTP/1.0\r\n\r\n")
	want.WriteString("/last 0 <nil>")
	for _, piece := range []int{1000, 4096, in.Len()} {
		if got := overPieces(dialLoopback(t, addr), in.String(), piece); got != want.String() {
			t.Errorf("in pieces of %d: %q, want %q", piece, got, want.String())
		}
	}
	if s := b.Stats(); s.Straight == 0 || s.Straight == s.Local {
		t.Errorf("%d of %d requests were served as bytes", s.Straight, s.Local)
	}
}

// TestLaneSocketsLeave: a client that leaves is noticed by its socket, whether it
// closes or resets, served as bytes or not.
func TestLaneSocketsLeave(t *testing.T) {
	ended := make(chan struct{}, 4)
	b, addr := overSockets(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	for _, in := range []string{plainGet, "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"} {
		for _, reset := range []bool{false, true} {
			c := dialLoopback(t, addr)
			_, _ = io.WriteString(c, in)
			time.AfterFunc(50*time.Millisecond, func() {
				if reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				_ = c.Close()
			})
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatalf("%.30q, reset %v: the web server still works on it", in, reset)
			}
		}
	}
	for range 100 {
		if b.Stats().State.Running == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d places are taken", b.Stats().State.Running)
}

// TestMovedSockets: what goes to a peer as bytes comes back in its order, whatever
// pieces it is sent in, and a client that leaves meanwhile is noticed by its socket.
func TestMovedSockets(t *testing.T) {
	ended, begun := make(chan struct{}, 1), make(chan struct{}, 1)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/wait" {
			begun <- struct{}{}
			<-r.Context().Done()
			ended <- struct{}{}
			return
		}
		_, _ = fmt.Fprintf(w, "%s %d %v", r.RequestURI, n, err)
	})}
	l := listenLoopback(t)
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { _ = web.Close() })
	a, _ := benchPair(t, l.Addr().String())
	addr, err := net.ResolveTCPAddr("tcp", benchLane(t, a))
	if err != nil {
		t.Fatal(err)
	}
	var in, want strings.Builder
	for i, n := range []int{0, 1, 4000, 5000, 16 << 10, 17 << 10, 0} {
		fmt.Fprintf(&in, "PUT /%d HTTP/1.1\r\nHost: web\r\nX: %s\r\nContent-Length: %d\r\n\r\n%s", i, strings.Repeat("x", i*1000), n, strings.Repeat("b", n))
		fmt.Fprintf(&want, "/%d %d <nil>", i, n)
	}
	in.WriteString("GET /last HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
	want.WriteString("/last 0 <nil>")
	for _, piece := range []int{1000, 4096, in.Len()} {
		if got := overPieces(dialLoopback(t, addr), in.String(), piece); got != want.String() {
			t.Errorf("in pieces of %d: %q, want %q", piece, got, want.String())
		}
	}
	c := dialLoopback(t, addr)
	_, _ = io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: web\r\n\r\nGET /next") // and what it sends ahead is kept
	within(t, begun, "the web server has not begun it")
	_ = c.Close()
	within(t, ended, "the web server still works on it")
	if s := a.Stats(); s.Forwarded < 20 || s.Abandoned > 1 {
		t.Errorf("%d were forwarded, %d abandoned", s.Forwarded, s.Abandoned)
	}
}

// within fails the test, for why, where done says nothing.
func within(t *testing.T, done <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(why)
	}
}

// overPieces sends text in pieces of n bytes, and is the bodies of the answers.
func overPieces(c net.Conn, text string, n int) string {
	go func() {
		for len(text) > 0 {
			n := min(n, len(text))
			if _, err := io.WriteString(c, text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
	}()
	var got strings.Builder
	for from := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			return got.String()
		}
		body, _ := io.ReadAll(res.Body)
		got.Write(body)
	}
}

// BenchmarkIdleConnections says what a connection takes that has had a request
// and waits for the next, with the client's end of it.
func BenchmarkIdleConnections(b *testing.B) {
	const n = 2000
	front, lane := overSockets(b, http.HandlerFunc(hello))
	for _, p := range []struct{ name, address string }{{"lane", lane.String()}, {"nethttp", benchServer(b, front)}} {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				before := inUse()
				conns := make([]net.Conn, n)
				for i := range conns {
					c, err := net.Dial("tcp", p.address)
					if err != nil {
						b.Fatal(err)
					}
					conns[i] = c
					_, _ = io.WriteString(c, plainGet)
					if _, err := c.Read(make([]byte, 4096)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(inUse()-before)/n, "B/conn")
				for _, c := range conns {
					_ = c.Close()
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// inUse is the memory of heap and stacks after collections, which shrink stacks
// by half each.
func inUse() uint64 {
	var m runtime.MemStats
	for range 6 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
