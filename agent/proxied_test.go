package agent_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
)

// TestProxyProtocol: who is trusted must say for whom it speaks, and nobody
// else can.
func TestProxyProtocol(t *testing.T) {
	const (
		get   = "GET / HTTP/1.1\r\nHost: web1\r\nConnection: close\r\n\r\n"
		one   = "PROXY TCP4 192.0.2.7 10.0.0.1 1234 80\r\n"
		two   = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\x0a\x00\x00\x01\x04\xd2\x00\x50"
		proxy = "10.0.0.9"
		other = "10.0.0.8"
	)
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 1,
			Handler: func(int) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprint(w, "for ", r.Header["X-Forwarded-For"])
				})
			},
			Configure: func(_ int, cfg *agent.Config) {
				cfg.Trust, cfg.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix(proxy + "/32")}, true
			},
		})
		for _, q := range []struct{ name, from, in, want string }{
			{"version 1", proxy, one + get, "for [192.0.2.7]"},
			{"version 2", proxy, two + get, "for [192.0.2.8]"},
			{"no header", proxy, get, ""},
			{"half a header", proxy, "PROXY TCP4 192", ""},
			{"a plain client", other, get, "for [10.0.0.8]"},
			{"a client that pretends", other, one + get, "HTTP/1.1 400 "},
		} {
			conn, err := c.Net.Host(q.from).Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, _ = io.WriteString(conn, q.in)
			out, err := io.ReadAll(conn)
			if _ = conn.Close(); q.want == "" && len(out) > 0 || !strings.Contains(string(out), q.want) || err != nil && q.want != "" {
				t.Errorf("%s: %q, %v; want %q", q.name, out, err, q.want)
			}
		}
	})
}
