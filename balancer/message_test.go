package balancer

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"kecho/balancer/h1"
	"kecho/balancer/policy"
)

func TestMessageRoundTrip(t *testing.T) {
	for _, head := range []packer{
		&requestHead{},
		&requestHead{Method: "PUT", Target: "/a?b=%zz", Host: "web:80", Fields: []field{{"A", "1"}, {"A", ""}}, Length: 7, Fin: true, Window: 1 << 40, Trailer: []string{"X"}},
		&answerHead{Status: 999, Length: -1, Fields: []field{{"Set-Cookie", "a=b"}}},
	} {
		for _, first := range []string{"", "first bytes"} {
			b, err := packMessage(head, []byte(first))
			if err != nil {
				t.Fatal(err)
			}
			got := reflect.New(reflect.TypeOf(head).Elem()).Interface().(packer)
			rest, err := unpackMessage(b, got)
			if err != nil || string(rest) != first || !reflect.DeepEqual(got, head) {
				t.Errorf("%+v, %q became %+v, %q, %v", head, first, got, rest, err)
			}
		}
	}
}

func TestMessageBounds(t *testing.T) {
	if _, err := packMessage(&requestHead{Target: strings.Repeat("x", maxHead)}, nil); !errors.Is(err, errHead) {
		t.Errorf("a head of %d bytes: %v", maxHead, err)
	}
	many := make(http.Header)
	for i := range maxEventFields + 1 {
		many.Set(fmt.Sprint("X-", i), "1")
	}
	if _, err := appendFields(nil, many); !errors.Is(err, errHead) {
		t.Errorf("%d fields: %v", len(many), err)
	}
	delete(many, "X-0")
	fields, err := appendFields(nil, many)
	if err != nil {
		t.Errorf("%d fields: %v", len(many), err)
	}
	b, err := packMessage(&answerHead{Fields: fields}, make([]byte, maxChunk))
	if err != nil {
		t.Fatal(err)
	}
	if first, err := unpackMessage(b, new(answerHead)); err != nil || len(first) != maxChunk {
		t.Errorf("%d fields and %d bytes: %d bytes, %v", len(fields), maxChunk, len(first), err)
	}
}

func TestAmounts(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 1 << 30} {
		if got, err := unpackAmount(packAmount(n)); got != n || err != nil {
			t.Errorf("%d became %d, %v", n, got, err)
		}
	}
	for _, b := range [][]byte{nil, {0x80}, {1, 1}, packAmount(1<<30 + 1), bytes.Repeat([]byte{0xff}, 12)} {
		if n, err := unpackAmount(b); err == nil {
			t.Errorf("% x was read as %d", b, n)
		}
	}
	if got := unpackReason([]byte("a\n\"" + strings.Repeat("x", 1000))); len(got) > 2*maxReason || strings.Contains(got, "\n") {
		t.Errorf("a reason of a peer goes to the log as %s", got)
	}
}

// FuzzRequest: whatever a peer sends as a request is refused, or is HTTP that
// can be sent on; as bytes, if it is sent on so, it says the same.
func FuzzRequest(f *testing.F) {
	f.Add(packed(requestHead{Method: "GET", Target: "/", Host: "web", Fin: true, Fields: []field{{"A", "b"}}, Trailer: []string{"X"}}, ""))
	f.Add(packed(requestHead{Method: "PUT", Target: "*", Length: 3, Fin: true}, "abc"))
	f.Add(packed(requestHead{Method: "POST", Target: "/a?b", Host: "web:80", Length: 3, Fin: true, Fields: []field{{"a-b", "1"}, {"A-B", ""}, {"Via", "x"}}}, "abc"))
	for _, g := range garbage {
		f.Add(g)
	}
	front, err := New(Config{Name: "n", Upstream: "http://web", Policy: policy.Config{Places: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, y := new(exchange), new(exchange)
		first, err := x.unpack(b)
		if front.unpackBytes(y, b) {
			sameRequest(t, x, err, string(first), y)
		}
		if err != nil {
			return
		}
		sound(t, x.header)
		if len(first) > maxChunk || x.head.Length < -1 {
			t.Errorf("%d bytes of %d", len(first), x.head.Length)
		}
		if strings.ContainsAny(x.head.Method+x.head.Target+x.head.Host, " \r\n\x00") {
			t.Errorf("request line %q %q %q", x.head.Method, x.head.Target, x.head.Host)
		}
	})
}

// sameRequest checks that y has as bytes what x has, which err came of and first
// is the body of.
func sameRequest(t *testing.T, x *exchange, err error, first string, y *exchange) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v, and as bytes it is %q", err, y.text)
	}
	want := []string{x.head.Method + " " + x.head.Target + " HTTP/1.1", "Host: " + x.head.Host}
	for name, values := range x.header {
		for _, v := range values {
			want = append(want, name+": "+v)
		}
	}
	if length := h1.AppendLength(nil, x.head.Method, int64(len(first))); len(length) > 0 {
		want = append(want, strings.TrimSuffix(string(length), "\r\n"))
	}
	head, body, _ := strings.Cut(string(y.text), "\r\n\r\n")
	got := strings.Split(head, "\r\n")
	slices.Sort(want[1:])
	slices.Sort(got[1:])
	if !slices.Equal(got, want) || body != first {
		t.Errorf("as bytes it is %q with %q, want %q with %q", got, body, want, first)
	}
	x.head.Target, x.head.Host, x.head.Fields = "", "", nil
	if !reflect.DeepEqual(x.head, y.head) {
		t.Errorf("as bytes its head is %+v, want %+v", y.head, x.head)
	}
}

// FuzzAnswer: the same for answers.
func FuzzAnswer(f *testing.F) {
	f.Add(packed(answerHead{Status: 200, Length: 3, Fin: true, Fields: []field{{"A", "b"}}, Trailer: []string{"X"}}, "abc"))
	f.Add(packed(answerHead{Status: 200, Length: 3, Fin: true, Fields: []field{{"X-Request-Id", "x\r\ny"}}}, "abc"))
	f.Add(packed(answerHead{Status: 404, Length: 3, Fin: true, Fields: []field{{"a-b", "1"}, {"A-B", ""}, {"X-Request-Id", "x"}, {"Date", "y"}}}, "abc"))
	for _, g := range garbage {
		f.Add(g)
	}
	front, err := New(Config{Name: "n", Upstream: "http://web", Policy: policy.Config{Places: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, m := news{head: new(answerHead)}, news{head: new(answerHead)}
		first, err := n.unpack(b, "")
		if front.unpackAnswerBytes(&m, b, false) {
			sameAnswer(t, &n, err, string(first), &m)
		}
		if err != nil {
			return
		}
		sound(t, n.header)
		if n.head.Status < 200 || n.head.Status > 999 || n.head.Length < -1 || len(first) > maxChunk {
			t.Errorf("%+v with %d bytes", n.head, len(first))
		}
	})
}

// sameAnswer checks that m has as bytes what n has, which err came of and first is
// the body of.
func sameAnswer(t *testing.T, n *news, err error, first string, m *news) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v, and as bytes it is %q", err, m.bytes.text)
	}
	c := &call{in: newInflow(maxWindow, nil)}
	m.unfold(c)
	want := n.header.Clone()
	delete(want, "X-Request-Id") // the client has ours
	body, err := readAll(c.in)
	if err != nil || body != first || !reflect.DeepEqual(m.header, want) || m.bytes.dated != (want["Date"] != nil) {
		t.Errorf("as bytes it is %v with %q, %v, want %v with %q", m.header, body, err, want, first)
	}
	n.head.Fields = nil
	if !reflect.DeepEqual(n.head, m.head) {
		t.Errorf("as bytes its head is %+v, want %+v", m.head, n.head)
	}
}

// sound checks that a header can stand in an HTTP message and frames nothing.
func sound(t *testing.T, header http.Header) {
	t.Helper()
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) || name != http.CanonicalHeaderKey(name) || name == "Content-Length" || name == "Transfer-Encoding" || name == "Connection" || name == "Upgrade" {
			t.Errorf("field %q", name)
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("value %q", v)
			}
		}
	}
}

// FuzzChunk: a body event is refused, or its parts are bounded by it.
func FuzzChunk(f *testing.F) {
	f.Add(bodyPart(moreFollows, 0, "abc"))
	f.Add(bodyPart(finPlain, 1<<40, ""))
	f.Add(bodyPart(finTrailers, 3, "\x91\x91\x92\xa1A\xa1b"))
	f.Add(bodyPart(finTrailers, 3, "\xdd\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := unpackChunk(b)
		if err != nil {
			return
		}
		sound(t, c.trailer)
		if len(c.data) > len(b) || c.trailer != nil && (!c.fin || len(c.data) > 0) {
			t.Errorf("%d bytes of %d, trailers %v, end %v", len(c.data), len(b), c.trailer, c.fin)
		}
		in := newInflow(maxWindow, func(int) {})
		if err := in.push(c); err == nil && c.offset != 0 {
			t.Errorf("a body began at %d", c.offset)
		}
	})
}

// FuzzAmount: what is read is what would be written.
func FuzzAmount(f *testing.F) {
	f.Add(packAmount(300))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := unpackAmount(b); err == nil && (n < 0 || n > 1<<30) {
			t.Errorf("% x is %d", b, n)
		}
	})
}
