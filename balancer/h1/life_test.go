package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStale: a connection that its server closed while it was idle is not used,
// whatever the request; one that is closed as the request comes is tried again
// only where that is safe.
func TestStale(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
	for name, c := range map[string]struct {
		request func() *Request
		late    bool // closed once the request has come
		tried   bool
	}{
		"GET, idle":           {request: func() *Request { return get("GET") }, tried: true},
		"POST, idle":          {request: func() *Request { return get("POST") }, tried: true},
		"GET, late":           {request: func() *Request { return get("GET") }, late: true, tried: true},
		"DELETE, late":        {request: func() *Request { return get("DELETE") }, late: true},
		"POST, late":          {request: func() *Request { return get("POST") }, late: true},
		"GET with body, late": {request: withBody, late: true},
	} {
		for by, read := range readers {
			t.Run(name+" by "+by, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client, s := newClient(t, func(n int, conn net.Conn) {
						for i := 0; readHead(conn) != ""; i++ {
							if n == 1 && i == 1 {
								return
							}
							_, _ = io.WriteString(conn, ok)
							if n == 1 && !c.late {
								return
							}
						}
					})
					if _, _, err := read(t.Context(), client, get("GET")); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					_, body, err := read(t.Context(), client, c.request())
					if (err == nil && body == "x") != c.tried || s.dials != map[bool]int{true: 2, false: 1}[c.tried] {
						t.Errorf("%q, %v after %d dials", body, err, s.dials)
					}
				})
			})
		}
	}
}

func withBody() *Request {
	r := get("GET")
	r.Body, r.Length = strings.NewReader("x"), 1
	return r
}

// TestFreshConnectionIsNotTriedAgain: a server that closes at once is not
// dialled for ever.
func TestFreshConnectionIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newClient(t, func(_ int, c net.Conn) { readHead(c) })
		for by, read := range readers {
			if _, _, err := read(t.Context(), c, get("GET")); err == nil || s.dials != 1 {
				t.Errorf("%s: %v after %d dials", by, err, s.dials)
			}
			s.dials = 0
		}
	})
}

// TestTimes: an answer that does not begin is given up, one that has begun is
// not.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(_ int, c net.Conn) { readHead(c); time.Sleep(time.Hour) }
		c, _ := newClient(t, silent)
		start := time.Now()
		_, err := c.Do(t.Context(), get("GET"))
		if took := time.Since(start); !errors.Is(err, ErrTimeout) || took != 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		r := get("GET")
		r.AnswerBy = time.Now().Add(time.Second)
		start = time.Now()
		if _, err = c.Do(t.Context(), r); !errors.Is(err, ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		slow, _ := newClient(t, func(_ int, c net.Conn) {
			readHead(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
			time.Sleep(time.Minute)
			_, _ = io.WriteString(c, "x")
		})
		if _, body, err := read(t.Context(), slow, get("GET")); err != nil || body != "x" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

var errGone = errors.New("the client is gone")

// TestContext: its end is the end of the exchange, wherever that is.
func TestContext(t *testing.T) {
	for name, serve := range map[string]func(int, net.Conn){
		"before the head": func(_ int, c net.Conn) { readHead(c); time.Sleep(time.Hour) },
		"in the body": func(_ int, c net.Conn) {
			readHead(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
			time.Sleep(time.Hour)
		},
		"in the request": func(_ int, c net.Conn) { time.Sleep(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newClient(t, serve)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(errGone) })
				start := time.Now()
				if _, _, err := read(ctx, c, get("GET")); !errors.Is(err, errGone) || time.Since(start) != time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		})
	}
}

// TestIdle: the freshest connection is taken, no more are kept than may be, and
// none for too long.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newClient(t, says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))
		fill(t, c, 6, 30*time.Second)
		if s.dials != 6 || len(c.idle) != 4 {
			t.Errorf("%d dials, %d idle", s.dials, len(c.idle))
		}
		if c.Reap(); len(c.idle) != 2 {
			t.Errorf("%d are idle after 90 s", len(c.idle))
		}
		fresh := c.idle[len(c.idle)-1].conn
		if _, _, err := read(t.Context(), c, get("GET")); err != nil || s.dials != 6 || c.idle[len(c.idle)-1].conn != fresh {
			t.Errorf("%v, %d dials: another one than the freshest was taken", err, s.dials)
		}
		time.Sleep(2 * time.Minute)
		if _, _, err := read(t.Context(), c, get("GET")); err != nil || s.dials != 7 || len(c.idle) != 1 {
			t.Errorf("%v, %d dials: an old connection was taken", err, s.dials)
		}
	})
}
