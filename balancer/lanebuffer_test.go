package balancer

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// TestLaneHalfABlank: a client may break off in the empty line after a POST.
func TestLaneHalfABlank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := lone(t, serveHTTP(t, http.HandlerFunc(hello)))
		conn := dialed(t, l)
		say(conn, "POST / HTTP/1.1\r\n"+hostLine+"Content-Length: 1\r\n\r\nx\r")
		if _, err := io.ReadFull(conn, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		if out := talk(t, l, plainGet, 1000); !strings.Contains(out, " 200 ") {
			t.Errorf("the next client got %q", out)
		}
	})
}

// TestLaneHalfABody: a request whose body moved its head in memory, and broke
// off, is passed on as it came.
func TestLaneHalfABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var saw []string
		l, _ := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			saw = append(saw, r.Method+r.RequestURI+r.Header.Get("X-Mine"))
			mu.Unlock()
			_, _ = io.Copy(io.Discard, r.Body)
		})))
		conn := dialed(t, l)
		defer conn.Close()
		say(conn, "GET /first HTTP/1.1\r\n"+hostLine+"X-Mine: "+strings.Repeat("a", 2000)+"\r\n\r\n"+
			"POST /second HTTP/1.1\r\n"+hostLine+"X-Mine: b\r\nContent-Length: 9000\r\n\r\n"+strings.Repeat("x", 5000))
		_, _ = io.Copy(io.Discard, conn)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"GET/first" + strings.Repeat("a", 2000), "POST/secondb"}; !slices.Equal(saw, want) {
			t.Errorf("the web server saw %.3000q", saw)
		}
	})
}

// TestLaneLargeHead: the head of an answer may fill the memory that it is written
// in to the last byte.
func TestLaneLargeHead(t *testing.T) {
	for _, extra := range []int{0, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			var pad int
			l, _ := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Pad", strings.Repeat("a", pad))
				w.Header().Set("Content-Length", strconv.Itoa(5))
				_, _ = io.WriteString(w, "hello")
			})))
			ask := func() string {
				return talk(t, l, "GET / HTTP/1.1\r\n"+hostLine+"X-Request-Id: i\r\n\r\n", 1000)
			}
			head, _, _ := strings.Cut(ask(), "hello")
			pad = laneOut - len(head) - 1 + extra
			if out := ask(); !strings.HasSuffix(out, "\r\n\r\nhello") {
				t.Errorf("%d bytes, without an end", len(out))
			}
		})
	}
}

// TestLanePanics: what goes wrong with an answer ends its connection, and no
// more: its place is free again.
func TestLanePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bad" {
				w.Header().Set("X-Load", "1")
			}
		})))
		b.cfg.LoadHeader, b.cfg.Load = "X-Load", func(http.Header) { panic("of a test") }
		if out := talk(t, l, "GET /bad HTTP/1.1\r\n"+hostLine+"\r\n"+plainGet, 1000); out != "" {
			t.Errorf("the client got %q", out)
		}
		if n := b.Stats().State.Running; n != 0 {
			t.Errorf("%d places are taken", n)
		}
		if out := talk(t, l, plainGet, 1000); !strings.Contains(out, " 200 ") {
			t.Errorf("the next client got %q", out)
		}
	})
}
