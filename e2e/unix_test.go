package e2e

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// A web server may listen on a Unix socket: the agent keeps connections to it,
// and sees those that it has closed.
func TestWebServerOnUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dialled := &countingListener{Listener: l}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/close" {
			w.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(w, r.Host+" "+r.URL.Path)
	})}
	go func() {
		if err := web.Serve(dialled); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	defer web.Close()

	n := newNode(t, loopbacksFor(1)[0], "web1")
	n.upstream = "unix://" + path
	n.start(t)
	n.ready(t)
	before := dialled.n.Load() // the agent's look at start
	for _, page := range []string{"/a", "/b", "/close", "/c", "/d"} {
		got, err := n.get(n.url(frontPort) + page)
		if err != nil || got != n.addr(frontPort)+" "+page {
			t.Errorf("%s: %q, %v", page, got, err)
		}
	}
	if opened := dialled.n.Load() - before; opened != 2 {
		t.Errorf("%d connections for five requests, one of which closed its own", opened)
	}
}

// countingListener counts the connections that it accepted.
type countingListener struct {
	net.Listener
	n atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}
