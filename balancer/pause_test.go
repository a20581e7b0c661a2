package balancer

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPauses: what the web server has sent of an answer of known length is with
// the client while the rest is not there yet, however it goes.
func TestPauses(t *testing.T) {
	for _, by := range ways {
		for _, first := range []int{10, 3 << 10, 50 << 10} {
			if by.atPeer && 3*first < copySize {
				continue // a peer has a small one in one event
			}
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 2, nil)
				server, fast := by.through(cl)
				server.web.set(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Length", fmt.Sprint(3*first))
					for range 3 {
						_, _ = io.WriteString(flushing{w}, strings.Repeat("x", first))
						time.Sleep(10 * time.Second)
					}
				})
				began := time.Now()
				res, err := client(t, serveLanes(t, cl.members[0], fast, nil)).Get("http://web/")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				for i := range 3 {
					if _, err := io.CopyN(io.Discard, res.Body, int64(first)); err != nil {
						t.Fatal(err)
					}
					if late := time.Since(began) - time.Duration(i)*10*time.Second; late > 10*time.Millisecond {
						t.Errorf("%s: %d bytes more are %v late", by.name, first, late)
					}
				}
				_ = res.Body.Close()
				time.Sleep(10 * time.Second)
				cl.idle()
			})
		}
	}
}

// writesCounted is a listener whose connections count their writes.
type writesCounted struct {
	net.Listener
	writes *atomic.Int64
}

func (l writesCounted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &writeCounted{c, l.writes}, err
}

type writeCounted struct {
	net.Conn
	writes *atomic.Int64
}

func (c *writeCounted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestOneWrite: an answer that comes whole goes in one write, in both lanes and
// from a peer.
func TestOneWrite(t *testing.T) {
	for _, by := range ways {
		synctest.Test(t, func(t *testing.T) {
			cl := newCluster(t, 2, nil)
			server, fast := by.through(cl)
			server.web.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1000)) })
			l, writes := newPipes(), new(atomic.Int64)
			serveOn(t, writesCounted{l, writes}, cl.members[0], fast, nil)
			web := client(t, l)
			for range 10 {
				res, err := web.Get("http://web/")
				if err != nil {
					t.Fatal(err)
				}
				if text, err := readAll(res.Body); len(text) != 1000 || err != nil {
					t.Errorf("%s: %d bytes, %v", by.name, len(text), err)
				}
			}
			if n := writes.Load(); n != 10 {
				t.Errorf("%s: %d writes of 10 answers", by.name, n)
			}
			cl.idle()
		})
	}
}
