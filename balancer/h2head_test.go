package balancer

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// head is the fields of a request's head over HTTP/2.
type head [][2]string

var plainHead = head{{":method", "GET"}, {":scheme", "http"}, {":authority", "web"}, {":path", "/"}}

// with is the head with a field in the place of the one of that name, or behind
// all.
func (h head) with(name, value string) head {
	all := append(head(nil), h...)
	for i := range all {
		if all[i][0] == name {
			all[i][1] = value
			return all
		}
	}
	return append(all, [2]string{name, value})
}

func (h head) block() []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range h {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return b.Bytes()
}

// TestUnsoundHeads: what net/http lets pass over HTTP/2 is refused, and the web
// server does not hear of it.
func TestUnsoundHeads(t *testing.T) {
	hosts := head{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "web"}}
	lengths := plainHead.with(":method", "POST").with("content-length", "0")
	for _, c := range []struct {
		name string
		head head
		want string
		why  *fault
	}{
		{"plain", plainHead, "200", nil},
		{"the same host twice", plainHead.with("host", "WEB"), "200", nil},
		{"Host alone", hosts, "200", nil},
		{"one length", lengths, "200", nil},
		{"another host", plainHead.with("host", "other"), "400", faultAuthority},
		{"two hosts", append(hosts, [2]string{"host", "web"}), "400", faultTwoHosts},
		{"two lengths", append(lengths, [2]string{"content-length", "0"}), "400", faultTwoLengths},
		{"absolute path", plainHead.with(":path", "http://other/"), "400", faultPath},
		{"a space in the method", plainHead.with(":method", "GET /x HTTP/1.1"), "400", faultMethod},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var heard atomic.Int64
				front, _ := lone(t, serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) })))
				status, body := askedOverHTTP2(t, front, c.head)
				if status != c.want {
					t.Errorf("%s %q, want %s", status, body, c.want)
				}
				if c.why != nil && (!strings.HasSuffix(body, c.why.reason+"\n") || heard.Load() != 0) {
					t.Errorf("%q, and the web server heard %d requests; want %q", body, heard.Load(), c.why.reason)
				}
			})
		})
	}
}

// askedOverHTTP2 is the answer to one request.
func askedOverHTTP2(t *testing.T, front *pipes, h head) (status, body string) {
	t.Helper()
	conn := dialFront(t, front, "plaintext")
	defer conn.Close()
	c := http2.NewFramer(conn, conn)
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	go func() {
		_, _ = io.WriteString(conn, preface)
		_ = c.WriteSettings()
		_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.block(), EndStream: true, EndHeaders: true})
	}()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			status = f.PseudoValue("status")
		case *http2.DataFrame:
			body += string(f.Data())
		case *http2.RSTStreamFrame:
			return f.ErrCode.String(), body
		}
		if f.Header().Flags.Has(http2.FlagDataEndStream) && (f.Header().Type == http2.FrameData || f.Header().Type == http2.FrameHeaders) {
			return status, body
		}
	}
}
