package h1

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// server is a web server that says byte by byte what a test wants: serve has
// each connection in turn, and what it leaves open is closed.
type server struct {
	mu    sync.Mutex
	dials int
	serve func(n int, c net.Conn)
	wg    sync.WaitGroup
}

func (s *server) dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	n := s.dials
	s.wg.Go(func() {
		defer far.Close()
		s.serve(n, far)
	})
	return near, nil
}

// newClient has serve answer until the test ends.
func newClient(t *testing.T, serve func(n int, c net.Conn)) (*Client, *server) {
	t.Helper()
	s := &server{serve: serve}
	c := New(Config{Dial: s.dial, Idle: 4})
	t.Cleanup(func() {
		c.CloseIdle()
		s.wg.Wait()
	})
	return c, s
}

// listen is how to dial a server on a real socket, whose connections serve has
// as those of newClient.
func listen(t *testing.T, serve func(n int, c net.Conn)) func(context.Context) (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(n, c)
			}()
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

// says answers each request on a connection with the same bytes, and then
// closes it if they do not say otherwise.
func says(answer string) func(int, net.Conn) {
	return func(_ int, c net.Conn) {
		for readHead(c) != "" {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
			if strings.Contains(answer, "\nX: ends") {
				return
			}
		}
	}
}

// readHead reads byte by byte up to an empty line.
func readHead(c io.Reader) string {
	var head strings.Builder
	b := make([]byte, 1)
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		if _, err := c.Read(b); err != nil {
			return ""
		}
		head.Write(b)
	}
	return head.String()
}

// fill has c use n connections at once, and keep those that it may when their
// answers have been read, that long apart.
func fill(t *testing.T, c *Client, n int, apart time.Duration) {
	t.Helper()
	var open []*http.Response
	for range n {
		res, err := c.Do(t.Context(), get("GET"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, res)
	}
	for _, res := range open {
		_, _ = io.ReadAll(res.Body)
		_ = res.Body.Close()
		time.Sleep(apart)
	}
}

func get(method string) *Request {
	return &Request{Method: method, Target: "/a?b", Host: "web", Header: http.Header{"X-A": {"1", "2"}}}
}

// read is the whole answer, or why there is none.
func read(ctx context.Context, c *Client, r *Request) (*http.Response, string, error) {
	res, err := c.Do(ctx, r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

// TestAnswers: what comes of an answer, and whether its connection is used
// again.
func TestAnswers(t *testing.T) {
	for name, a := range map[string]struct {
		method, in string
		status     int
		body       string
		err        error
		kept       bool
	}{
		"sized":              {in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", kept: true},
		"empty":              {in: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, kept: true},
		"chunked":            {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", status: 200, body: "hello!", kept: true},
		"padded chunk":       {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0\r\n\r\n", status: 200, body: "hello", kept: true},
		"no reason":          {in: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200, kept: true},
		"bare LF":            {in: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", status: 200, body: "ok", kept: true},
		"until the end":      {in: "HTTP/1.1 200 OK\r\nX: ends\r\n\r\nhello", status: 200, body: "hello"},
		"old":                {in: "HTTP/1.0 200 OK\r\nX: ends\r\n\r\nhello", status: 200, body: "hello"},
		"old and kept":       {in: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x", kept: true},
		"close":              {in: "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x"},
		"HEAD":               {method: "HEAD", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", status: 200, kept: true},
		"204":                {in: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, kept: true},
		"304 with a length":  {in: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", status: 304, kept: true},
		"same length twice":  {in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x", kept: true},
		"early":              {in: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", status: 200, body: "x", kept: true},
		"more than its body": {in: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n", status: 200, body: "x"},

		"garbage":             {in: "\x00\x01 hello\r\n\r\n", err: ErrMalformed},
		"another version":     {in: "HTTP/2.0 200 OK\r\n\r\n", err: ErrMalformed},
		"no number":           {in: "HTTP/1.1 2x0 OK\r\n\r\n", err: ErrMalformed},
		"status 099":          {in: "HTTP/1.1 099 OK\r\n\r\n", err: ErrMalformed},
		"no colon":            {in: "HTTP/1.1 200 OK\r\nhello\r\n\r\n", err: ErrMalformed},
		"space before colon":  {in: "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", err: ErrMalformed},
		"folded":              {in: "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", err: ErrMalformed},
		"CR in a value":       {in: "HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n", err: ErrMalformed},
		"NUL in a value":      {in: "HTTP/1.1 200 OK\r\nX: y\x00z\r\n\r\n", err: ErrMalformed},
		"both lengths":        {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", err: ErrMalformed},
		"two lengths":         {in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", err: ErrMalformed},
		"signed length":       {in: "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", err: ErrMalformed},
		"length of 19 digits": {in: "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n", err: ErrMalformed},
		"other coding":        {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", err: ErrMalformed},
		"old and chunked":     {in: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", err: ErrMalformed},
		"head without end":    {in: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", maxHead) + "\r\n\r\n", err: ErrMalformed},
		"100 for ever":        {in: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), err: ErrMalformed},

		"short":            {in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: ends\r\n\r\nhell", status: 200, body: "hell", err: io.ErrUnexpectedEOF},
		"short chunk":      {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: ends\r\n\r\n5\r\nhell", status: 200, body: "hell", err: io.ErrUnexpectedEOF},
		"no last chunk":    {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: ends\r\n\r\n5\r\nhello\r\n", status: 200, body: "hello", err: io.ErrUnexpectedEOF},
		"chunk too long":   {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n", status: 200, body: "h", err: ErrMalformed},
		"no chunk size":    {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", status: 200, err: ErrMalformed},
		"chunk size over":  {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n", status: 200, err: ErrMalformed},
		"endless size":     {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 8000), status: 200, err: ErrMalformed},
		"LF after a chunk": {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nh\r\n0\r\n\r\n", status: 200, err: ErrMalformed},
		"bad trailer":      {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx y\r\n\r\n", status: 200, err: ErrMalformed},
		"endless trailer":  {in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + strings.Repeat("y", maxTrailer) + "\r\n\r\n", status: 200, err: ErrMalformed},
	} {
		for by, read := range readers {
			t.Run(name+" by "+by, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := newClient(t, says(a.in))
					for range 2 {
						res, body, err := read(t.Context(), c, get(cmp.Or(a.method, "GET")))
						if !errors.Is(err, a.err) || body != a.body || res != nil && res.StatusCode != a.status || (res == nil) != (a.status == 0) {
							t.Errorf("%v, body %q, error %v", res, body, err)
						}
					}
					if kept := s.dials == 1; kept != a.kept {
						t.Errorf("%d connections for two requests", s.dials)
					}
				})
			})
		}
	}
}

// TestRequests: what a server is sent, byte by byte.
func TestRequests(t *testing.T) {
	for name, r := range map[string]struct {
		request Request
		want    string
	}{
		"GET":     {Request{Method: "GET", Target: "/%zz?a;b", Host: "web:1"}, "GET /%zz?a;b HTTP/1.1\r\nHost: web:1\r\n\r\n"},
		"no body": {Request{Method: "POST", Target: "/"}, "POST / HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n"},
		"in memory": {
			Request{Method: "PUT", Target: "/", Host: "w", Body: bytes.NewReader([]byte("hello")), Length: 5},
			"PUT / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhello",
		},
		"sized": {
			Request{Method: "PUT", Target: "/", Host: "w", Body: strings.NewReader("hello, and more"), Length: 5},
			"PUT / HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhello",
		},
		"chunked with trailers": {
			Request{Method: "POST", Target: "/", Host: "w", Body: io.MultiReader(strings.NewReader("hello"), strings.NewReader("!")), Length: -1, Trailer: http.Header{"X-Sum": {"6"}}},
			"POST / HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 6\r\n\r\n",
		},
		"what frames is ours": {
			Request{Method: "GET", Target: "/", Host: "w", Header: http.Header{"Host": {"x"}, "Content-Length": {"9"}, "Transfer-Encoding": {"chunked"}}},
			"GET / HTTP/1.1\r\nHost: w\r\n\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []byte
				c, _ := newClient(t, func(_ int, c net.Conn) {
					got = make([]byte, len(r.want))
					_, _ = io.ReadFull(c, got)
					_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
					if n, _ := c.Read(make([]byte, 1)); n > 0 {
						t.Error("more than the request came")
					}
				})
				if _, _, err := read(t.Context(), c, &r.request); err != nil || string(got) != r.want {
					t.Errorf("%q, %v; want %q", got, err, r.want)
				}
			})
		})
	}
}

// TestInvalidRequests: nothing is dialled for what would be another message.
func TestInvalidRequests(t *testing.T) {
	c, s := newClient(t, says(""))
	for name, spoil := range map[string]func(*Request){
		"method": func(r *Request) { r.Method = "GET /x" }, "no method": func(r *Request) { r.Method = "" },
		"target": func(r *Request) { r.Target = "/ HTTP/1.1\r\nX: y" }, "no target": func(r *Request) { r.Target = "" },
		"host": func(r *Request) { r.Host = "a\r\nb" }, "name": func(r *Request) { r.Header = http.Header{"A:": {"b"}} },
		"value":   func(r *Request) { r.Header = http.Header{"A": {"b\nc"}} },
		"trailer": func(r *Request) { r.Trailer = http.Header{"A": nil} },
	} {
		r := get("GET")
		spoil(r)
		if _, err := c.Do(t.Context(), r); !errors.Is(err, ErrInvalid) || s.dials > 0 {
			t.Errorf("%s: %v, %d dials", name, err, s.dials)
		}
	}
}

// TestEarlyAnswer: an answer that comes before the request's body has gone is
// whole, and ends the sending.
func TestEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newClient(t, func(_ int, c net.Conn) {
			readHead(c)
			_, _ = io.WriteString(c, "HTTP/1.1 413 No\r\nContent-Length: 1\r\n\r\nx")
			_, _ = io.Copy(io.Discard, c)
		})
		body, feed := io.Pipe()
		defer feed.Close()
		r := get("POST")
		r.Body, r.Length = body, 1<<30
		res, text, err := read(t.Context(), c, r)
		if err != nil || res.StatusCode != 413 || text != "x" {
			t.Errorf("%v, %q, %v", res, text, err)
		}
		if s.wg.Wait(); len(c.idle) > 0 {
			t.Error("the connection of half a request is kept")
		}
	})
}

// TestBrokenBody: a server never takes a body that broke off for a whole one.
func TestBrokenBody(t *testing.T) {
	for _, length := range []int64{-1, 10} {
		synctest.Test(t, func(t *testing.T) {
			var got []byte
			c, s := newClient(t, func(_ int, c net.Conn) { got, _ = io.ReadAll(c) })
			r := get("POST")
			r.Body, r.Length = io.MultiReader(strings.NewReader("hello"), brokenReader{}), length
			_, err := c.Do(t.Context(), r)
			s.wg.Wait()
			if !errors.Is(err, errGone) || !bytes.Contains(got, []byte("hello")) || bytes.HasSuffix(got, []byte("0\r\n\r\n")) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errGone }

// TestContinue: a body waits for the server's word, or a second, and is not
// sent to a server that answers at once.
func TestContinue(t *testing.T) {
	for name, w := range map[string]struct {
		first string
		after time.Duration
		sent  bool
	}{
		"asked for": {first: "HTTP/1.1 100 Continue\r\n\r\n", sent: true},
		"silence":   {after: time.Second, sent: true},
		"refused":   {first: "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, sent := time.Now(), false
				c, _ := newClient(t, func(_ int, c net.Conn) {
					readHead(c)
					_, _ = io.WriteString(c, w.first)
					_, err := io.ReadFull(c, make([]byte, 5))
					if sent = err == nil; sent && time.Since(start) != w.after {
						t.Errorf("the body came after %v", time.Since(start))
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				})
				r := get("POST")
				r.Header["Expect"] = []string{"100-continue"}
				r.Body, r.Length = bytes.NewReader([]byte("hello")), 5
				_, _, err := read(t.Context(), c, r)
				if synctest.Wait(); err != nil || sent != w.sent {
					t.Errorf("sent %v, %v", sent, err)
				}
			})
		})
	}
}

// TestUpgrade: the body of a 101 is the connection.
func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, func(_ int, c net.Conn) {
			readHead(c)
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhi")
			_, _ = io.Copy(c, c)
		})
		res, err := c.Do(t.Context(), get("GET"))
		if err != nil || res.StatusCode != 101 {
			t.Fatal(res, err)
		}
		both := res.Body.(io.ReadWriteCloser)
		got := make([]byte, 2)
		if _, err := io.ReadFull(both, got); err != nil || string(got) != "hi" {
			t.Errorf("%q, %v", got, err)
		}
		_, _ = io.WriteString(both, "ho")
		if _, err := io.ReadFull(both, got); err != nil || string(got) != "ho" {
			t.Errorf("%q, %v", got, err)
		}
		_ = both.Close()
	})
}

// TestTrailers of an answer: announced or not, but none that frames.
func TestTrailers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, Content-Length\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\nContent-Length: 9\r\n\r\n"))
		res, err := c.Do(t.Context(), get("GET"))
		if err != nil || len(res.Trailer) != 1 || res.Header["Trailer"] != nil {
			t.Fatal(res, err)
		}
		_, err = io.ReadAll(res.Body)
		if err != nil || len(res.Trailer) != 2 || res.Trailer.Get("X-Sum") != "1" || res.Trailer.Get("X-More") != "2" {
			t.Errorf("%v, %v", res.Trailer, err)
		}
		_ = res.Body.Close()
	})
}
