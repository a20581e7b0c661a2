//go:build unix

package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPeek is on real sockets: those of a bubble cannot be looked into.
func TestPeek(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	cn := newConn(nil, near)
	if !cn.sound() {
		t.Error("an open connection that is quiet is not sound")
	}
	until := func(what string, is func() bool) {
		for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	until("a word that nobody asked for is not seen", func() bool { return !cn.sound() })
	if _, err := near.Read(make([]byte, 1)); err != nil || !cn.sound() {
		t.Error("it was taken by the look, or the connection is not sound after it: ", err)
	}
	_ = far.Close()
	until("the end is not seen", func() bool { return !cn.sound() })
}

// TestAskTooLate: a request whose time is over costs no connection.
func TestAskTooLate(t *testing.T) {
	c := New(Config{Dial: listen(t, says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))})
	defer c.CloseIdle()
	fill(t, c, 5, 0)
	r := get("GET")
	r.AnswerBy = time.Now().Add(-time.Second)
	if _, err := c.Do(t.Context(), r); !errors.Is(err, ErrTimeout) {
		t.Errorf("Do: %v", err)
	}
	raw := rawOf(get("GET"))
	raw.AnswerBy = r.AnswerBy
	if err := c.Exchange(t.Context(), raw, new(Exchange)); !errors.Is(err, ErrTimeout) {
		t.Errorf("Exchange: %v", err)
	}
	if len(c.idle) != 3 {
		t.Errorf("%d connections are left of 5, want 3", len(c.idle))
	}
}

// TestAsk: on a real socket that has been used, the look, the request and the
// answer are one wait; what is not sound is found out before anything is sent.
func TestAsk(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
	heads := make(chan string, 20)
	dial := listen(t, func(n int, conn net.Conn) {
		for i := 1; ; i++ {
			head := readHead(conn)
			if head == "" {
				return
			}
			heads <- head
			if i == 3 { // and its answer is late
				time.Sleep(2 * lookEvery)
			}
			_, _ = io.WriteString(conn, ok)
			switch {
			case i == 3 && n == 1:
				time.Sleep(10 * time.Millisecond)
				_, _ = io.WriteString(conn, ok) // nobody asked for it
			case i == 3 && n == 2:
				return
			}
		}
	})
	dials := 0
	c := New(Config{Dial: func(ctx context.Context) (net.Conn, error) {
		dials++
		nc, err := dial(ctx)
		if err == nil {
			err = nc.(*net.TCPConn).SetWriteBuffer(4 << 10) // what is large goes in pieces
		}
		return nc, err
	}})
	defer c.CloseIdle()
	for i := range 8 {
		r := get("POST") // it may not be sent twice
		if i%2 == 1 {
			r.Header = http.Header{"X": {strings.Repeat("x", 50_000)}}
		}
		if res, body, err := readRaw(t.Context(), c, r); err != nil || res.StatusCode != 200 || body != "x" {
			t.Fatalf("%d: %v, %q, %v", i, res, body, err)
		}
		time.Sleep(50 * time.Millisecond) // so that what nobody asked for is there
	}
	if dials != 3 || len(heads) != 8 {
		t.Errorf("%d connections and %d requests, want 3 and 8", dials, len(heads))
	}
}
