package agent_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

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

// TestProxyWithoutHeader: who set up a proxy that sends no header finds out why
// nothing is answered, and a look at the port says nothing.
func TestProxyWithoutHeader(t *testing.T) {
	for _, lane := range []string{"on", "off"} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			c := agenttest.Start(t, agenttest.Config{Nodes: 1, Configure: func(_ int, cfg *agent.Config) {
				cfg.Trust, cfg.ProxyProtocol, cfg.FastLane = []netip.Prefix{netip.MustParsePrefix("10.0.0.9/32")}, true, lane
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			}})
			for _, in := range []string{"", "GET / HTTP/1.1\r\nHost: web1\r\n\r\n", "PROXY TCP4 1.2.3.999 10.0.0.1 1 80\r\n"} {
				conn, err := c.Net.Host("10.0.0.9").Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(conn, in)
				if in == "" {
					_ = conn.Close()
				}
				_, _ = io.ReadAll(conn)
				_ = conn.Close()
				synctest.Wait()
				want := min(len(in), 1) // and the second within a minute is not said
				if n := strings.Count(log.String(), "no good PROXY header"); n != want {
					t.Errorf("lane %s: after %q the log has %d lines of it, want %d:\n%s", lane, in, n, want, &log)
				}
			}
		})
	}
}

// TestHTTP2Streams: a client is told how many requests it may have at once.
func TestHTTP2Streams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i, want := range []uint32{100, 7} {
			c := agenttest.Start(t, agenttest.Config{Nodes: 1, Configure: func(_ int, cfg *agent.Config) { cfg.HTTP2Streams = i * 7 }})
			conn, err := c.Net.Host("10.0.0.9").Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, http2.ClientPreface)
			framer := http2.NewFramer(conn, conn)
			_ = framer.WriteSettings()
			f, err := framer.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := f.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams); got != want {
				t.Errorf("%d streams, want %d", got, want)
			}
		}
	})
}

// TestConnectionsPerAddress: a proxy has no share of its own, and the clients
// that it names have; what is refused harms nobody.
func TestConnectionsPerAddress(t *testing.T) {
	const (
		proxy, other = "10.0.0.9", "10.0.0.8"
		get          = "GET / HTTP/1.1\r\nHost: web1\r\n\r\n"
	)
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 1,
			Configure: func(_ int, cfg *agent.Config) {
				cfg.Trust, cfg.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix(proxy + "/32")}, true
				cfg.ConnectionsPerAddress = 2
			},
		})
		for i, q := range []struct {
			from, in string
			served   bool
		}{
			{other, get, true}, {other, get, true}, {other, get, false},
			{proxy, "PROXY TCP4 192.0.2.7 10.0.0.1 1 80\r\n" + get, true},
			{proxy, "PROXY TCP4 192.0.2.7 10.0.0.1 2 80\r\n" + get, true},
			{proxy, "PROXY TCP4 192.0.2.7 10.0.0.1 3 80\r\n" + get, false},
			{proxy, "PROXY TCP4 192.0.2.8 10.0.0.1 4 80\r\n" + get, true},
		} {
			conn, err := c.Net.Host(q.from).Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.WriteString(conn, q.in) // what is refused may be closed already
			head := make([]byte, len("HTTP/1.1 200"))
			if _, err := io.ReadFull(conn, head); (err == nil && string(head) == "HTTP/1.1 200") != q.served {
				t.Errorf("connection %d from %s: %q, %v; want it served: %v", i, q.from, head, err, q.served)
			}
		}
		n := c.Nodes[0].Describe(t)
		if n.Connections.Open != 5 || n.Connections.Limited["address"] != 2 || n.Connections.PerAddress != 2 {
			t.Errorf("%+v", n.Connections)
		}
	})
}
