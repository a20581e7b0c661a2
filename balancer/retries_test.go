package balancer

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
	"kecho/channel/memnet"
)

// TestNoRetriesButOurs holds that http.Transport repeats no POST on its own
// for a field that it takes for a promise and we do not: on a kept connection
// that dies with the request, the web server sees it once.
func TestNoRetriesButOurs(t *testing.T) {
	for name, header := range map[string]http.Header{
		"another field": {"X-Idempotency-Key": {"a"}},
		"no value":      {"Idempotency-Key": {""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := memnet.New(memnet.Config{}).Host("10.0.0.1")
				l, err := host.Listen("10.0.0.1:80")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				var posts atomic.Int64
				go answerGets(l, &posts)
				b, err := New(Config{
					Name: "n1", Upstream: "http://10.0.0.1:80", Dial: host.Dial,
					Policy: policy.Config{Places: 1, Hard: 1, Queue: 1, ShedAge: time.Second},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer b.upstream.client.CloseIdle()
				first := recordAnswer(b, http.MethodGet, nil)
				if first != http.StatusOK {
					t.Fatalf("GET: status %d", first)
				}
				if status := recordAnswer(b, http.MethodPost, header); status != http.StatusBadGateway {
					t.Errorf("POST: status %d", status)
				}
				if n := posts.Load(); n != 1 {
					t.Errorf("the web server got the POST %d times", n)
				}
			})
		})
	}
}

// answerGets answers GETs and closes the connection that a POST comes on.
func answerGets(l net.Listener, posts *atomic.Int64) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if req.Method == http.MethodPost {
					posts.Add(1)
					return
				}
				if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
					return
				}
			}
		}()
	}
}

// recordAnswer is the status that b answers a request without a body with.
func recordAnswer(b *Balancer, method string, header http.Header) int {
	r := httptest.NewRequest(method, "http://n1/", strings.NewReader(""))
	r.Body, r.ContentLength = http.NoBody, 0
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Code
}
