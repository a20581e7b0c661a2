package h1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// canned is a connection on which an answer waits.
type canned struct{ *bytes.Reader }

func (canned) Write(p []byte) (int, error)      { return len(p), nil }
func (canned) Close() error                     { return nil }
func (canned) LocalAddr() net.Addr              { return nil }
func (canned) RemoteAddr() net.Addr             { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzAnswer: whatever a server says, an answer that is taken for whole is the
// one that net/http reads, too.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nhello",
		"HTTP/1.1 204 No\nX: y\n\n",
		"HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c := New(Config{Dial: func(context.Context) (net.Conn, error) {
			return canned{bytes.NewReader([]byte(in))}, nil
		}})
		res, body, err := read(t.Context(), c, get("GET"))
		if raw, text, rawErr := readRaw(t.Context(), c, get("GET")); (err == nil) != (rawErr == nil) || err == nil && (raw.StatusCode != res.StatusCode || text != body) {
			t.Fatalf("Do: %v %q %v, Exchange: %v %q %v", res, body, err, raw, text, rawErr)
		}
		if err != nil || res.StatusCode == 101 {
			return
		}
		from := bufio.NewReader(strings.NewReader(in))
		for {
			theirs, err := http.ReadResponse(from, nil)
			if err != nil {
				t.Fatalf("we read %d %q, net/http: %v", res.StatusCode, body, err)
			}
			if theirs.StatusCode < 200 {
				continue
			}
			text, err := io.ReadAll(theirs.Body)
			if theirs.StatusCode != res.StatusCode || string(text) != body || err != nil {
				t.Fatalf("we read %d %q, net/http %d %q, %v", res.StatusCode, body, theirs.StatusCode, text, err)
			}
			return
		}
	})
}
