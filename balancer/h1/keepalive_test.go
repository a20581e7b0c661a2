package h1

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counting answers with head as long as the client asks.
func counting(head string) func(int, net.Conn) {
	return func(_ int, c net.Conn) {
		for readHead(c) != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"+head+"\r\nx")
		}
	}
}

// ways are Do and Exchange.
var ways = map[string]func(ctx context.Context, c *Client, method string) (body string, err error){
	"Do": func(ctx context.Context, c *Client, method string) (string, error) {
		_, body, err := read(ctx, c, get(method))
		return body, err
	},
	"Exchange": func(ctx context.Context, c *Client, method string) (string, error) {
		var x Exchange
		err := c.Exchange(ctx, &Raw{
			Method: method, Message: []byte(method + " / HTTP/1.1\r\nHost: web\r\n\r\n"),
			AnswerBy: time.Now().Add(time.Minute), Waiting: func() error { return nil },
		}, &x)
		if err != nil {
			return "", err
		}
		defer x.Close()
		body, err := io.ReadAll(&x)
		return string(body), err
	},
}

// TestKeepAlive: a connection is kept for as long, and for as many exchanges, as
// both sides like.
func TestKeepAlive(t *testing.T) {
	for name, c := range map[string]struct {
		head     string
		idle     time.Duration // of the configuration
		requests int           // of the configuration
		pause    time.Duration // between exchanges
		dials    int           // for 6 exchanges
	}{
		"kept":                        {"", 0, 0, 89 * time.Second, 1},
		"idle for too long":           {"", 0, 0, 90 * time.Second, 6},
		"configured":                  {"", 3 * time.Second, 0, 3 * time.Second, 6},
		"shorter than configured":     {"", 3 * time.Second, 0, 2900 * time.Millisecond, 1},
		"close":                       {"Connection: close\r\n", 0, 0, 0, 6},
		"three each":                  {"", 0, 3, 0, 2},
		"one each":                    {"", 0, 1, 0, 6},
		"the server's time":           {"Keep-Alive: timeout=5\r\n", 0, 0, 3900 * time.Millisecond, 1},
		"the server's time is over":   {"Keep-Alive: timeout=5\r\n", 0, 0, 4 * time.Second, 6},
		"a short time":                {"Keep-Alive: timeout=1\r\n", 0, 0, 400 * time.Millisecond, 1},
		"a short time that is over":   {"Keep-Alive: timeout=1\r\n", 0, 0, 500 * time.Millisecond, 6},
		"no time":                     {"Keep-Alive: timeout=0\r\n", 0, 0, 0, 6},
		"longer than configured":      {"Keep-Alive: timeout=500\r\n", 0, 0, 90 * time.Second, 6},
		"the server's number":         {"Keep-Alive: timeout=5, Max=0\r\n", 0, 0, 0, 6},
		"the server's further number": {"Keep-Alive: max=7\r\n", 0, 4, 0, 2},
		"quoted, after what is odd":   {"Keep-Alive: a, timeout, x=y,max=-1 , timeout = \"2\"\r\n", 0, 0, 1100 * time.Millisecond, 6},
		"nonsense":                    {"Keep-Alive: timeout=99999999999999999999, max=soon\r\n", 0, 0, 80 * time.Second, 1},
	} {
		both(t, name, func(t *testing.T, ask func(context.Context, *Client, string) (string, error)) {
			synctest.Test(t, func(t *testing.T) {
				client, s := newClient(t, counting(c.head))
				if c.idle > 0 {
					client.cfg.IdleTimeout = c.idle
				}
				client.cfg.Requests = c.requests
				for range 6 {
					if _, err := ask(t.Context(), client, "POST"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(c.pause)
				}
				if s.dials != c.dials {
					t.Errorf("%d dials, want %d", s.dials, c.dials)
				}
			})
		})
	}
}

// both runs test with each way.
func both(t *testing.T, name string, test func(t *testing.T, ask func(context.Context, *Client, string) (string, error))) {
	for way, ask := range ways {
		t.Run(name+", "+way, func(t *testing.T) { test(t, ask) })
	}
}

// TestReapByTheirTimes: each connection has a time of its own.
func TestReapByTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newClient(t, func(n int, c net.Conn) {
			time.Sleep(time.Second) // so that there are four at once
			counting(fmt.Sprintf("Keep-Alive: timeout=%d\r\n", 1+10*n))(n, c)
		})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _, _ = read(t.Context(), client, get("GET")) })
		}
		all.Wait()
		for left := 4; left >= 0; left-- {
			client.Reap()
			if n := len(client.idle); n != left {
				t.Errorf("%d are left, want %d", n, left)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// TestStaleOnes: however many idle connections turn out to be stale as they are
// used, an exchange is done a second time at most, and then on a new one; one of
// a POST not even that.
func TestStaleOnes(t *testing.T) {
	for method, want := range map[string]struct {
		reached int // requests that came to the server
		ok      bool
	}{"GET": {2, true}, "POST": {1, false}} {
		both(t, method, func(t *testing.T, ask func(context.Context, *Client, string) (string, error)) {
			synctest.Test(t, func(t *testing.T) { testStaleOnes(t, method, want.reached, want.ok, ask) })
		})
	}
}

func testStaleOnes(t *testing.T, method string, wanted int, ok bool, ask func(context.Context, *Client, string) (string, error)) {
	reached := 0
	client, s := newClient(t, func(n int, c net.Conn) {
		for i := 0; readHead(c) != ""; i++ {
			if i == 1 {
				reached++
				if n <= 3 {
					return // as the request comes
				}
			}
			if n > 3 && i == 0 {
				reached++
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
			time.Sleep(time.Second)
			_, _ = io.WriteString(c, "x")
		}
	})
	done := make(chan error, 3)
	for range 3 {
		go func() {
			_, _, err := read(t.Context(), client, get("GET"))
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if len(client.idle) != 3 || s.dials != 3 {
		t.Fatalf("%d idle connections of %d", len(client.idle), s.dials)
	}
	body, err := ask(t.Context(), client, method)
	if reached != wanted || (err == nil) != ok || ok && body != "x" {
		t.Errorf("%s came %d times: %q, %v", method, reached, body, err)
	}
	if !ok && !strings.Contains(err.Error(), "closed the connection without an answer") {
		t.Error(err)
	}
}
