package fronts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// The kinds of stands.
const (
	Web          = "web"
	Relay        = "relay"
	Splice       = "splice"
	ReverseProxy = "reverseproxy"
)

// Stand is one process.
type Stand struct {
	Kind string
	// To is the host:port of the web server behind, for all but Web.
	To string
	// Size is how long the web server's answers are, but to /SIZE, which is as
	// long as it says.
	Size int
}

// Address is where a stand is, as it prints it.
type Address struct {
	At string `json:"at"`
}

// Serve runs the stand on a free port of loopback until ctx ends.
func Serve(ctx context.Context, s Stand, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(Address{l.Addr().String()}); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	switch s.Kind {
	case Web:
		err = accept(l, func(c net.Conn) { serveWeb(c, s.Size) })
	case Relay, Splice:
		err = accept(l, func(c net.Conn) { relay(c, s.To, s.Kind == Splice) })
	case ReverseProxy:
		err = serveReverseProxy(l, s.To)
	default:
		return fmt.Errorf("there is no stand %q: want %s, %s, %s or %s", s.Kind, Web, Relay, Splice, ReverseProxy)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func accept(l net.Listener, serve func(c net.Conn)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { // until its client goes, or the process ends
			defer c.Close()
			serve(c)
		}()
	}
}

// headEnd ends a head.
var headEnd = []byte("\r\n\r\n")

// serveWeb answers request after request.
func serveWeb(c net.Conn, size int) {
	usual := answer(size)
	buf, have := make([]byte, 16<<10), 0
	for {
		end := bytes.Index(buf[:have], headEnd)
		if end < 0 {
			n, err := c.Read(buf[have:])
			if err != nil || have+n == len(buf) {
				return
			}
			have += n
			continue
		}
		asked := target(buf[:end])
		have = copy(buf, buf[end+len(headEnd):have])
		if asked == 0 {
			if _, err := c.Write(usual); err != nil {
				return
			}
		} else if err := writeLong(c, asked); err != nil {
			return
		}
	}
}

// target is the length that a request asks for; 0: the usual one.
func target(head []byte) int64 {
	_, path, _ := bytes.Cut(head, []byte(" /"))
	path, _, _ = bytes.Cut(path, []byte(" "))
	n, err := strconv.ParseInt(string(path), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func answerHead(size int64) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", size)
}

func answer(size int) []byte {
	return append(answerHead(int64(size)), bytes.Repeat([]byte("x"), size)...)
}

// piece is how much of a long answer is written at a time.
const piece = 64 << 10

var pieceOfBody = bytes.Repeat([]byte("x"), piece)

func writeLong(c net.Conn, size int64) error {
	if _, err := c.Write(answerHead(size)); err != nil {
		return err
	}
	for size > 0 {
		n, err := c.Write(pieceOfBody[:min(size, piece)])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// relay copies bytes both ways.
func relay(c net.Conn, to string, splice bool) {
	web, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer web.Close()
	var up sync.WaitGroup
	up.Go(func() {
		_ = copyBytes(web, c, splice) // how it ends is of no interest
		_ = web.(*net.TCPConn).CloseWrite()
	})
	_ = copyBytes(c, web, splice)
	_ = c.Close() // which ends the other way
	up.Wait()
}

// copyBytes reads and writes, or has the kernel do it.
func copyBytes(to io.Writer, from io.Reader, splice bool) error {
	if splice {
		_, err := io.Copy(to, from)
		return err
	}
	buf := make([]byte, 32<<10)
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf)
	return err
}

// errAnswer says that an answer is not the one that was to come.
var errAnswer = errors.New("an answer that is not the web server's")
