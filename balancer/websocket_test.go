package balancer

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveRaw(t, func(c net.Conn, head string) {
			if !strings.Contains(head, "Upgrade: websocket\r\n") || !strings.Contains(head, "Connection: Upgrade\r\n") ||
				!strings.Contains(head, "Sec-Websocket-Key: x\r\n") {
				t.Errorf("the upgrade arrived as %q", head)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\nwelcome")
			_, _ = io.Copy(c, c)
		})
		front, f := frontBefore(t, web)
		c, err := front.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		// What follows looks like a request with broken chunks: it must pass.
		const frames = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzzzzzzzzzzzzzzz"
		go func() {
			_, _ = io.WriteString(c, "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n"+frames)
		}()
		head := readHead(c)
		if !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") || !strings.Contains(head, "Upgrade: websocket\r\n") ||
			!strings.Contains(head, "Sec-Websocket-Accept: y\r\n") || !strings.Contains(head, "Via: 1.1 kecho-web1\r\n") {
			t.Errorf("the upgrade came back as %q", head)
		}
		got := make([]byte, len("welcome"+frames))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "welcome"+frames {
			t.Errorf("echo %q, %v", got, err)
		}
		for range 3 { // alone in its read too
			go func() { _, _ = io.WriteString(c, frames) }()
			if _, err := io.ReadFull(c, got[:len(frames)]); err != nil || string(got[:len(frames)]) != frames {
				t.Errorf("echo %q, %v", got[:len(frames)], err)
			}
		}
		_ = c.Close()
		synctest.Wait()
		if f.failed != nil {
			t.Errorf("a websocket that ended is an error: %v", f.failed)
		}
	})
}

func TestOnlyWebsocketUpgrades(t *testing.T) {
	for _, fields := range []string{
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"Connection: close\r\nUpgrade: websocket\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			heads := make(chan string, 1)
			front, _ := frontBefore(t, serveRaw(t, func(c net.Conn, head string) {
				heads <- head
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}))
			talk(t, front, "GET / HTTP/1.1\r\nHost: web\r\n"+fields+"\r\nx", 1000)
			if head := <-heads; strings.Contains(head, "pgrade") || strings.Contains(head, "ettings") {
				t.Errorf("%q arrived as %q", fields, head)
			}
		})
	}
}

// TestWebsocketsEnd: an open websocket is counted, may be quiet for any time,
// and ends with Run on both sides; none opens after.
func TestWebsocketsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		web := serveRaw(t, func(c net.Conn, _ string) {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			_, _ = io.Copy(c, c)
			ended.Store(true)
		})
		b, err := New(Config{Name: "web1", Upstream: "http://web", Dial: web.dial, Policy: defaults()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		front := serveHTTP(t, b)
		const ask = "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
		c, err := front.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() { _, _ = io.WriteString(c, ask) }()
		readHead(c)
		for range 2 {
			time.Sleep(time.Hour)
			go func() { _, _ = io.WriteString(c, "ping") }()
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Fatalf("after an hour: %v", err)
			}
		}
		if n := b.Stats().Websockets; n != 1 {
			t.Errorf("%d websockets are counted", n)
		}
		stop()
		if err := <-done; err != nil || b.Stats().Websockets != 0 {
			t.Errorf("Run ended with %v and %d websockets", err, b.Stats().Websockets)
		}
		synctest.Wait()
		if _, err := c.Read(make([]byte, 1)); err != io.EOF || !ended.Load() {
			t.Errorf("the client reads %v, the server has ended: %v", err, ended.Load())
		}
		if out := talk(t, front, ask, 1000); !strings.HasPrefix(out, "HTTP/1.1 503 ") {
			t.Errorf("after the end: %q", out)
		}
	})
}
