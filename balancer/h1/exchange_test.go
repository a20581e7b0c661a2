package h1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// rawOf is r as it is sent, with half a minute for the head of its answer.
func rawOf(r *Request) *Raw {
	text := r.appendHead(nil)
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		text = append(text, body...)
	}
	return &Raw{
		Method: r.Method, Message: text, Body: r.hasBody(), AnswerBy: time.Now().Add(30 * time.Second),
		Waiting: func() error { return nil },
	}
}

// readRaw is read by an Exchange.
func readRaw(ctx context.Context, c *Client, r *Request) (*http.Response, string, error) {
	x := new(Exchange)
	if err := c.Exchange(ctx, rawOf(r), x); err != nil {
		return nil, "", err
	}
	defer x.Close()
	res := &http.Response{StatusCode: x.Status(), Header: make(http.Header), ContentLength: x.Length()}
	for i := range x.Fields() {
		name, value := x.Field(i)
		res.Header.Add(string(name), string(value))
	}
	if !x.HasBody() {
		return res, "", nil
	}
	text, err := io.ReadAll(x)
	res.Trailer = x.Trailer()
	return res, string(text), err
}

// readResponse is read by an Exchange's Response, with a Nudge that does nothing.
func readResponse(ctx context.Context, c *Client, r *Request) (*http.Response, string, error) {
	x, raw := new(Exchange), rawOf(r)
	raw.Nudge = new(Nudge)
	if err := c.Exchange(ctx, raw, x); err != nil {
		return nil, "", err
	}
	res := x.Response()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

// readers are the ways to an answer.
var readers = map[string]func(context.Context, *Client, *Request) (*http.Response, string, error){
	"Do": read, "Exchange": readRaw, "Response": readResponse,
}

// TestNudge: an exchange that is nudged asks at once whether to go on, before it
// waits, while it does, and in the body; and who has the connection next waits as
// long as ever.
func TestNudge(t *testing.T) {
	gone := errors.New("gone")
	for name, when := range map[string]time.Duration{"before": -1, "head": 1500 * time.Millisecond, "body": 3500 * time.Millisecond, "after": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newClient(t, func(_ int, c net.Conn) {
					for readHead(c) != "" {
						time.Sleep(3 * time.Second)
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
						time.Sleep(3 * time.Second)
						_, _ = io.WriteString(c, "x")
					}
				})
				for range 2 {
					r, began := rawOf(get("GET")), time.Now()
					r.Nudge = new(Nudge)
					at := began.Add(when)
					r.Waiting = func() error {
						if late := time.Since(at); late >= 0 && (when < 0 || late < time.Millisecond) {
							return gone
						}
						return nil
					}
					if when < 0 {
						r.Nudge.Now()
					} else {
						time.AfterFunc(when, r.Nudge.Now)
					}
					x := new(Exchange)
					err := c.Exchange(t.Context(), r, x)
					if err == nil {
						_, err = io.ReadAll(x)
						x.Close()
					}
					if when == time.Minute {
						if err != nil || time.Since(began) != 6*time.Second {
							t.Errorf("%v after %v", err, time.Since(began))
						}
						r.Nudge.Now()
					} else if !errors.Is(err, gone) || time.Since(began) != max(when, 0) {
						t.Errorf("%v after %v, want %v", err, time.Since(began), gone)
					}
				}
				if _, text, err := read(t.Context(), c, get("GET")); text != "x" || err != nil {
					t.Errorf("after that %q, %v", text, err)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestAskLate: a request whose read deadline was over before it was sent, as on a
// machine that stood still meanwhile, is sent all the same while somebody waits.
func TestAskLate(t *testing.T) {
	c := New(Config{Dial: listen(t, says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))})
	defer c.CloseIdle()
	asked := 0
	for i := range 3 { // the first is not sent by ask
		r := rawOf(get("POST"))
		r.AnswerBy = time.Now().Add(10 * time.Second)
		r.Nudge, r.Waiting = new(Nudge), func() error { asked++; return nil }
		r.Nudge.Now()
		x := new(Exchange)
		if err := c.Exchange(t.Context(), r, x); err != nil {
			t.Fatalf("exchange %d: %v", i, err)
		}
		if text, err := io.ReadAll(x); string(text) != "x" || err != nil {
			t.Errorf("exchange %d: %q, %v", i, text, err)
		}
		x.Close()
	}
	if asked < 3 {
		t.Errorf("asked %d times whether to go on, want 3 at least", asked)
	}
}

// TestWaiting: while nothing comes its caller is asked, and may end it; what
// comes in time is an answer, and its deadline none for who has the connection
// next.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var after atomic.Int64
		after.Store(int64(time.Minute))
		c, s := newClient(t, func(_ int, c net.Conn) {
			for readHead(c) != "" {
				time.Sleep(time.Duration(after.Load()))
				if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"); err != nil {
					return
				}
				time.Sleep(time.Second)
				_, _ = io.WriteString(c, "x")
			}
		})
		r, x, start, asked := rawOf(get("GET")), new(Exchange), time.Now(), 0
		if err := c.Exchange(t.Context(), r, x); !errors.Is(err, ErrTimeout) || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		gone := errors.New("gone")
		r = rawOf(get("GET"))
		r.Waiting = func() error {
			if asked++; asked == 5 {
				return gone
			}
			return nil
		}
		start = time.Now()
		if err := c.Exchange(t.Context(), r, x); !errors.Is(err, gone) || time.Since(start) != 5*lookEvery {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		after.Store(int64(time.Second))
		for i := range 20 {
			_, body, err := map[bool]func(context.Context, *Client, *Request) (*http.Response, string, error){true: read, false: readRaw}[i%3 == 0](t.Context(), c, get("GET"))
			if body != "x" || err != nil {
				t.Errorf("%d: %q, %v", i, body, err)
			}
			time.Sleep(time.Duration(i) * 40 * time.Millisecond)
		}
		if s.dials != 3 {
			t.Errorf("%d dials, want one for each that failed and one more", s.dials)
		}
	})
}

// TestSoon: who wants to be asked early is, once.
func TestSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(t, func(_ int, c net.Conn) {
			readHead(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			time.Sleep(150 * time.Millisecond)
			_, _ = io.WriteString(c, "x")
		})
		var asked []time.Duration
		start := time.Now()
		r, x := rawOf(get("GET")), new(Exchange)
		r.Waiting = func() error { asked = append(asked, time.Since(start)); return nil }
		if err := c.Exchange(t.Context(), r, x); err != nil {
			t.Fatal(err)
		}
		x.Soon(time.Millisecond)
		if body, err := io.ReadAll(x); string(body) != "x" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
		x.Close()
		if len(asked) != 2 || asked[0] != time.Millisecond || asked[1] != time.Millisecond+lookEvery {
			t.Errorf("asked after %v", asked)
		}
	})
}

// endless is a server's connection that answers what is written to it.
type endless struct {
	canned
	answer []byte
	from   *bytes.Reader
}

func (c *endless) Read(p []byte) (int, error) { return c.from.Read(p) }
func (c *endless) Write(p []byte) (int, error) {
	c.from.Reset(c.answer)
	return len(p), nil
}

// TestExchangeAllocates holds that nothing is allocated for an exchange.
func TestExchangeAllocates(t *testing.T) {
	conn := &endless{answer: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"), from: new(bytes.Reader)}
	c := New(Config{Dial: func(context.Context) (net.Conn, error) { return conn, nil }})
	cn := newConn(c, conn)
	cn.encrypted, cn.idleFor = true, time.Hour // it cannot be probed
	r, x, buf := rawOf(get("GET")), new(Exchange), make([]byte, 64)
	r.AnswerBy = time.Now().Add(time.Hour)
	c.put(cn)
	if n := testing.AllocsPerRun(100, func() {
		if err := c.Exchange(context.Background(), r, x); err != nil {
			t.Fatal(err)
		}
		if n, err := x.Read(buf); n != 5 || err != io.EOF {
			t.Fatal(n, err)
		}
		x.Close()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
