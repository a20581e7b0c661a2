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
	"slices"
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
	f.failed = f.u.serve(w, r, &outgoing{header: header, body: r.Body, length: r.ContentLength})
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

// frontBefore puts a front with an upstream of its own before the web server l.
func frontBefore(t *testing.T, l *pipes) (*pipes, *localFront) {
	t.Helper()
	return frontOf(t, "http://127.0.0.1:8000", l)
}

// frontOf puts one before the upstream url, which is dialled at l.
func frontOf(t *testing.T, url string, l *pipes) (*pipes, *localFront) {
	t.Helper()
	u, err := newUpstream(upstreamConfig{URL: url, Dial: l.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.client.CloseIdle)
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
			front, _ := frontBefore(t, web)
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
			front, _ := frontBefore(t, serveRaw(t, func(c net.Conn, head string) {
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
			front, _ := frontBefore(t, serveRaw(t, func(net.Conn, string) { t.Errorf("%s was passed on", in) }))
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
		{"204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n", "", []string{"!Content-Length"}, false},
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
				front, _ := frontBefore(t, upstreamSays(t, c.says))
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

func TestEarlyAnswersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := frontBefore(t, upstreamSays(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n"+
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
		front, _ := frontBefore(t, upstreamSays(t, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		if out := talk(t, front, "GET / HTTP/1.0\r\n\r\n", 1000); !strings.HasPrefix(out, "HTTP/1.0 200 OK\r\n") {
			t.Errorf("answer %q", out)
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
		front, _ := frontBefore(t, web)
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

// TestHTTP2Clients: body and trailers both ways, and an early answer.
func TestHTTP2Clients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/no" {
				w.Header().Set("Connection", "close") // else it waits for the body
				w.WriteHeader(http.StatusTeapot)
				return
			}
			body, err := io.ReadAll(r.Body)
			w.Header().Set("Trailer", "Sum")
			fmt.Fprintf(w, "%s %s %d %v %s", r.Host, r.Header.Get("Via"), len(body), err, r.Header.Get("Te"))
			w.Header().Set("Sum", r.Trailer.Get("Sum"))
		}))
		front, _ := frontBefore(t, web)
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{DialContext: front.dial, Protocols: &protocols}
		defer transport.CloseIdleConnections()
		for range 2 {
			stalled, never := io.Pipe()
			r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://web/no", stalled)
			res, err := transport.RoundTrip(r)
			if err != nil || res.StatusCode != http.StatusTeapot {
				t.Fatalf("early answer: %v, %v", res, err)
			}
			_ = res.Body.Close()
			_ = never.Close()
			r, _ = http.NewRequestWithContext(t.Context(), "POST", "http://web/", struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 100<<10))})
			r.Trailer, r.Header["Te"] = http.Header{"Sum": {"42"}}, []string{"trailers"}
			if res, err = transport.RoundTrip(r); err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if want := "web 2 kecho-web1 102400 <nil> trailers"; string(body) != want || err != nil || res.Trailer.Get("Sum") != "42" || res.ProtoMajor != 2 {
				t.Errorf("%s %q, %v, trailers %v; want %q", res.Proto, body, err, res.Trailer, want)
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
			front, _ := frontBefore(t, web)
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
		front, f := frontBefore(t, web)
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
