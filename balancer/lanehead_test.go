package balancer

import (
	"bufio"
	"bytes"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"kecho/balancer/policy"
)

// readAsLane reads the first head in in as the lane does; nil: there is no
// whole one, or it is net/http's.
func readAsLane(b *Balancer, in []byte) *laneConn {
	c := &laneConn{lane: &Lane{b: b}, address: "192.0.2.1", believed: len(b.rewriter.trusted) > 0}
	c.framing.place = atStart
	c.buf, c.w = in, len(in)
	c.startWork()
	n, whole := c.framing.followHead(in)
	if !whole || c.framing.blank {
		return nil
	}
	c.seen = n
	c.work.head.read(in[:n], &c.framing, b)
	if c.work.head.lane() == serverLane {
		return nil
	}
	return c
}

// FuzzLaneHead: a head that the lane takes is one that net/http takes, and what
// it sends on is what the other lane would send.
func FuzzLaneHead(f *testing.F) {
	for _, c := range goodStreams {
		f.Add([]byte(c.in), true)
	}
	for _, field := range laneFields {
		f.Add([]byte("GET /a?b HTTP/1.1\r\nHost: web:80\r\n"+field+"\r\nX: y\r\n\r\n"), false)
		f.Add([]byte("PUT //a HTTP/1.1\r\nHost: web\r\n"+field+"\r\n"+field+"\r\nContent-Length: 3\r\n\r\nabc"), true)
	}
	trusting := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	fronts := make(map[bool]*Balancer)
	for trusts := range map[bool]bool{true: true, false: true} {
		cfg := Config{Name: "web1", Upstream: "http://web/under", Policy: policy.Config{Places: 1}}
		if trusts {
			cfg.Trust = trusting
		}
		b, err := New(cfg)
		if err != nil {
			f.Fatal(err)
		}
		fronts[trusts] = b
	}
	f.Fuzz(func(t *testing.T, in []byte, trusts bool) {
		b := fronts[trusts]
		c := readAsLane(b, in)
		if c == nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatalf("net/http does not take what the lane does: %v", err)
		}
		r.RemoteAddr = "192.0.2.1:1234"
		sent, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.appendRequest(nil))))
		if err != nil {
			t.Fatalf("what is sent on is no request: %v", err)
		}
		want := b.rewriter.outbound(r)
		if want["X-Request-Id"][0] != r.Header.Get("X-Request-Id") { // another is drawn each time
			want["X-Request-Id"] = sent.Header["X-Request-Id"]
		}
		if r.Header.Get("Pragma") == "no-cache" && r.Header["Cache-Control"] != nil { // net/http adds one
			delete(want, "Cache-Control")
			delete(sent.Header, "Cache-Control")
		}
		delete(sent.Header, "Content-Length")
		if sent.Method != r.Method || sent.RequestURI != "/under"+targetOf(r) || sent.Host != r.Host || !reflect.DeepEqual(sent.Header, want) {
			t.Fatalf("%s %s for %s %q\nis sent as %s %s for %s %q", r.Method, r.RequestURI, r.Host, want, sent.Method, sent.RequestURI, sent.Host, sent.Header)
		}
		length := r.ContentLength
		if sent.ContentLength != length || (len(r.TransferEncoding) > 0) != (length < 0) {
			t.Fatalf("a body of %d bytes is sent as one of %d", length, sent.ContentLength)
		}
		if isRepeatable(r) != c.work.head.repeatable() || loops(r.Header, "web1") > 0 && c.work.head.lane() == straightLane {
			t.Fatal("it is not seen what may be done with the request")
		}
		if r.Close != c.work.head.closes {
			t.Fatalf("the connection closes: %v, for net/http %v", c.work.head.closes, r.Close)
		}
	})
}

// TestHeadAllocates holds that nothing is allocated for reading a usual head and
// sending it on.
func TestHeadAllocates(t *testing.T) {
	b, err := New(Config{Name: "web1", Upstream: "http://web", Policy: policy.Config{Places: 1}})
	if err != nil {
		t.Fatal(err)
	}
	in := []byte("GET /index.html?x=y HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: x\r\nAccept: */*\r\nX-Request-Id: abc\r\nCookie: a=" + strings.Repeat("b", 100) + "\r\n\r\n")
	c := readAsLane(b, in)
	c.framing.marks = &c.work.head.marks
	out := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() {
		c.framing.nextRequest()
		c.work.head.marks.fields = c.work.head.marks.fields[:0]
		c.framing.followHead(in)
		c.work.head.read(in, &c.framing, b)
		out = c.appendRequest(out[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
