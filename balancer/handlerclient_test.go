package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/h1"
)

// ask has a handler answer r, and is the answer with its body.
func ask(t *testing.T, h http.HandlerFunc, r *h1.Request) (*http.Response, string, error) {
	t.Helper()
	c := newHandlerClient(h, time.Second, slog.New(slog.DiscardHandler))
	t.Cleanup(c.CloseIdle)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	res, err := c.Do(t.Context(), r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := readAll(res.Body)
	return res, body, err
}

// TestHandlerAnswers: an answer is what net/http would make of it.
func TestHandlerAnswers(t *testing.T) {
	for _, c := range []struct {
		name, method string
		handle       http.HandlerFunc
		want         string // status, length, type, trailers, body
	}{
		{"nothing", "GET", func(http.ResponseWriter, *http.Request) {}, "200 0  map[] "},
		{"small", "GET", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "200 6 text/html; charset=utf-8 map[] <html>"},
		{"no type", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "<html>")
		}, "200 6  map[] <html>"},
		{"head", "HEAD", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "four") }, "200 4  map[] "},
		{"no content", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Error("a body with a 204:", err)
			}
		}, "204 -1  map[] "},
		{"flushed", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "more")
		}, "200 -1  map[] more"},
		{"large", "GET", func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				_, _ = io.WriteString(w, strings.Repeat("a", maxHeld/2))
			}
		}, "200 -1 text/plain; charset=utf-8 map[] " + strings.Repeat("a", 5*maxHeld/2)},
		{"sized", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			_, _ = io.WriteString(w, "abc")
			if _, err := io.WriteString(w, "d"); !errors.Is(err, http.ErrContentLength) {
				t.Error("a body that is too long:", err)
			}
		}, "200 3 text/plain; charset=utf-8 map[] abc"},
		{"trailers", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Sum")
			w.Header().Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, "abc")
			w.Header().Set("Sum", "3")
			w.Header().Set(http.TrailerPrefix+"Late", "4")
		}, "200 -1 a/b map[Late:[4] Sum:[3]] abc"},
		{"line end", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a\r\nSet-Cookie: x")
		}, "200 0 a  Set-Cookie: x map[] "},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				res, body, err := ask(t, c.handle, &h1.Request{Method: c.method, Target: "/", Host: "web"})
				if err != nil {
					t.Fatal(err)
				}
				trailer := http.Header{}
				for name, values := range res.Trailer {
					trailer[name] = values
				}
				if got := fmt.Sprint(res.StatusCode, " ", res.ContentLength, " ", res.Header.Get("Content-Type"), " ", map[string][]string(trailer), " ", body); got != c.want {
					t.Errorf("got %.200q, want %.200q", got, c.want)
				}
			})
		})
	}
}

// TestHandlerRequests: a handler gets what the owner was sent.
func TestHandlerRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrote := false
		_, body, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
			b, err := readAll(r.Body)
			fmt.Fprintln(w, r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, r.RemoteAddr, r.ContentLength, b, err, r.Trailer)
		}, &h1.Request{
			Method: "POST", Target: "/a%2Fb?c=%zz", Host: "web", Header: http.Header{"X-Forwarded-For": {"10.0.0.9, 2001:db8::7"}},
			Body: bytes.NewReader([]byte("body")), Length: 4, Wrote: func() { wrote = true },
		})
		if want := "POST /a%2Fb?c=%zz /a/b c=%zz web [2001:db8::7]:0 4 body <nil> map[]\n"; err != nil || body != want || !wrote {
			t.Errorf("got %q, %v, want %q; wrote %v", body, err, want, wrote)
		}
	})
}

// TestHandlerFails: what is no answer, or not the whole of one, is an error, and
// the handler's context ends with what nobody waits for.
func TestHandlerFails(t *testing.T) {
	get := func() *h1.Request { return &h1.Request{Method: "GET", Target: "/", Host: "web"} }
	wait := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, c := range []struct {
		name   string
		handle http.HandlerFunc
		ask    *h1.Request
		want   error
	}{
		{"panic", func(http.ResponseWriter, *http.Request) { panic("oh") }, get(), errPanicked},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, get(), errPanicked},
		{"late panic", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			panic("oh")
		}, get(), errPanicked},
		{"short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			_, _ = io.WriteString(w, "ab")
		}, get(), io.ErrUnexpectedEOF},
		{"no status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(7) }, get(), errPanicked},
		{"silent", wait, get(), h1.ErrTimeout},
		{"silent after the body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			wait(w, r)
		}, &h1.Request{Method: "POST", Target: "/", Body: strings.NewReader("x"), Length: 1}, h1.ErrTimeout},
		{"target", wait, &h1.Request{Method: "GET", Target: "/%zz"}, h1.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if _, body, err := ask(t, c.handle, c.ask); !errors.Is(err, c.want) {
					t.Errorf("got %q, %v, want %v", body, err, c.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // by its caller's context
		ctx, cancel := context.WithCancelCause(t.Context())
		c := newHandlerClient(http.HandlerFunc(wait), time.Hour, slog.New(slog.DiscardHandler))
		time.AfterFunc(time.Second, func() { cancel(errLost) })
		if _, err := c.Do(ctx, &h1.Request{Method: "GET", Target: "/", Header: http.Header{}}); !errors.Is(err, errLost) {
			t.Error(err)
		}
		c.CloseIdle()
	})
	synctest.Test(t, func(t *testing.T) { // by a body that nobody reads on
		c := newHandlerClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, maxHeld))
			}
		}), time.Hour, slog.New(slog.DiscardHandler))
		res, err := c.Do(t.Context(), &h1.Request{Method: "GET", Target: "/", Header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		c.CloseIdle()
	})
}

// TestHandlerEarlyAndUpgrade: informational answers come before the final one,
// and a connection can be taken over.
func TestHandlerEarlyAndUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var early []string
		res, body, err := ask(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			_, _ = io.WriteString(w, "done")
		}, &h1.Request{Method: "GET", Target: "/", Early: func(status int, h http.Header) error {
			early = append(early, fmt.Sprint(status, h.Get("Link")))
			return nil
		}})
		if err != nil || body != "done" || res.Header.Get("Link") != "" || fmt.Sprint(early) != "[103</a.css>]" {
			t.Errorf("%q, %v, early %v", body, err, early)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newHandlerClient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, rest, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			_, _ = io.Copy(conn, rest)
		}), time.Hour, slog.New(slog.DiscardHandler))
		res, err := c.Do(t.Context(), &h1.Request{Method: "GET", Target: "/", Header: http.Header{"Upgrade": {"websocket"}}})
		if err != nil || res.StatusCode != 101 {
			t.Fatal(res, err)
		}
		conn := res.Body.(io.ReadWriteCloser)
		go func() { _, _ = io.WriteString(conn, "frames") }()
		got := make([]byte, 6)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "frames" {
			t.Errorf("echo %q, %v", got, err)
		}
		_ = conn.Close()
		c.CloseIdle()
	})
}
