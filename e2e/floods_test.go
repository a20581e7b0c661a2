package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lanes are the flags that have an agent serve by one lane and by the other.
var lanes = map[string]string{"fast": "--fast-lane=on", "net/http": "--fast-lane=off"}

// plain is a web server for raw clients: /wait answers when its client is gone,
// /large has 8 MiB.
func plain(t *testing.T, m machine) {
	t.Helper()
	l, err := net.Listen("tcp", m.addr("9100"))
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		case "/large":
			_, _ = w.Write(make([]byte, 8<<20))
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "fine")
		}
	})}
	go func() {
		if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { _ = web.Close() })
}

// rawClient is one connection to a front, from an address.
type rawClient struct {
	*net.TCPConn
	in *bufio.Reader
}

func dialRaw(n *node, from string) (*rawClient, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", n.addr(frontPort))
	if err != nil {
		return nil, err
	}
	return &rawClient{c.(*net.TCPConn), bufio.NewReader(c)}, nil
}

// get is one request on the connection, which is kept.
func (c *rawClient) get(path string) error {
	_ = c.SetDeadline(time.Now().Add(settlePatience))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: web\r\n\r\n", path); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || string(body) != "fine") {
		err = fmt.Errorf("%s, %q", res.Status, body)
	}
	return err
}

// TestConnectionFloods: silent, slow and stalled clients from many addresses
// fill the front many times over; who is served does not notice, and who comes
// anew is served too.
func TestConnectionFloods(t *testing.T) {
	for name, flag := range lanes {
		t.Run(name, func(t *testing.T) {
			m := loopback()
			plain(t, m)
			n := newNode(t, m, "web1")
			n.upstream = n.url("9100")
			n.start(t, flag, "--connections", "100", "--connections-per-address", "30")
			n.ready(t)
			flood(t, n)
			if open := n.metric(t, "kecho_client_connections", ""); open > 100 {
				t.Errorf("%v connections are open, of 100", open)
			}
			for _, reason := range []string{"address", "room"} {
				if n.metric(t, "kecho_client_connections_limited_total", fmt.Sprintf("reason=%q", reason)) == 0 {
					t.Errorf("the limit %s was not met", reason)
				}
			}
		})
	}
}

// flood has one client ask all the while, on one connection.
func flood(t *testing.T, n *node) {
	steady, err := dialRaw(n, "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var asked sync.WaitGroup
	served := 0
	asked.Go(func() {
		for !over.Load() {
			if err := steady.get("/steady"); err != nil {
				t.Errorf("a client that is served, after %d requests: %v", served, err)
				return
			}
			served++
		}
	})
	says := []string{"", "G", "GET / HTTP/1.1\r\nHost: w"}
	reader, err := dialRaw(n, "127.0.1.1") // it has a place all the while
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(reader, "GET /large HTTP/1.1\r\nHost: web\r\n\r\n")
	all := []*rawClient{reader}
	for range 20 { // as many are busy for 15 s
		c, err := dialRaw(n, "127.0.1.9")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 9\r\n\r\nb")
	}
	for i := range 300 {
		c, err := dialRaw(n, fmt.Sprintf("127.0.1.%d", 1+i%2*(i%7)))
		if err != nil {
			continue // it was reset already
		}
		all = append(all, c)
		_, _ = io.WriteString(c, says[i%len(says)]) // it may be refused
		if i%50 == 49 {
			anew, err := dialRaw(n, "127.0.0.3")
			if err == nil {
				err = anew.get("/anew")
				_ = anew.Close()
			}
			if err != nil {
				t.Errorf("a client that comes after %d others: %v", i, err)
			}
		}
	}
	over.Store(true)
	asked.Wait()
	if served < 10 {
		t.Errorf("%d requests were served meanwhile", served)
	}
	for _, c := range all {
		_ = c.Close()
	}
}

// TestClientsThatReset: whether a client goes with a FIN or a RST, at whatever
// moment, nothing of it is left, and the log says next to nothing.
func TestClientsThatReset(t *testing.T) {
	for name, flag := range lanes {
		t.Run(name, func(t *testing.T) {
			m := loopback()
			plain(t, m)
			n := newNode(t, m, "web1")
			n.upstream = n.url("9100")
			n.start(t, flag)
			n.ready(t)
			before := n.metric(t, "go_goroutines", "")
			lines := strings.Count(n.agent.out.String(), "\n")
			for _, says := range []string{
				"", "GET /wa", "GET /wait HTTP/1.1\r\nHost: w",
				"GET /wait HTTP/1.1\r\nHost: web\r\n\r\n",
				"POST /wait HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbo",
				"POST /wait HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbody",
				"POST /wait HTTP/1.1\r\nHost: web\r\nContent-Length: 2000000\r\n\r\n" + strings.Repeat("b", 1_000_000),
				"POST /wait HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo",
				"POST /wait HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nA: ",
				"GET /large HTTP/1.1\r\nHost: web\r\n\r\n",
				"GET /fine HTTP/1.1\r\nHost: web\r\n\r\nGET /wait HTTP/1.1\r\nHost: web\r\n\r\n",
			} {
				for _, linger := range []int{-1, 0} {
					goAway(t, n, says, linger)
				}
			}
			eventually(t, settlePatience, "nothing is left of those that went", func() error {
				open, flying := n.metric(t, "kecho_client_connections", ""), n.metric(t, "kecho_in_flight", "")
				if now := n.metric(t, "go_goroutines", ""); open > 0 || flying > 0 || now > before+8 {
					return fmt.Errorf("%v connections, %v requests, %v goroutines; before there were %v", open, flying, now, before)
				}
				return nil
			})
			if more := strings.Count(n.agent.out.String(), "\n") - lines; more > 22 {
				t.Errorf("22 clients that went had %d lines logged:\n%s", more, n.agent.out.tail(more))
			}
			c, err := dialRaw(n, "127.0.0.2")
			if err == nil {
				err = c.get("/next")
				_ = c.Close()
			}
			if err != nil {
				t.Errorf("the next client: %v", err)
			}
		})
	}
}

// goAway has a client say something and go: with a RST where linger is 0.
func goAway(t *testing.T, n *node, says string, linger int) {
	t.Helper()
	c, err := dialRaw(n, "127.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetWriteDeadline(time.Now().Add(settlePatience))
	if _, err := io.WriteString(c, says); err != nil {
		t.Errorf("write %.40q: %v", says, err)
	}
	if strings.Contains(says, "/large") {
		_, _ = io.ReadFull(c, make([]byte, 1000))
	}
	if strings.HasPrefix(says, "GET /wait HTTP/1.1\r\nHost: web\r\n\r\n") {
		eventually(t, startPatience, "the request is at the web server", func() error {
			if n.metric(t, "kecho_in_flight", "") == 0 {
				return errors.New("it is not")
			}
			return nil
		})
	}
	_ = c.SetLinger(linger)
	_ = c.Close()
}
