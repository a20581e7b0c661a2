package balancer

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// deaf is a web server that reads each request's head, says first, and reads
// no more until the test ends.
func deaf(t *testing.T, first string) *pipes {
	over := make(chan struct{})
	l := serveRaw(t, func(c net.Conn, _ string) {
		_, _ = io.WriteString(c, first)
		<-over
	})
	t.Cleanup(func() { close(over) })
	return l
}

// impatient is a balancer before web with a timeout of 3 s.
func impatient(t *testing.T, web *pipes) *Balancer {
	t.Helper()
	return running(t, Config{Name: "web1", Upstream: "http://web", Dial: web.dial, Policy: defaults(), Timeout: 3 * time.Second})
}

// TestUploadThatNobodyReads: a web server that stops reading a body holds a
// place for as long as one that does not answer, whether the client waits, is
// gone, or has sent it all.
func TestUploadThatNobodyReads(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"
	for _, c := range []struct {
		name, first string
		length      int
		gone        bool
		want        string // what the client's answer begins with
	}{
		{"waits", "", 100_000_000, false, "HTTP/1.1 504 "},
		{"gone", "", 100_000_000, true, ""},
		{"all was sent", "", 10_000, false, "HTTP/1.1 504 "},
		{"an answer has begun", head, 100_000_000, false, "HTTP/1.1 200 OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := impatient(t, deaf(t, c.first))
				front := serveHTTP(t, b)
				conn, err := front.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n", c.length)
					_, _ = io.CopyN(conn, zeros{}, int64(c.length)) // until somebody closes
				}()
				synctest.Wait()
				if n := b.Stats().State.Running; n != 1 {
					t.Fatalf("%d places are taken, want 1", n)
				}
				if c.gone {
					_ = conn.Close()
				}
				_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
				out, _ := io.ReadAll(conn) // what came is judged
				if !strings.HasPrefix(string(out), c.want) {
					t.Errorf("answer %q", out)
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if n := b.Stats().State.Running; n != 0 {
					t.Errorf("%d places are taken after it", n)
				}
				_ = conn.Close()
			})
		})
	}
}

// TestSlowWebServers: who reads now and then, or says something meanwhile, is
// not taken for one that stands still.
func TestSlowWebServers(t *testing.T) {
	const pause = 2 * time.Second
	read := func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for buf := make([]byte, 20_000); ; time.Sleep(pause) {
			k, err := io.ReadFull(r.Body, buf)
			if n += k; err != nil {
				break
			}
		}
		fmt.Fprint(w, n)
	}
	talk := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		for range 10 {
			_, _ = io.WriteString(flushing{w}, ".")
			time.Sleep(pause)
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}
	for name, handle := range map[string]http.HandlerFunc{"reads": read, "talks": talk} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := impatient(t, serveHTTP(t, handle))
				res, err := client(t, serveHTTP(t, b)).Post("http://web/", "", pattern(200_000, 10_000))
				if err != nil {
					t.Fatal(err)
				}
				text, err := readAll(res.Body)
				if res.StatusCode != 200 || !strings.HasSuffix(text, "200000") || err != nil {
					t.Errorf("%d %q %v", res.StatusCode, text, err)
				}
			})
		})
	}
}

// TestForwardThatNobodyReads: the same of a peer's web server; the peer has
// its place back too.
func TestForwardThatNobodyReads(t *testing.T) {
	for _, answers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 2, func(i int, cfg *Config) {
				tight(i, cfg)
				cfg.Timeout = 3 * time.Second
			})
			c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
				if answers {
					_ = http.NewResponseController(w).EnableFullDuplex()
					_ = http.NewResponseController(w).Flush()
				}
				time.Sleep(time.Minute)
			})
			r := request("POST", "/", "")
			r.Body, r.ContentLength = io.NopCloser(zeros{}), -1
			res := m.do(r)
			if answers != res.aborted || !answers && res.Code != 504 || res.took > 4*time.Second {
				t.Errorf("answers %v: %d, aborted %v, after %v", answers, res.Code, res.aborted, res.took)
			}
			synctest.Wait()
			if s := c.members[1].Stats(); s.Exchanges != 0 || s.State.Running != 0 {
				t.Errorf("answers %v: the peer still serves %d at %d places", answers, s.Exchanges, s.State.Running)
			}
			end()
		})
	}
}
