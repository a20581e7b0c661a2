package balancer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// localFront serves everything through u, as the front does where there is
// room.
type localFront struct {
	t        *testing.T
	u        *upstream
	rewriter *rewriter
	failed   error // what the last serve returned
}

func (f *localFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, reason, refused := refusal(r); refused {
		refuse(w, status, 0, reason)
		return
	}
	header := f.rewriter.outbound(r)
	w.Header()["Via"] = []string{f.rewriter.via(1, 1)}
	w.Header()["X-Request-Id"] = header["X-Request-Id"]
	f.failed = f.u.serve(w, r, header, r.Body, r.ContentLength)
	switch err := f.failed; {
	case err == nil:
	case errors.Is(err, errCut):
		panic(http.ErrAbortHandler)
	case errors.Is(err, errUpstreamTimeout):
		refuse(w, http.StatusGatewayTimeout, 0, "the web server did not answer in time")
	case errors.Is(err, errBadTarget), errors.Is(err, errUpload):
		refuse(w, http.StatusBadRequest, 0, "the request cannot be passed on")
	default:
		refuse(w, http.StatusBadGateway, 0, "the web server failed")
	}
}

// before puts a front with an upstream of its own before the web server l.
func before(t *testing.T, l *pipes) (*pipes, *localFront) {
	t.Helper()
	u, err := newUpstream(upstreamConfig{URL: "http://127.0.0.1:8000", Dial: l.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.transport.CloseIdleConnections)
	f := &localFront{t: t, u: u, rewriter: newRewriter("web1", nil)}
	return serveHTTP(t, f), f
}

// upstreamSays is a web server that answers each request with these bytes and
// closes.
func upstreamSays(t *testing.T, bytes string) *pipes {
	return serveRaw(t, func(c net.Conn, _ string) {
		_, _ = io.WriteString(c, bytes) // the other side may have seen enough
	})
}

func TestRequestArrivesUnchanged(t *testing.T) {
	for _, target := range []string{
		"/u?a=1;b=2&c=%zz", "/a%2Fb//c", "/a|b^`{}\"<>", "/\xc3\xa4?\xff", "//x/y", "//x?", "/?", "/", "/%41/../.", "/;p=1?", "/?a?b/%",
	} {
		synctest.Test(t, func(t *testing.T) {
			heads := make(chan string, 1)
			web := serveRaw(t, func(c net.Conn, head string) {
				heads <- head
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			})
			front, _ := before(t, web)
			talk(t, front, "GET "+target+" HTTP/1.1\r\nHost: www.Example.com:81\r\n\r\n", 1000)
			head := ""
			select {
			case head = <-heads:
			default:
			}
			if !strings.HasPrefix(head, "GET "+target+" HTTP/1.1\r\nHost: www.Example.com:81\r\n") {
				t.Errorf("%s arrived as %q", target, head)
			}
			if strings.Contains(head, "User-Agent") || strings.Contains(head, "Accept-Encoding") || strings.Contains(head, "Connection") {
				t.Errorf("fields were added: %q", head)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct{ method, in, want string }{
		{"OPTIONS", "*", "OPTIONS * "},
		{"GET", "http://web/a%2Fb?c", "GET /a%2Fb?c "},
		{"GET", "http://web", "GET / "},
		{"GET", "http://web?x", "GET /?x "},
		{"OPTIONS", "http://web", "OPTIONS * "},
	} {
		synctest.Test(t, func(t *testing.T) {
			heads := make(chan string, 1)
			front, _ := before(t, serveRaw(t, func(c net.Conn, head string) {
				heads <- head
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}))
			talk(t, front, c.method+" "+c.in+" HTTP/1.1\r\nHost: web\r\n\r\n", 1000)
			if head := <-heads; !strings.HasPrefix(head, c.want) {
				t.Errorf("%s %s arrived as %q", c.method, c.in, head)
			}
		})
	}
}

func TestRefusedTargets(t *testing.T) {
	for _, in := range []string{"GET /a#b", "CONNECT web:80", "GET *", "GET web"} {
		synctest.Test(t, func(t *testing.T) {
			front, _ := before(t, serveRaw(t, func(net.Conn, string) { t.Errorf("%s was passed on", in) }))
			if out := talk(t, front, in+" HTTP/1.1\r\nHost: web\r\n\r\n", 1000); !strings.HasPrefix(out, "HTTP/1.1 400 ") {
				t.Errorf("%s: %q", in, out)
			}
		})
	}
}

// TestAnswers holds what a client sees of answers of every shape.
func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, method, says string
		want               string // the head's beginning
		body               string
		has                []string
		cut                bool // the connection ends before the answer does
	}{
		{"length", "GET", ok + "Content-Length: 5\r\nX: y\r\n\r\nhello", ok, "hello", []string{"X: y", "Content-Length: 5"}, false},
		{"until close", "GET", ok + "\r\nhello", ok, "hello", nil, false},
		{"chunked", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ok, "hello", nil, false},
		{"chunked in two", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", ok, "hello", nil, false},
		{"no type is guessed", "GET", ok + "Content-Length: 6\r\n\r\n<html>", ok, "<html>", []string{"!Content-Type"}, false},
		{"HEAD", "HEAD", ok + "Content-Length: 500\r\n\r\n", ok, "", []string{"Content-Length: 500"}, false},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n", "", []string{"!Content-Length"}, false},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n", "", []string{`Etag: "x"`}, false},
		{"418", "GET", "HTTP/1.1 418 Short And Stout\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 418 ", "", nil, false},
		{"redirect", "GET", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 302 ", "", []string{"Location: /x"}, false},
		{"hop by hop", "GET", ok + "Connection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
			ok, "", []string{"!X-Secret", "!Keep-Alive", "!Proxy-Authenticate", "!Upgrade"}, false},
		{"ours", "GET", ok + "Via: 1.1 cache\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n", ok, "", []string{"Via: 1.1 cache\r\nVia: 1.1 kecho-web1", "!theirs", "Server-Timing: upstream;dur="}, false},
		{"two cookies", "GET", ok + "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n", ok, "", []string{"Set-Cookie: a=1\r\nSet-Cookie: b=2"}, false},

		{"shorter than its length", "GET", ok + "Content-Length: 50\r\n\r\nhello", ok, "hello", nil, true},
		{"longer than its length", "GET", ok + "Content-Length: 5\r\n\r\nhello world", ok, "hello", nil, false},
		{"chunks break off", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ok, "hello", nil, true},
		{"chunks are garbage", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", ok, "hello", nil, true},

		{"garbage", "GET", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"nothing", "GET", "", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"half a head", "GET", ok + "Content-Le", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"two lengths", "GET", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"long head", "GET", ok + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"status 000", "GET", "HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"101 unasked", "GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"websocket unasked", "GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
		{"100 for ever", "GET", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 500) + ok + "Content-Length: 0\r\n\r\n", "HTTP/1.1 502 ", "kecho: the web server failed\n", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				front, _ := before(t, upstreamSays(t, c.says))
				out := talk(t, front, c.method+" / HTTP/1.1\r\nHost: web\r\n\r\n", 1000)
				head, _, _ := strings.Cut(out, "\r\n\r\n")
				if !strings.HasPrefix(out, c.want) {
					t.Fatalf("answer %q, want %q", out, c.want)
				}
				for _, want := range c.has {
					if absent, not := strings.CutPrefix(want, "!"); strings.Contains(head, strings.TrimPrefix(want, "!")) == not {
						t.Errorf("%q: want %q absent: %v (%s)", head, want, not, absent)
					}
				}
				res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(out)), &http.Request{Method: c.method})
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				if string(body) != c.body || (err != nil) != c.cut {
					t.Errorf("body %q, %v; want %q, cut off: %v", body, err, c.body, c.cut)
				}
			})
		})
	}
}

func TestUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveRaw(t, func(c net.Conn, head string) {
			if !strings.Contains(head, "Upgrade: websocket\r\n") || !strings.Contains(head, "Connection: Upgrade\r\n") ||
				!strings.Contains(head, "Sec-Websocket-Key: x\r\n") {
				t.Errorf("the upgrade arrived as %q", head)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\nwelcome")
			_, _ = io.Copy(c, c)
		})
		front, f := before(t, web)
		c, err := front.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		// What follows looks like a request with broken chunks: it must pass.
		const frames = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzzzzzzzzzzzzzzzz"
		go func() {
			_, _ = io.WriteString(c, "GET /chat HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n"+frames)
		}()
		head := readHead(c)
		if !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") || !strings.Contains(head, "Upgrade: websocket\r\n") ||
			!strings.Contains(head, "Sec-Websocket-Accept: y\r\n") || !strings.Contains(head, "Via: 1.1 kecho-web1\r\n") {
			t.Errorf("the upgrade came back as %q", head)
		}
		got := make([]byte, len("welcome"+frames))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "welcome"+frames {
			t.Errorf("echo %q, %v", got, err)
		}
		for range 3 { // alone in its read too
			go func() { _, _ = io.WriteString(c, frames) }()
			if _, err := io.ReadFull(c, got[:len(frames)]); err != nil || string(got[:len(frames)]) != frames {
				t.Errorf("echo %q, %v", got[:len(frames)], err)
			}
		}
		_ = c.Close()
		synctest.Wait()
		if f.failed != nil {
			t.Errorf("a websocket that ended is an error: %v", f.failed)
		}
	})
}

func TestOnlyWebsocketUpgrades(t *testing.T) {
	for _, fields := range []string{
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"Connection: close\r\nUpgrade: websocket\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			heads := make(chan string, 1)
			front, _ := before(t, serveRaw(t, func(c net.Conn, head string) {
				heads <- head
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}))
			talk(t, front, "GET / HTTP/1.1\r\nHost: web\r\n"+fields+"\r\nx", 1000)
			if head := <-heads; strings.Contains(head, "pgrade") || strings.Contains(head, "ettings") {
				t.Errorf("%q arrived as %q", fields, head)
			}
		})
	}
}

func TestEarlyAnswersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := before(t, upstreamSays(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n"+
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		var links []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			links = append(links, fmt.Sprint(status, header["Link"], header["Via"]))
			return nil
		}})
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://web/", nil)
		res, err := client(t, front).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if want := []string{"103 [</a.css>] []", "103 [</b.css>] []"}; !slices.Equal(links, want) {
			t.Errorf("early answers %q, want %q", links, want)
		}
		if res.Header["Link"] != nil || res.Header.Get("Via") != "1.1 kecho-web1" {
			t.Errorf("the final head is %v", res.Header)
		}
	})
}

func TestOldClientsHearNoEarlyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := before(t, upstreamSays(t, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		if out := talk(t, front, "GET / HTTP/1.0\r\n\r\n", 1000); !strings.HasPrefix(out, "HTTP/1.0 200 OK\r\n") {
			t.Errorf("answer %q", out)
		}
	})
}

func TestExpectContinue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Expect") != "100-continue" {
				t.Errorf("Expect arrived as %q", r.Header["Expect"])
			}
			if r.URL.Path == "/no" {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d", len(body))
		}))
		front, _ := before(t, web)
		out := talk(t, front, "POST /yes HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", 1000)
		if !strings.HasPrefix(out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") || !strings.HasSuffix(out, "\r\n\r\n5") {
			t.Errorf("answer %q", out)
		}
		out = talk(t, front, "POST /no HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 1000)
		if !strings.HasPrefix(out, "HTTP/1.1 413 ") {
			t.Errorf("refused answer %q", out)
		}
	})
}

func TestTrailersBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path != "/quiet" {
				w.Header().Set("Trailer", "Sum, Connection")
			}
			if r.URL.Path == "/body" {
				_, _ = io.WriteString(w, "hello")
			}
			w.(http.Flusher).Flush()
			w.Header().Set("Sum", r.Trailer.Get("Sum")+"!")
			if r.URL.Path == "/quiet" {
				w.Header().Set(http.TrailerPrefix+"Sum", r.Trailer.Get("Sum")+"!")
			}
			w.Header().Set(http.TrailerPrefix+"Unannounced", "too")
		}))
		front, _ := before(t, web)
		for _, path := range []string{"/body", "/empty", "/quiet"} {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://web"+path, struct{ io.Reader }{strings.NewReader("x")})
			r.Trailer = http.Header{"Sum": {"42"}}
			res, err := client(t, front).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if err != nil || res.Trailer.Get("Sum") != "42!" || res.Trailer.Get("Unannounced") != "too" || res.Trailer["Connection"] != nil {
				t.Errorf("%s: trailers %v, %v", path, res.Trailer, err)
			}
		}
	})
}

// TestStreamsArriveAtOnce: an event is with the client before the next is made.
func TestStreamsArriveAtOnce(t *testing.T) {
	for _, head := range []string{"", "Content-Type: text/event-stream\r\nContent-Length: 30\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			next := make(chan struct{})
			web := serveRaw(t, func(c net.Conn, _ string) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n")
				for i := range 3 {
					_, _ = fmt.Fprintf(c, "data: %d\n\n\n", i)
					<-next
				}
			})
			front, _ := before(t, web)
			res, err := client(t, front).Get("http://web/")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := make([]byte, 10)
			for i := range 3 {
				if _, err := io.ReadFull(res.Body, lines); err != nil || string(lines) != fmt.Sprintf("data: %d\n\n\n", i) {
					t.Errorf("event %d: %q, %v", i, lines, err)
				}
				next <- struct{}{}
			}
		})
	}
}

func TestClientThatGoesEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := make(chan error, 1)
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			cause <- r.Context().Err()
		}))
		front, f := before(t, web)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://web/", nil)
		if _, err := client(t, front).Do(r); err == nil {
			t.Error("there was an answer")
		}
		<-cause
		synctest.Wait()
		if !errors.Is(f.failed, context.Canceled) {
			t.Errorf("serve returned %v", f.failed)
		}
		if !f.u.up() {
			t.Error("the web server counts as down because a client went")
		}
	})
}

// TestLargeBodiesTakeNoMemory: 64 MiB each way, with the heap looked at on the
// way. Pipes have no buffers, so what is held is held by the front.
func TestLargeBodiesTakeNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 64 << 20
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.Copy(w, r.Body)
		}))
		front, _ := before(t, web)
		r, _ := http.NewRequestWithContext(t.Context(), "PUT", "http://web/", io.LimitReader(zeros{}, size))
		r.ContentLength = size
		res, err := client(t, front).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err = io.CopyN(io.Discard, res.Body, size/2); err != nil {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapInuse > 16<<20 {
			t.Errorf("%d MiB of heap in the middle of it", m.HeapInuse>>20)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != size/2 || err != nil {
			t.Errorf("%d bytes of %d came back: %v", n+size/2, size, err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestEarlyAnswerToAStalledUpload: the answer is passed on, nothing waits for
// the body, and the connection ends.
func TestEarlyAnswerToAStalledUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := before(t, serveRaw(t, func(c net.Conn, _ string) {
			_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
			_, _ = io.Copy(io.Discard, c)
		}))
		start := time.Now()
		out := talk(t, front, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 1000000\r\n\r\nsome", 1000)
		if !strings.HasPrefix(out, "HTTP/1.1 413 ") || !strings.HasSuffix(out, "\r\n\r\nno\n") {
			t.Errorf("answer %q", out)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("the connection ended after %v", took)
		}
	})
}

// TestEarlyAnswers: the web server answers and reads no more, while the client
// has sent everything, or goes on. The answer arrives, and nothing of the body
// is ever taken for a request.
func TestEarlyAnswers(t *testing.T) {
	for _, size := range []int{1, 1000, 100 << 10, 300 << 10, 3 << 20} {
		for _, sized := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				front, _ := before(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_ = http.NewResponseController(w).EnableFullDuplex()
					w.Header().Set("Connection", "close")
					w.WriteHeader(http.StatusTeapot)
				})))
				in := fmt.Sprintf("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
				if !sized {
					in = fmt.Sprintf("POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size))
				}
				out := talk(t, front, in+"GET / HTTP/1.1\r\nHost: web\r\n\r\n", 5000)
				answers := statusLine.FindAllString(out, -1)
				for _, status := range answers {
					if status != "HTTP/1.1 418 " {
						t.Errorf("%d bytes: %q", size, out)
					}
				}
				if len(answers) == 0 || len(answers) > 2 || len(answers) == 1 != strings.Contains(out, "Connection: close") {
					t.Errorf("%d bytes: %q", size, out)
				}
			})
		}
	}
}

// TestFullDuplex: the answer begins before the request has ended, and nothing
// of the request is lost.
func TestFullDuplex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			_, _ = io.Copy(flushing{w}, r.Body)
		}))
		front, _ := before(t, web)
		body, feed := io.Pipe()
		r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://web/", body)
		res, err := client(t, front).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for i := range 100 {
			line := fmt.Sprintf("line %04d\n", i)
			if _, err := io.WriteString(feed, line); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(line))
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != line {
				t.Fatalf("sent %q, got %q, %v", line, got, err)
			}
		}
		_ = feed.Close()
		if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
			t.Errorf("left over: %q, %v", rest, err)
		}
	})
}

type flushing struct{ http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	f.ResponseWriter.(http.Flusher).Flush()
	return n, err
}

func TestBrokenUploadIsTheClientsFault(t *testing.T) {
	for _, rest := range []string{"5\r\nhello\r\nzz\r\n", "5\r\nhello\n"} {
		synctest.Test(t, func(t *testing.T) {
			web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					t.Error("the web server saw a whole body")
				}
			}))
			front, f := before(t, web)
			out := talk(t, front, "POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n"+rest, 3)
			if !strings.HasPrefix(out, "HTTP/1.1 400 ") {
				t.Errorf("answer %q", out)
			}
			if _, ok := errors.AsType[*fault](f.failed); !ok || !errors.Is(f.failed, errUpload) {
				t.Errorf("serve returned %v", f.failed)
			}
		})
	}
}
