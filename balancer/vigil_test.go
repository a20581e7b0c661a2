package balancer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countedConn is a connection's end that counts how it is used.
type countedConn struct {
	net.Conn
	reads, deadlines atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(p)
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.deadlines.Add(1)
	return c.Conn.SetReadDeadline(t)
}

// TestVigil: of a request that is answered at once its connection is read for
// the next one only, and hardly ever given another deadline.
func TestVigil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		counted := &countedConn{Conn: far}
		l := newPipes()
		serveOn(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = refusal(r)
			time.Sleep(time.Millisecond)
			_, _ = io.WriteString(w, "x")
		}), nil, nil)
		l.conns <- counted
		defer near.Close()
		in := bufio.NewReader(near)
		for range 100 {
			_, _ = io.WriteString(near, "GET / HTTP/1.1\r\nHost: web\r\n\r\n")
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := readAll(res.Body); text != "x" || err != nil {
				t.Fatal(text, err)
			}
		}
		synctest.Wait() // until the next request is waited for
		// net/http looks at the first bytes of all for the preface of HTTP/2.
		if n := counted.reads.Load(); n != 1+100+1 {
			t.Errorf("%d reads for 100 requests, want 102", n)
		}
		if n := counted.deadlines.Load(); n > 3 {
			t.Errorf("%d deadlines for 100 requests", n)
		}
	})
}

// TestVigilEnds: a client that leaves while its request is served ends it soon,
// whether or not it waited long; one whose next request comes early does not.
func TestVigilEnds(t *testing.T) {
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 10 * time.Second} {
		for _, next := range []string{"", "GET /2 HTTP/1.1\r\nHost: web\r\n\r\n"} {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan time.Time, 1)
				l := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _, _ = refusal(r)
					select {
					case <-r.Context().Done():
						ended <- time.Now()
					case <-time.After(time.Minute):
						fmt.Fprint(w, "x")
					}
				}))
				c, err := l.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: web\r\n\r\n")
				time.Sleep(after)
				if next == "" {
					began := time.Now()
					_ = c.Close()
					if took := (<-ended).Sub(began); took > vigilFor {
						t.Errorf("after %v: it took %v", after, took)
					}
					return
				}
				go func() { _, _ = io.WriteString(c, next) }()
				if out, _ := io.ReadAll(io.LimitReader(c, 12)); string(out) != "HTTP/1.1 200" || len(ended) > 0 {
					t.Errorf("after %v: %q", after, out)
				}
			})
		}
	}
}

// TestUnhurried: a read ends when its deadline says so, whatever was set before
// and whether it waits already.
func TestUnhurried(t *testing.T) {
	for _, c := range []struct {
		before, then time.Duration // 0: none
		later        time.Duration // set after a second; 0: nothing is
		want         time.Duration
	}{
		{time.Minute, 10 * time.Second, 0, 10 * time.Second},
		{10 * time.Second, time.Minute, 0, time.Minute},
		{0, 10 * time.Second, 0, 10 * time.Second},
		{-time.Second, time.Minute, 0, time.Minute},
		{time.Minute, -time.Second, 0, 0},
		{10 * time.Second, time.Minute, 5 * time.Second, 5 * time.Second},
		{10 * time.Second, 20 * time.Second, time.Minute, time.Minute},
		{10 * time.Second, 20 * time.Second, -time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			u := &unhurried{Conn: near}
			began := time.Now()
			at := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return began.Add(d)
			}
			_ = u.SetReadDeadline(at(c.before))
			go func() { _, _ = far.Write([]byte("x")) }()
			for n := 0; n == 0; { // else it is over already
				if n, _ = u.Read(make([]byte, 1)); n == 0 {
					_ = u.SetReadDeadline(time.Time{})
				}
			}
			began = time.Now()
			_ = u.SetReadDeadline(at(c.then))
			if c.later != 0 {
				time.AfterFunc(time.Second, func() { _ = u.SetReadDeadline(at(c.later)) })
			}
			if n, err := u.Read(make([]byte, 1)); n != 0 || !isTimeout(err) || time.Since(began) != c.want {
				t.Errorf("%+v: %d, %v after %v", c, n, err, time.Since(began))
			}
		})
	}
}

// TestStalledAgain: what net/http sets after a request does not take the next
// answer its patience.
func TestStalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/long" {
				w.Header().Set("Content-Length", fmt.Sprint(1<<30))
				_, _ = io.Copy(w, zeros{})
			}
		})))
		web := client(t, serveLanes(t, b, nil, nil))
		if res, err := web.Get("http://web/"); err != nil || res.Body.Close() != nil {
			t.Fatal(err)
		}
		res, err := web.Get("http://web/long")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		time.Sleep(writePatience + time.Second)
		synctest.Wait()
		if n := b.Stats().State.Running; n != 0 {
			t.Errorf("%d places are taken by who does not read", n)
		}
	})
}
