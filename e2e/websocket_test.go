package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// socket is a websocket's bytes at one end.
type socket struct {
	*net.TCPConn
	in *bufio.Reader
}

// expect reads exactly text.
func (s *socket) expect(t *testing.T, text string) {
	t.Helper()
	s.patience()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(s.in, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got[:n], err, text)
	}
}

// end is what a read says at the end.
func (s *socket) end(t *testing.T) error {
	t.Helper()
	s.patience()
	switch b, err := s.in.ReadByte(); {
	case err == nil:
		t.Fatalf("read %q", b)
		return nil
	default:
		return err
	}
}

func (s *socket) patience() { _ = s.SetReadDeadline(time.Now().Add(startPatience)) }

// reset closes the connection as a program that dies does.
func (s *socket) reset() {
	_ = s.SetLinger(0)
	_ = s.Close()
}

// openWebsocket is both ends of a websocket through the agent at front to the
// web server at l.
func openWebsocket(t *testing.T, front string, l net.Listener) (client, server *socket) {
	t.Helper()
	conn, err := net.Dial("tcp", front)
	if err != nil {
		t.Fatal(err)
	}
	client = &socket{conn.(*net.TCPConn), bufio.NewReader(conn)}
	t.Cleanup(func() { client.Close() })
	client.patience()
	_, _ = io.WriteString(conn, "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	for server == nil { // others are the agent's looks at its web server
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		if r, err := http.ReadRequest(in); err == nil && r.Header.Get("Upgrade") == "websocket" {
			server = &socket{conn.(*net.TCPConn), in}
			t.Cleanup(func() { conn.Close() })
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n")
		} else {
			conn.Close()
		}
	}
	res, err := http.ReadResponse(client.in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-Websocket-Accept") != "y" {
		t.Fatalf("%v, %v", res, err)
	}
	return client, server
}

// TestWebsockets: what either end of a websocket does the other one sees, here
// and through a peer: bytes, the end of one direction, a reset, and an agent that
// dies.
func TestWebsockets(t *testing.T) {
	l := listen(t)
	fronts, nodes := pair(t, "http://"+l.Addr().String())
	for where, front := range fronts {
		t.Run(where, func(t *testing.T) {
			client, server := openWebsocket(t, front, l)
			for range 3 {
				_, _ = io.WriteString(client, "ping")
				server.expect(t, "ping")
				_, _ = io.WriteString(server, strings.Repeat("pong", 1<<16))
				client.expect(t, strings.Repeat("pong", 1<<16))
			}
			_ = client.CloseWrite()
			if err := server.end(t); err != io.EOF {
				t.Errorf("after the client's end: %v", err)
			}
			_, _ = io.WriteString(server, "bye")
			_ = server.Close()
			client.expect(t, "bye")
			if err := client.end(t); err != io.EOF {
				t.Errorf("after the web server's end: %v", err)
			}

			client, server = openWebsocket(t, front, l)
			server.reset()
			if err := client.end(t); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after the web server's reset: %v", err)
			}
			client, server = openWebsocket(t, front, l)
			client.reset()
			if err := server.end(t); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after the client's reset: %v", err)
			}
		})
	}
	for _, n := range nodes {
		eventually(t, settlePatience, n.name+" holds nothing", func() error {
			if running := n.metric(t, "kecho_in_flight", ""); running != 0 {
				return errors.New("requests are in flight")
			}
			return nil
		})
	}
	_, server := openWebsocket(t, fronts["at a peer"], l)
	nodes[0].agent.kill()
	if err := server.end(t); err == nil {
		t.Error("the web server's end goes on although its client's agent died")
	}
}
