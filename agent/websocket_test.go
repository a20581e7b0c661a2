package agent_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
)

// echoSocket is a web server that becomes a websocket and echoes.
func echoSocket(int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rest, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(conn, rest)
	})
}

// openSocket opens a websocket at the first node, for a client at host.
func openSocket(t *testing.T, c *agenttest.Cluster, host string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := c.Net.Host(host).Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	return conn, in
}

// TestDrainWaitsForWebsockets holds that a node that stops lets an open
// websocket finish, for the drain timeout at most.
func TestDrainWaitsForWebsockets(t *testing.T) {
	for _, lasts := range []time.Duration{3 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c := agenttest.Start(t, agenttest.Config{Nodes: 1, Handler: echoSocket, Configure: func(_ int, cfg *agent.Config) {
				cfg.DrainTimeout = 10 * time.Second
			}})
			conn, in := openSocket(t, c, "10.0.0.1")
			began, stopped := time.Now(), make(chan error, 1)
			go func() { stopped <- c.Nodes[0].Stop() }()
			time.Sleep(min(lasts, 9*time.Second))
			go io.WriteString(conn, "ping")
			if echo, err := in.Peek(4); string(echo) != "ping" {
				t.Errorf("while it drains: %q, %v", echo, err)
			}
			if lasts < 10*time.Second {
				conn.Close()
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			if took, want := time.Since(began), min(lasts, 10*time.Second); took < want || took > want+time.Second {
				t.Errorf("a websocket of %v: stopped after %v, want %v", lasts, took, want)
			}
		})
	}
}

// TestDrainWaitsForMovedWebsockets: a websocket at a peer is waited for by both
// agents, whichever stops, and both its ends see the end of the time that it has.
func TestDrainWaitsForMovedWebsockets(t *testing.T) {
	for stops := range 2 {
		synctest.Test(t, func(t *testing.T) {
			c := agenttest.Start(t, agenttest.Config{Nodes: 2, Handler: echoSocket, Configure: func(_ int, cfg *agent.Config) {
				cfg.DrainTimeout = 10 * time.Second
			}})
			c.WaitLinked(t)
			if err := c.Nodes[0].StopWeb(); err != nil {
				t.Fatal(err)
			}
			conn, in := openSocket(t, c, "10.0.0.9")
			began, stopped := time.Now(), make(chan error, 1)
			go func() { stopped <- c.Nodes[stops].Stop() }()
			time.Sleep(9 * time.Second)
			go io.WriteString(conn, "ping")
			if echo, err := in.Peek(4); string(echo) != "ping" {
				t.Errorf("while it drains: %q, %v", echo, err)
			}
			_, _ = in.Discard(4)
			if b, err := in.ReadByte(); err == nil {
				t.Errorf("read %q after the end", b)
			}
			if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
				t.Errorf("node %d stops, and it ended after %v, want 10 s", stops, took)
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}
