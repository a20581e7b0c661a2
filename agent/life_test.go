package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/channel/registry"
)

// TestNameTaken holds that a second node of one name stops with a message that
// says what to do, and that the first does not notice.
func TestNameTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 3, Configure: func(i int, cfg *agent.Config) {
			cfg.Name = []string{"web1", "web2", "spare"}[i]
		}})
		c.WaitLinked(t)
		third := c.Nodes[2]
		if err := third.Stop(); err != nil {
			t.Fatal(err)
		}
		third.Rename("web2")
		err := third.Start()
		if err == nil { // it listens before it has met the others
			err = third.Wait()
		}
		if !errors.Is(err, registry.ErrNameTaken) || !strings.Contains(err.Error(), "--name") {
			t.Errorf("a second web2 ended with %v, want ErrNameTaken and the flag to change", err)
		}
		if status, _ := c.Nodes[1].Get(t, "/"); status != http.StatusOK {
			t.Errorf("the first web2 answers %d after that", status)
		}
	})
}

// TestKeyMismatch holds that a node with another gossip key stops and says why.
func TestKeyMismatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			cfg.Key = []byte("0123456789abcdef")
		}})
		c.WaitLinked(t)
		second := c.Nodes[1]
		if err := second.Stop(); err != nil {
			t.Fatal(err)
		}
		second.Rekey([]byte("fedcba9876543210"))
		err := second.Start()
		if err == nil {
			err = second.Wait()
		}
		if !errors.Is(err, registry.ErrKeyMismatch) {
			t.Errorf("a node with another key ended with %v, want ErrKeyMismatch", err)
		}
	})
}

// TestAlone holds that a node serves although its seed cannot be resolved, and
// says so.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1, Configure: func(i int, cfg *agent.Config) {
			cfg.Join = []string{"10.9.9.9:7946"}
		}})
		if status, body := c.Nodes[0].Get(t, "/"); status != http.StatusOK || body != "web1" {
			t.Errorf("got %d %q", status, body)
		}
		for _, check := range c.Nodes[0].Ready(t).Checks {
			if check.Name == "peers" && !strings.Contains(check.Detail, "seeds are joined again") {
				t.Errorf("readiness says of the peers only %q", check.Detail)
			}
		}
	})
}

// TestUpstreamDown holds that a node without its web server has peers answer,
// and its own again when it is back.
func TestUpstreamDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 3})
		c.WaitLinked(t)
		first := c.Nodes[0]
		if err := first.StopWeb(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if status, body := first.Get(t, "/"); status != http.StatusOK || body == "web1" {
				t.Errorf("got %d %q, want an answer of web2 or web3", status, body)
			}
		}
		if first.Describe(t).Upstream.Up {
			t.Error("the node says that its web server is up")
		}
		if !first.Ready(t).Ready {
			t.Error("the node is not ready, although its peers take its requests")
		}
		if err := first.StartWeb(); err != nil {
			t.Fatal(err)
		}
		agenttest.WaitFor(t, "the web server is found again", func() bool { return first.Describe(t).Upstream.Up })
		if _, body := first.Get(t, "/"); body != "web1" {
			t.Errorf("served by %q, want web1 itself", body)
		}
	})
}

// TestNobody holds that a request that nobody can serve is told so at once.
func TestNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1})
		if err := c.Nodes[0].StopWeb(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		status, body := c.Nodes[0].Get(t, "/")
		if status != http.StatusBadGateway || !strings.Contains(body, "cannot be reached") {
			t.Errorf("got %d %q", status, body)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if c.Nodes[0].Ready(t).Ready {
			t.Error("the node is ready")
		}
	})
}

// TestDrain holds that a node that stops finishes what it has, its own and its
// peers', and that peers are told before.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // of the node that stops
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Work: 2 * time.Second, Configure: func(i int, cfg *agent.Config) {
			cfg.SoftLimit = 1
			if i == 1 {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			}
		}})
		c.WaitLinked(t)
		first, second := c.Nodes[0], c.Nodes[1]
		answers := make(chan string, 2)
		for range 2 { // one is served here, one by the peer
			go func() {
				status, body := first.Get(t, "/")
				answers <- fmt.Sprint(status, " ", body)
			}()
			time.Sleep(100 * time.Millisecond)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- second.Stop() }()
		time.Sleep(200 * time.Millisecond)
		if d := first.Member(t, "web2"); !d.Draining {
			t.Errorf("the peer was not told of the drain: %+v", d)
		}
		got := map[string]bool{<-answers: true, <-answers: true}
		if !got["200 web1"] || !got["200 web2"] {
			t.Errorf("answers %v, want one of each server", got)
		}
		if err := <-stopped; err != nil {
			t.Errorf("the drained node ended with %v", err)
		}
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); !strings.Contains(lines[len(lines)-1], `msg="agent stopped" name=web2`) {
			t.Errorf("the last line of the log is %s", lines[len(lines)-1])
		}
		agenttest.WaitFor(t, "the node has left", func() bool { return first.Member(t, "web2").Status == "left" })
	})
}

// TestDrainAnswersLateHeads holds that a request whose head is not whole when the
// node begins to drain is answered, in both lanes, if there is time for it.
func TestDrainAnswersLateHeads(t *testing.T) {
	for rest, patience := range map[string]time.Duration{"\r\n": 10 * time.Second, "Te: trailers\r\n\r\n": 10 * time.Second, "": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := agenttest.Start(t, agenttest.Config{Nodes: 1, Configure: func(_ int, cfg *agent.Config) {
				cfg.DrainTimeout = patience
			}})
			conn, err := c.Net.Host("10.0.0.1").Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web1\r\n")
			time.Sleep(100 * time.Millisecond)
			began, stopped := time.Now(), make(chan error, 1)
			go func() { stopped <- c.Nodes[0].Stop() }()
			time.Sleep(100 * time.Millisecond)
			go io.WriteString(conn, rest)
			out, _ := io.ReadAll(conn)
			if answered := strings.HasPrefix(string(out), "HTTP/1.1 200") && strings.Contains(string(out), "Connection: close\r\n"); answered != (rest != "") {
				t.Errorf("after %q: %q", rest, out)
			}
			if err := <-stopped; err != nil || time.Since(began) > patience+time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	}
}

// TestDrainDelay holds that a node that is told to stop says so before it stops
// taking requests.
func TestDrainDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1, Configure: func(_ int, cfg *agent.Config) {
			cfg.DrainDelay = 2 * time.Second
		}})
		stopped := make(chan error, 1)
		go func() { stopped <- c.Nodes[0].Stop() }()
		time.Sleep(time.Second)
		if c.Nodes[0].Ready(t).Ready {
			t.Error("the node is ready while it drains")
		}
		if status, _ := c.Nodes[0].Get(t, "/"); status != http.StatusOK {
			t.Errorf("a request during the delay: status %d", status)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestTrust holds that X-Forwarded-For is continued for a trusted proxy and
// replaced for everybody else.
func TestTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan string, 1)
		c := agenttest.Start(t, agenttest.Config{
			Nodes: 2,
			Handler: func(int) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					seen <- strings.Join(r.Header["X-Forwarded-For"], ", ")
				})
			},
			Configure: func(i int, cfg *agent.Config) {
				if i == 0 {
					cfg.Trust = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
				}
			},
		})
		for i, want := range []string{"192.0.2.1, 10.0.0.1", "10.0.0.2"} {
			header := http.Header{"X-Forwarded-For": {"192.0.2.1"}}
			if err := c.Nodes[i].Send(http.MethodGet, "/", header); err != nil {
				t.Fatal(err)
			}
			if got := <-seen; got != want {
				t.Errorf("node %d sends X-Forwarded-For: %q, want %q", i, got, want)
			}
		}
	})
}

// TestPartition holds that two halves of a cluster that could not reach each
// other find together again by themselves.
func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 4})
		c.WaitLinked(t)
		c.Net.Partition([]string{"10.0.0.1", "10.0.0.2"}, []string{"10.0.0.3", "10.0.0.4"})
		agenttest.WaitFor(t, "each half is alone", func() bool {
			return len(c.Nodes[0].Peers(t)) == 1 && len(c.Nodes[3].Peers(t)) == 1
		})
		for _, n := range c.Nodes {
			getMany(t, n, 8)
		}
		time.Sleep(2 * time.Minute)
		c.Net.Heal()
		c.WaitLinked(t)
	})
}

// TestMalformed holds what a whole agent answers to requests that are none.
func TestMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1})
		tests := []struct {
			name, request, status string
		}{
			{"not HTTP", "hello\r\n\r\n", "400"},
			{"both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
			{"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
			{"a head too large", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431"},
			{"its own answer comes back", "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 kecho-web1, 1.1 kecho-web1\r\n\r\n", "508"},
			{"a tunnel", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "405"},
			{"nothing wrong", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
		}
		for _, tt := range tests {
			conn, err := c.Net.Host("10.0.0.1").Dial(t.Context(), "tcp", c.Nodes[0].At.HTTP)
			if err != nil {
				t.Fatal(err)
			}
			go io.WriteString(conn, tt.request)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+tt.status) {
				t.Errorf("%s: answer %q (%v), want status %s", tt.name, line, err, tt.status)
			}
			conn.Close()
		}
	})
}

// TestNeighbourTaken holds that who gave only --bind is told why its neighbour
// matters.
func TestNeighbourTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	bind := fmt.Sprintf("127.0.0.1:%d", taken.Addr().(*net.TCPAddr).Port-1)
	a, err := agent.New(agent.Config{
		Name: "web1", Upstream: "http://127.0.0.1:9", Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Bind: bind,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	if want := "--link (the port after --bind) " + taken.Addr().String() + ": another program listens there"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("with %s and its neighbour taken: %v, want %q", bind, err, want)
	}
}

// TestNoAdvertise holds that who binds every address, and has none that can be
// guessed to be the one for others, is told which flag says it.
func TestNoAdvertise(t *testing.T) {
	a, err := agent.New(agent.Config{
		Name: "web1", Upstream: "http://127.0.0.1:9", Insecure: true,
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Link: "127.0.0.1:0", Bind: "[::]:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	if want := "--bind [::]:0: say with --advertise which address the others reach"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

// TestAddressTaken holds that a taken address is named by its flag.
func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--listen", "--admin", "--link", "--bind"} {
		cfg := agent.Config{
			Name: "web1", Upstream: "http://127.0.0.1:9",
			Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Link: "127.0.0.1:0", Bind: "127.0.0.1:0",
		}
		*map[string]*string{"--listen": &cfg.Listen, "--admin": &cfg.Admin, "--link": &cfg.Link, "--bind": &cfg.Bind}[flag] = taken.Addr().String()
		a, err := agent.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = a.Run(context.Background())
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "gossip: "), flag+" ") {
			t.Errorf("%s taken: %v", flag, err)
		}
	}
}
