package balancer

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is a client that sends the frames that a test wants.
type raw struct {
	*http2.Framer
	conn   net.Conn
	stream uint32
	away   atomic.Pointer[http2.GoAwayFrame] // what it was told last
	seen   atomic.Int64                      // frames that came
	resets atomic.Int64                      // of them
	done   chan struct{}                     // closed when the server has closed
}

func newRaw(t *testing.T, conn net.Conn) *raw {
	t.Helper()
	c := &raw{Framer: http2.NewFramer(conn, conn), conn: conn, done: make(chan struct{})}
	c.AllowIllegalWrites = true
	go func() {
		defer close(c.done)
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			c.seen.Add(1)
			switch f := f.(type) {
			case *http2.GoAwayFrame:
				said := *f
				c.away.CompareAndSwap(nil, &said)
			case *http2.RSTStreamFrame:
				c.resets.Add(1)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-c.done
	})
	if _, err := io.WriteString(conn, preface); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// begin opens a stream.
func (c *raw) begin(block []byte, whole bool) error {
	if c.stream++; c.stream > 1 {
		c.stream++
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: block, EndStream: true, EndHeaders: whole})
}

// fields is a request's head with n fields more.
func fields(path string, n int, value string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "web"}, {":path", path}} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	for i := range n {
		_ = e.WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: value})
	}
	return b.Bytes()
}

// provoked sends a request, and then what has the server reset its stream. Of
// many that come at once some are answered at once, by 503: what is another thing
// after the answer waits until the request is worked on.
func provoked(send func(c *raw) error) func(c *raw) error {
	return func(c *raw) error {
		if err := c.begin(fields("/slow", 0, ""), true); err != nil {
			return err
		}
		return send(c)
	}
}

// floods are what a client may send without end, and how much of it comes
// through.
var floods = []struct {
	name string
	code http2.ErrCode
	most int // times that send comes through
	send func(c *raw) error
}{
	{"resets", http2.ErrCodeEnhanceYourCalm, maxResets + 1, func(c *raw) error {
		if err := c.begin(fields("/", 0, ""), true); err != nil {
			return err
		}
		return c.WriteRSTStream(c.stream, http2.ErrCodeCancel)
	}},
	{"windows of nothing", http2.ErrCodeEnhanceYourCalm, maxResets + 1, provoked(func(c *raw) error {
		return c.WriteWindowUpdate(c.stream, 0)
	})},
	{"windows too large", http2.ErrCodeEnhanceYourCalm, maxResets + 1, provoked(func(c *raw) error {
		synctest.Wait() // else it may be ignored
		return c.WriteWindowUpdate(c.stream, 1<<31-1)
	})},
	{"bodies after the end", http2.ErrCodeEnhanceYourCalm, maxResets + 1, provoked(func(c *raw) error {
		return c.WriteData(c.stream, false, []byte("x"))
	})},
	{"heads after the end", http2.ErrCodeEnhanceYourCalm, maxResets + 1, provoked(func(c *raw) error {
		synctest.Wait() // else it may be of a stream that is no more: PROTOCOL_ERROR
		return c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: fields("/", 0, ""), EndStream: true, EndHeaders: true})
	})},
	{"streams before themselves", http2.ErrCodeEnhanceYourCalm, maxResets + 1, provoked(func(c *raw) error {
		return c.WritePriority(c.stream, http2.PriorityParam{StreamDep: c.stream})
	})},
	{"pings", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error { return c.WritePing(false, [8]byte{}) }},
	{"settings", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error { return c.WriteSettings() }},
	{"priorities", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error {
		return c.WritePriority(1, http2.PriorityParam{Weight: 7})
	}},
	{"small windows", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error { return c.WriteWindowUpdate(0, 1) }},
	{"unknown frames", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error { return c.WriteRawFrame(0xbe, 0, 0, nil) }},
	{"empty bodies", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error {
		if c.stream == 0 {
			c.stream = 1
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("/", 0, ""), EndHeaders: true})
		}
		return c.WriteData(1, false, nil)
	}},
	{"empty continuations", http2.ErrCodeEnhanceYourCalm, maxEmpty + 1, func(c *raw) error {
		if c.stream == 0 {
			return c.begin(fields("/", 0, ""), false)
		}
		return c.WriteContinuation(c.stream, false, nil)
	}},
	{"continuations", http2.ErrCodeProtocol, 40, func(c *raw) error {
		if c.stream == 0 {
			return c.begin(fields("/", 0, ""), false)
		}
		return c.WriteContinuation(c.stream, false, fields("/", 8, strings.Repeat("v", 1000))[8:])
	}},
}

// TestFloods: a client that sends without end what costs more here than there
// is told to go away and closed, and harms no other.
func TestFloods(t *testing.T) {
	for _, over := range []string{"plaintext", "TLS"} {
		for _, f := range floods {
			t.Run(over+"/"+f.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					front, b := lone(t, serveHTTP(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/slow" {
							<-r.Context().Done() // it is worked on until it is reset
						}
					})))
					if over == "TLS" {
						front = overTLS(t, b)
					}
					other := newRaw(t, dialFront(t, front, over))
					_ = other.begin(fields("/other", 0, ""), true)
					c := newRaw(t, dialFront(t, front, over))
					sent := 0
					for ; sent < 20_000; sent++ {
						if c.away.Load() != nil || f.send(c) != nil {
							break
						}
						if sent%100 == 0 {
							synctest.Wait()
						}
					}
					select {
					case <-c.done:
					case <-time.After(time.Minute):
						t.Error("it is not closed")
					}
					said := c.away.Load()
					if said == nil || said.ErrCode != f.code {
						t.Errorf("it was told %v, want %v", said, f.code)
					}
					if sent > f.most+100 { // what the pipe's ends hold
						t.Errorf("%d came through, want at most %d", sent, f.most)
					}
					answered := other.seen.Load()
					_ = other.begin(fields("/other", 0, ""), true)
					synctest.Wait()
					if other.seen.Load() <= answered || other.away.Load() != nil {
						t.Error("another client is not served")
					}
					time.Sleep(time.Minute)
					if s := b.Stats(); s.State.Running != 0 || s.State.Queued != 0 {
						t.Errorf("%d running, %d queued after all have gone", s.State.Running, s.State.Queued)
					}
				})
			})
		}
	}
}

// TestLateBodiesAreNoFlood: what clients have sent of bodies when they hear that
// nobody wants them.
func TestLateBodiesAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
		})))
		c := newRaw(t, dialFront(t, front, "plaintext"))
		for range maxResets + 50 {
			c.stream += 2
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream - 1, BlockFragment: fields("/", 0, ""), EndHeaders: true})
			synctest.Wait()
			for range 3 {
				_ = c.WriteData(c.stream-1, false, []byte("x"))
			}
			synctest.Wait()
		}
		if said := c.away.Load(); said != nil {
			t.Errorf("it was told %v", said)
		}
		if c.resets.Load() < 2*maxResets {
			t.Errorf("%d resets: the test tests nothing", c.resets.Load())
		}
	})
}

// overTLS serves handler over TLS until the test ends.
func overTLS(t *testing.T, handler http.Handler) *pipes {
	t.Helper()
	return serveLanes(t, handler, balancerOf(handler), someCertificate(t))
}

func dialFront(t *testing.T, front *pipes, over string) net.Conn {
	t.Helper()
	conn, err := front.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if over == "TLS" {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	return conn
}

// TestBusyStreamsAreNoFlood: what clients of large and of many answers send.
func TestBusyStreamsAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 32 << 20
		front, _ := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/large" {
				_, _ = w.Write(make([]byte, size))
			}
		})))
		conn := dialFront(t, front, "plaintext")
		defer conn.Close()
		if _, err := io.WriteString(conn, preface); err != nil {
			t.Fatal(err)
		}
		c := http2.NewFramer(conn, conn)
		send := make(chan func() error, 1<<16)
		defer close(send)
		go func() {
			for f := range send {
				_ = f() // the reader finds out
			}
		}()
		send <- func() error { return c.WriteSettings() }
		// Each frame of the answer is followed by two updates and a ping.
		send <- func() error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("/large", 0, ""), EndStream: true, EndHeaders: true})
		}
		for got := 0; got < size; {
			f, err := c.ReadFrame()
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			if d, ok := f.(*http2.DataFrame); ok && len(d.Data()) > 0 {
				n := uint32(len(d.Data()))
				got += int(n)
				send <- func() error {
					_ = c.WriteWindowUpdate(0, n)
					_ = c.WriteWindowUpdate(1, n)
					return c.WritePing(false, [8]byte{})
				}
			}
		}
	})
}

// TestSettings: what clients are told that they may do.
func TestSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front := serveHTTP(t, http.NotFoundHandler())
		conn := dialFront(t, front, "plaintext")
		defer conn.Close()
		c := http2.NewFramer(conn, conn)
		go func() {
			_, _ = io.WriteString(conn, preface)
			_ = c.WriteSettings()
		}()
		f, err := c.ReadFrame()
		s, ok := f.(*http2.SettingsFrame)
		if err != nil || !ok {
			t.Fatal(f, err)
		}
		for id, want := range map[http2.SettingID]uint32{
			http2.SettingMaxConcurrentStreams: 100, http2.SettingInitialWindowSize: 64 << 10, http2.SettingMaxFrameSize: 16 << 10,
		} {
			if got, ok := s.Value(id); !ok || got != want {
				t.Errorf("%v: %d, want %d", id, got, want)
			}
		}
		for err == nil && f.Header().Type != http2.FrameWindowUpdate {
			f, err = c.ReadFrame()
		}
		if w, ok := f.(*http2.WindowUpdateFrame); !ok || w.StreamID != 0 || 65_535+w.Increment != 1<<20 {
			t.Errorf("the connection's window: %v", f)
		}
	})
}

// TestHeadsOverHTTP2: the limits on heads are those of HTTP/1.1.
func TestHeadsOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := lone(t, serveHTTP(t, http.NotFoundHandler()))
		web := overHTTP2(t, front)
		for _, c := range []struct {
			name, path string
			n          int
			value      string
			want       int
		}{
			{"small", "/", 1, "v", 404},
			{"95 fields", "/", 95, "v", 404}, // and the transport's own
			{"101 fields", "/", 101, "v", 431},
			{"a long field", "/", 1, strings.Repeat("v", maxHeadLine), 431},
			{"a long target", "/" + strings.Repeat("t", maxHeadLine), 0, "", 414},
		} {
			r, err := http.NewRequest(http.MethodGet, "http://web"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.n {
				r.Header.Set(fmt.Sprint("X-", i), c.value)
			}
			res, err := web.Do(r)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if _ = res.Body.Close(); res.StatusCode != c.want {
				t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.want)
			}
		}
	})
}

// TestFramesInPieces: what is followed does not depend on how it comes.
func TestFramesInPieces(t *testing.T) {
	var all bytes.Buffer
	w := http2.NewFramer(&all, nil)
	_ = w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("/", 3, "v"), EndHeaders: true})
	_ = w.WriteData(1, false, make([]byte, 300))
	_ = w.WriteData(1, true, nil)
	_ = w.WriteRSTStream(1, http2.ErrCodeCancel)
	var want []frame
	for n := all.Len(); n > 0; n-- {
		var f frames
		var got []frame
		for p := all.Bytes(); len(p) > 0; p = p[min(n, len(p)):] {
			for piece := p[:min(n, len(p))]; len(piece) > 0; {
				rest, h, whole := f.next(piece)
				if piece = rest; whole {
					got = append(got, h)
				}
			}
		}
		if want == nil {
			want = got
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(got) != 5 || got[2].length != 300 || got[4].kind != frameReset || !f.between() {
			t.Fatalf("in pieces of %d: %v, want %v", n, got, want)
		}
	}
}
