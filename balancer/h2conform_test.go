package balancer

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The same of clients that speak HTTP/2: what one gets is the same here and at a
// peer, whichever version the web server speaks.

// h2Conformances are requests to the handlers of conformances.
var h2Conformances = []struct {
	name    string
	request func() *http.Request
	handle  http.HandlerFunc
	got     string
}{
	{"GET", func() *http.Request { return h2Request("GET", "/a%2Fb?c=%zz&&", nil) }, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
	}, `/a%2Fb?c=%zz&&`},
	{"HEAD", func() *http.Request { return h2Request("HEAD", "/", nil) }, serveFile, `Content-Length: ["16"]`},
	{"OPTIONS *", func() *http.Request {
		r := h2Request("OPTIONS", "/", nil)
		r.URL.Path = "*"
		return r
	}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) }, `"*"`},
	{"204", func() *http.Request { return h2Request("DELETE", "/", nil) }, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204"},
	{"304", func() *http.Request {
		r := h2Request("GET", "/", nil)
		r.Header.Set("If-None-Match", `"x"`)
		return r
	}, serveFile, "304"},
	{"range", func() *http.Request {
		r := h2Request("GET", "/", nil)
		r.Header.Set("Range", "bytes=2-5")
		return r
	}, serveFile, `"2345"`},
	{"body and trailers", func() *http.Request {
		r := h2Request("POST", "/", strings.NewReader(strings.Repeat("x", 300_000)))
		r.ContentLength = -1
		r.Trailer = http.Header{"Sum": {"5"}}
		r.Header.Set("Te", "trailers")
		return r
	}, allRead, `"300000, <nil>, more", <nil>; trailers Late: ["y"], Sum: ["5"]`},
	{"known length", func() *http.Request { return h2Request("PUT", "/", strings.NewReader(strings.Repeat("x", 70_000))) }, allRead, "70000, <nil>, more"},
	{"refused unread", func() *http.Request { return h2Request("POST", "/", pattern(3e6, 5000)) }, refuseUnread, "413"},
	{"expected", func() *http.Request {
		r := h2Request("POST", "/", strings.NewReader("hello"))
		r.Header.Set("Expect", "100-continue")
		return r
	}, allRead, "5, <nil>, more"},
	{"hints", func() *http.Request { return h2Request("GET", "/", nil) }, withHints, `103 Link: ["</0.css>; rel=preload" "</x>"]
103 Link: ["</1.css>; rel=preload" "</x>"]
102 
200`},
	{"events", func() *http.Request { return h2Request("GET", "/", nil) }, stream, `data: 0\n\ndata: 1\n\ndata: 2\n\n`},
	{"broken off", func() *http.Request { return h2Request("GET", "/", nil) }, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Second)
		panic(http.ErrAbortHandler)
	}, `"hello", stream error`},
}

func h2Request(method, target string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, "http://web"+target, body)
	if err != nil {
		panic(err) // of a test's own request
	}
	return r
}

// roundTripH2 is all that comes back for r.
func roundTripH2(t *testing.T, l *pipes, r *http.Request) string {
	t.Helper()
	var all strings.Builder
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
		fmt.Fprintf(&all, "%d %s\n", status, fieldsOf(http.Header(header)))
		return nil
	}}
	res, err := h2Transport(t, l).RoundTrip(r.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
	if err != nil {
		return fmt.Sprint(all.String(), err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		err = fmt.Errorf("%.12s", err) // not the stream's number
	}
	return fmt.Sprintf("%s%d, length %d; %s; %q, %v; trailers %s", &all, res.StatusCode, res.ContentLength, fieldsOf(res.Header), short(string(body)), err, fieldsOf(res.Trailer))
}

func TestConformanceOfHTTP2(t *testing.T) {
	for _, c := range h2Conformances {
		for _, upstream := range []string{"http://web", "h2c://web"} {
			t.Run(c.name+", "+upstream, func(t *testing.T) {
				var got [2]string
				for i := range got {
					synctest.Test(t, func(t *testing.T) {
						cl := newCluster(t, 2, func(_ int, cfg *Config) { cfg.Upstream = upstream })
						if i == 1 {
							cl.members[0].web.down.Store(true)
						}
						cl.members[i].web.set(c.handle)
						got[i] = roundTripH2(t, serveHTTP(t, cl.members[0]), c.request())
						cl.idle()
					})
				}
				if got[0] != got[1] || !strings.Contains(got[0], c.got) {
					t.Errorf("want %q; here the client got\n%s\nand of a peer\n%s", c.got, got[0], got[1])
				}
			})
		}
	}
}
