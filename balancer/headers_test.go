package balancer

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked is a request as a server hands it to its handler.
func asked(fields http.Header) *http.Request {
	return &http.Request{
		Method: "GET", RequestURI: "/", Host: "web:81", RemoteAddr: "192.0.2.7:4321",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: fields,
	}
}

func TestOutbound(t *testing.T) {
	id := []string{"abc"}
	base := http.Header{
		"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Host": {"web:81"}, "X-Forwarded-Proto": {"http"},
		"Via": {"1.1 kecho-web1"}, "X-Request-Id": id,
	}
	and := func(more http.Header) http.Header {
		out := maps.Clone(base)
		maps.Copy(out, more)
		return out
	}
	for _, c := range []struct {
		name     string
		trusted  string
		in, want http.Header
	}{
		{"end to end", "", http.Header{"Accept": {"a", "b"}, "Cookie": {"c"}}, and(http.Header{"Accept": {"a", "b"}, "Cookie": {"c"}})},
		{"hop by hop", "", http.Header{"Connection": {"keep-alive, X-One", " x-two ,"}, "X-One": {"1"}, "X-Two": {"2"}, "Keep-Alive": {"5"},
			"Proxy-Connection": {"x"}, "Proxy-Authorization": {"x"}, "Transfer-Encoding": {"x"}, "Trailer": {"x"}, "Upgrade": {"h2c"},
			"Http2-Settings": {"x"}, "Content-Length": {"5"}}, base},
		{"trailers are wanted", "", http.Header{"Te": {"gzip, Trailers"}}, and(http.Header{"Te": {"trailers"}})},
		{"trailers are not wanted", "", http.Header{"Te": {"gzip"}}, base},
		{"a client's word", "", http.Header{"X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"https"},
			"X-Forwarded-Port": {"1"}, "Forwarded": {"for=6.6.6.6"}}, base},
		{"another's trust", "198.51.100.0/24", http.Header{"X-Forwarded-For": {"6.6.6.6"}}, base},
		{"a trusted proxy's word", "192.0.2.0/24", http.Header{"X-Forwarded-For": {"203.0.113.1", "203.0.113.2"}, "X-Forwarded-Host": {"shop"},
			"X-Forwarded-Proto": {"https"}, "Forwarded": {"for=203.0.113.1"}},
			and(http.Header{"X-Forwarded-For": {"203.0.113.1, 203.0.113.2, 192.0.2.7"}, "X-Forwarded-Host": {"shop"}, "X-Forwarded-Proto": {"https"},
				"Forwarded": {"for=203.0.113.1"}})},
		{"a trusted proxy that says nothing", "192.0.2.0/24", nil, base},
		{"named by Connection and added by us", "", http.Header{"Connection": {"X-Forwarded-For, Via"}, "Via": {"1.0 x"}}, base},
		{"after another proxy", "", http.Header{"Via": {"1.0 fred, 1.1 p.example"}}, and(http.Header{"Via": {"1.0 fred, 1.1 p.example", "1.1 kecho-web1"}})},
	} {
		var trusted []netip.Prefix
		if c.trusted != "" {
			trusted = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
		}
		if c.in == nil {
			c.in = http.Header{}
		}
		c.in["X-Request-Id"] = id
		before := c.in.Clone()
		r := asked(c.in)
		if got := newRewriter("web1", trusted).outbound(r); !cmp.Equal(got, c.want) {
			t.Errorf("%s: (-want +got)\n%s", c.name, cmp.Diff(c.want, got))
		}
		if !cmp.Equal(r.Header, before) {
			t.Errorf("%s: the request was changed", c.name)
		}
	}
}

func TestOutboundOfOtherConnections(t *testing.T) {
	h := newRewriter("web 1/ä", nil)
	r := asked(http.Header{})
	r.TLS, r.ProtoMajor, r.ProtoMinor, r.Host, r.RemoteAddr = new(tls.ConnectionState), 2, 0, "", "@"
	out := h.outbound(r)
	if out.Get("X-Forwarded-Proto") != "https" || out.Get("Via") != "2 kecho-web-1--" || out["X-Forwarded-For"] != nil || out["X-Forwarded-Host"] != nil {
		t.Errorf("HTTP/2 over TLS from a nameless client: %v", out)
	}
	r.ProtoMajor = 1
	if via := h.outbound(r).Get("Via"); via != "1.0 kecho-web-1--" {
		t.Errorf("HTTP/1.0: Via is %q", via)
	}
}

func TestRequestIDs(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	h := newRewriter("web1", nil)
	for _, kept := range []string{"a", strings.Repeat("x", 128), "{1-2/3}"} {
		if got := h.outbound(asked(http.Header{"X-Request-Id": {kept}}))["X-Request-Id"]; !slices.Equal(got, []string{kept}) {
			t.Errorf("%q became %q", kept, got)
		}
	}
	seen := map[string]bool{}
	for _, bad := range [][]string{nil, {""}, {"a b"}, {"a\x7f"}, {"\xc3\xa4"}, {strings.Repeat("x", 129)}, {"a", "b"}} {
		got := h.outbound(asked(http.Header{"X-Request-Id": bad}))["X-Request-Id"]
		if len(got) != 1 || !uuid.MatchString(got[0]) || seen[got[0]] {
			t.Errorf("%q became %q, want a fresh UUIDv7", bad, got)
		}
		seen[got[0]] = true
	}
}

func TestInbound(t *testing.T) {
	h := http.Header{"Connection": {"close, x-a"}, "X-A": {"1"}, "X-B": {"2"}, "Keep-Alive": {"3"}, "Trailer": {"X"}, "Content-Length": {"5"}}
	inbound(h)
	if want := (http.Header{"X-B": {"2"}, "Content-Length": {"5"}}); !cmp.Equal(h, want) {
		t.Errorf("left is %v, want %v", h, want)
	}
}

func TestLoops(t *testing.T) {
	for _, c := range []struct {
		via  []string
		want int
	}{
		{nil, 0},
		{[]string{"1.1 kecho-web2, 1.1 nginx"}, 0},
		{[]string{"1.1 kecho-web11"}, 0},
		{[]string{"kecho-web1"}, 0},
		{[]string{"1.1 kecho-web1"}, 1},
		{[]string{"1.0 fred,\t2  kecho-web1 (a comment)", "1.1 kecho-web2, HTTP/1.1 kecho-web1"}, 2},
	} {
		if got := loops(http.Header{"Via": c.via}, "web1"); got != c.want {
			t.Errorf("%q: %d loops, want %d", c.via, got, c.want)
		}
	}
}

func BenchmarkOutbound(b *testing.B) {
	h := newRewriter("web1", nil)
	r := asked(http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Cookie": {"a=b"}, "Connection": {"keep-alive"},
		"User-Agent": {"x"}, "X-Request-Id": {"abc"}})
	b.ReportAllocs()
	for b.Loop() {
		h.outbound(r)
	}
}
