package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// impatient is a web server that closes connections that are idle for so long,
// and counts how often it was asked for each path.
func impatient(t *testing.T, idle time.Duration, encrypted bool) (url string, times func(path string) int) {
	t.Helper()
	var mu sync.Mutex
	asked := make(map[string]int)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
	}))
	server.Config.IdleTimeout = idle
	if encrypted {
		server.StartTLS()
		trust(t, server)
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL, func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		return asked[path]
	}
}

// TestIdleConnectionsThatClose has requests come just when the web server closes
// the connection that is kept for them: a GET is always answered, and a POST is
// never begun twice, whatever becomes of it.
func TestIdleConnectionsThatClose(t *testing.T) {
	const idle = 3 * time.Millisecond
	url, times := impatient(t, idle, false)
	n := newNode(t, loopback(), "web1")
	n.upstream = url
	n.start(t)
	n.ready(t)
	twice, lost := 0, 0
	for i := range 600 {
		path := fmt.Sprintf("/%d", i)
		method := []string{http.MethodGet, http.MethodPost}[i%2]
		r, err := http.NewRequest(method, n.url(frontPort)+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		res, err := n.api.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		switch {
		case method == http.MethodGet && res.StatusCode != http.StatusOK:
			t.Errorf("GET %s: %s", path, res.Status)
		case times(path) > 1 && method == http.MethodPost:
			t.Errorf("POST %s was begun %d times", path, times(path))
		case times(path) > 1:
			twice++
		case res.StatusCode != http.StatusOK:
			lost++
		}
		time.Sleep(idle - time.Millisecond + rand.N(2*time.Millisecond))
	}
	t.Logf("%d GETs were begun twice, %d POSTs were lost", twice, lost)
}

// TestGoodbyeOverTLS: a connection on which the web server has said goodbye is
// not used, though TLS says it in bytes that nobody has read.
func TestGoodbyeOverTLS(t *testing.T) {
	url, times := impatient(t, 20*time.Millisecond, true)
	n := newNode(t, loopback(), "web1")
	n.upstream = url
	n.start(t)
	n.ready(t)
	for i := range 20 {
		path := fmt.Sprintf("/%d", i)
		res, err := n.api.Post(n.url(frontPort)+path, "", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK || times(path) != 1 {
			t.Errorf("POST %s: %s, begun %d times", path, res.Status, times(path))
		}
		time.Sleep(80 * time.Millisecond) // the server's time is over
	}
}
