package e2e

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"kecho/agent/api"
)

// TestHealthOfEveryKind has a web server of each kind say that it is ill and well
// again, over the protocol that it speaks.
func TestHealthOfEveryKind(t *testing.T) {
	for _, kind := range []string{"http", "https", "h2c", "h2", "unix"} {
		t.Run(kind, func(t *testing.T) {
			var ill atomic.Bool
			var spoken atomic.Pointer[string]
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				spoken.Store(&r.Proto)
				if r.URL.Path == "/healthz" && ill.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			n := newNode(t, loopback(), "web1")
			n.upstream = serveKind(t, server, kind)
			n.start(t, "--health-path", "/healthz", "--health-interval", "100ms")
			n.ready(t)
			for _, want := range []bool{true, false, true} {
				ill.Store(!want)
				eventually(t, startPatience, fmt.Sprint("up is ", want), func() error {
					var node api.Node
					if err := n.read(n.url(adminPort)+"/v1/node", &node); err != nil {
						return err
					}
					if node.Upstream.Up != want || !want && !strings.Contains(node.Upstream.Why, "GET /healthz: it answered 503") {
						return fmt.Errorf("%+v", node.Upstream)
					}
					return nil
				})
			}
			if proto := *spoken.Load(); (proto == "HTTP/2.0") != strings.HasPrefix(kind, "h2") {
				t.Errorf("it was asked in %s", proto)
			}
		})
	}
}

// serveKind starts a web server of that kind until the test ends, and is its URL.
func serveKind(t *testing.T, server *httptest.Server, kind string) string {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(kind == "http" || kind == "https" || kind == "unix")
	protocols.SetHTTP2(kind == "h2")
	protocols.SetUnencryptedHTTP2(kind == "h2c")
	server.Config.Protocols = &protocols
	url := kind + "://" + server.Listener.Addr().String()
	switch kind {
	case "unix":
		path := filepath.Join(t.TempDir(), "app.sock")
		server.Listener.Close()
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		server.Listener, url = l, "unix://"+path
		server.Start()
	case "https", "h2":
		server.EnableHTTP2 = kind == "h2"
		server.StartTLS()
		trust(t, server)
	default:
		server.Start()
	}
	t.Cleanup(server.Close)
	return url
}

// trust has agents that the test starts trust the server's certificate.
func trust(t *testing.T, server *httptest.Server) {
	t.Helper()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	write(t, roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	t.Setenv("SSL_CERT_FILE", roots) // they inherit it
}
