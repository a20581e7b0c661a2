package balancer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pattern is n bytes in which each place can be told from its neighbours, as
// a reader that never has more than a few of them; size is its reads' most.
func pattern(n int64, size int) io.Reader { return &patterned{left: n, size: size} }

type patterned struct {
	at, left int64
	size     int
}

func (p *patterned) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), int64(p.size), p.left))
	for i := range b[:n] {
		b[i] = byte(p.at*7 + p.at>>9)
		p.at++
	}
	p.left -= int64(n)
	return n, nil
}

func sumOf(r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return text(h), n, err
}

func text(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)[:8]) }

// TestAnswersAreEqual: what a client gets of a peer is what it would have got
// here.
func TestAnswersAreEqual(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		switch r.URL.Path {
		case "/empty":
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Content-Length", "1234")
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		case "/404":
			http.NotFound(w, r)
		case "/sized":
			w.Header().Set("Content-Length", "100000")
			_, _ = io.Copy(w, pattern(100_000, 10_000))
		case "/chunked":
			_, _ = io.Copy(w, pattern(100_000, 10_000))
		case "/notype":
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "<html>")
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.Copy(w, pattern(100_000, 10_000))
			w.Header().Set("X-Sum", "17")
			w.Header().Set(http.TrailerPrefix+"X-Late", "18")
		case "/trailers-alone":
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			w.Header().Set("X-Sum", "17")
		case "/hop":
			w.Header().Set("Connection", "X-Hop, keep-alive")
			w.Header().Set("X-Hop", "1")
			w.Header().Set("Keep-Alive", "timeout=5")
			_, _ = io.WriteString(w, "x")
		default:
			body, _ := io.ReadAll(r.Body)
			h := r.Header.Clone()
			h.Del("X-Request-Id")
			_, _ = fmt.Fprintf(w, "%s %s %s %v %s %v", r.Method, r.RequestURI, r.Host, h, body, r.Trailer)
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
		for _, path := range []string{
			"/empty", "/204", "/304", "/404", "/sized", "/chunked", "/notype", "/trailers", "/trailers-alone", "/hop",
			"/echo", "/e%2Fcho//x?a=1;b=2&c=%zz", "/?",
		} {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 2, tight)
				m := c.members[0]
				for _, m := range c.members {
					m.web.set(handler)
				}
				cl := client(t, serveHTTP(t, m))
				here := exchangeOnce(t, cl, method, path)
				synctest.Wait()
				m.web.set(work)
				local := m.fill(1, 10_000)
				moved := exchangeOnce(t, cl, method, path)
				if here != moved {
					t.Errorf("%s %s here\n%s\nby a peer\n%s", method, path, here, moved)
				}
				synctest.Wait()
				if m.Stats().Forwarded != 1 {
					t.Error("it was not forwarded")
				}
				await(local)
				c.idle()
			})
		}
	}
}

// exchangeOnce is all that a client sees of an answer, without what says who
// gave it.
func exchangeOnce(t *testing.T, cl *http.Client, method, path string) string {
	t.Helper()
	r, err := http.NewRequest(method, "http://web"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == "POST" {
		r.Body = io.NopCloser(strings.NewReader("some data"))
		r.ContentLength = 9
	}
	r.Header.Set("Te", "trailers")
	r.Header.Set("Cookie", "a=b")
	res, err := cl.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	sum := new(bytes.Buffer)
	n, err := io.Copy(sum, res.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	for _, name := range []string{"Served-By", "Server-Timing", "Proxy-Status", "X-Request-Id"} {
		delete(res.Header, name)
	}
	out := fmt.Sprintf("%s, length %d, %v, %d bytes, trailers %v\n", res.Status, res.ContentLength, res.TransferEncoding, n, res.Trailer)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		out += fmt.Sprintf("%s: %q\n", name, res.Header[name])
	}
	if n < 1000 {
		out += sum.String()
	}
	return out
}

// TestBodySizes: bodies of every size come whole, both ways, however they are
// cut and whether their length is known.
func TestBodySizes(t *testing.T) {
	for _, size := range []int64{0, 1, 100, 32<<10 - 10, 32<<10 - 9, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64 << 10, 64<<10 + 1, 256 << 10, 1<<20 + 3} {
		for _, sized := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				c, m, end := hot(t, 2, tight)
				c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
					sum, n, err := sumOf(r.Body)
					if err != nil {
						t.Errorf("upload of %d: %v", size, err)
					}
					w.Header().Set("Sum", sum)
					if sized {
						w.Header().Set("Content-Length", fmt.Sprint(n))
					}
					_, _ = io.Copy(w, pattern(n, 20_011))
				})
				r, _ := http.NewRequest("POST", "http://web/", pattern(size, 10_007))
				if sized {
					r.ContentLength = size
				}
				res, err := client(t, serveHTTP(t, m)).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				sum, n, err := sumOf(res.Body)
				want, _, _ := sumOf(pattern(size, 1000))
				if err != nil || n != size || sum != want || res.Header.Get("Sum") != want {
					t.Errorf("%d bytes, length known: %v: %d of %s came back (%v), want %s; the server read %s", size, sized, n, sum, err, want, res.Header.Get("Sum"))
				}
				end()
			})
		}
	}
}

// TestLargeDownload: 64 windows pass through while no more than one is held.
func TestLargeDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 16 << 20
		c, m, end := hot(t, 2, tight)
		var held int
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, io.TeeReader(pattern(size, 32<<10), writerFunc(func([]byte) {
				held = max(held, m.held())
			})))
		})
		res, err := client(t, serveHTTP(t, m)).Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		sum, n, err := sumOf(res.Body)
		want, _, _ := sumOf(pattern(size, 1<<20))
		if err != nil || n != size || sum != want {
			t.Errorf("%d bytes, %v, sum %s, want %s", n, err, sum, want)
		}
		if held == 0 || held > maxWindow {
			t.Errorf("at most %d bytes held, want some and no more than %d", held, maxWindow)
		}
		end()
	})
}

// held is how much memory the answers of open calls take.
func (m *member) held() (n int) {
	m.calls.mu.Lock()
	defer m.calls.mu.Unlock()
	for _, c := range m.calls.byID {
		c.in.mu.Lock()
		n += len(c.in.ring)
		c.in.mu.Unlock()
	}
	return n
}

type writerFunc func(b []byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

// TestSlowReader: a client that does not read holds a window, and the web
// server waits; when it reads again everything comes.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		c, m, end := hot(t, 2, tight)
		var written atomic.Int64
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, io.TeeReader(pattern(size, 8<<10), writerFunc(func(b []byte) { written.Add(int64(len(b))) })))
		})
		res, err := client(t, serveHTTP(t, m)).Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		// Beside the window: what both ends' copying and net/http hold.
		if n := written.Load(); n < maxWindow || n > maxWindow+128<<10 {
			t.Errorf("%d bytes were written while nobody read, want about %d", n, maxWindow)
		}
		if held := m.held(); held > maxWindow {
			t.Errorf("%d bytes held", held)
		}
		if _, n, err := sumOf(res.Body); n != size || err != nil {
			t.Errorf("%d bytes and %v in the end", n, err)
		}
		end()
	})
}

// TestEventStream: each event of an endless stream is with the client when it
// is sent, and the end of the client ends the stream.
func TestEventStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := 0; r.Context().Err() == nil; i++ {
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(time.Second):
				}
			}
		})
		start := time.Now()
		res, err := client(t, serveHTTP(t, m)).Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		for i := range 60 {
			if !lines.Scan() || lines.Text() != fmt.Sprint("data: ", i) || time.Since(start) != time.Duration(i)*time.Second {
				t.Fatalf("event %d: %q after %v", i, lines.Text(), time.Since(start))
			}
			lines.Scan()
		}
		_ = res.Body.Close()
		synctest.Wait()
		if len(c.members[1].web.ended) != 1 {
			t.Error("the web server still sends events")
		}
		end()
	})
}

// TestMovedUploadWindow: a web server that does not read holds the client back.
func TestMovedUploadWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		c, m, end := hot(t, 2, tight)
		goOn := make(chan struct{})
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			<-goOn
			sum, n, err := sumOf(r.Body)
			_, _ = fmt.Fprint(w, sum, n, err)
		})
		var read atomic.Int64
		body := io.TeeReader(pattern(size, 4<<10), writerFunc(func(b []byte) { read.Add(int64(len(b))) }))
		r, _ := http.NewRequest("PUT", "http://web/", body)
		cl := client(t, serveHTTP(t, m))
		answered := start(func() string {
			res, err := cl.Do(r)
			if err != nil {
				return err.Error()
			}
			text, _ := readAll(res.Body)
			return text
		})
		time.Sleep(time.Second)
		if n := read.Load(); n < maxWindow || n > maxWindow+128<<10 {
			t.Errorf("%d bytes were taken while nobody read, want about %d", n, maxWindow)
		}
		close(goOn)
		want, _, _ := sumOf(pattern(size, 1000))
		if got := <-answered; got != fmt.Sprint(want, size, nil) {
			t.Errorf("the server read %s, want %s", got, want)
		}
		end()
	})
}

// TestMovedUploadEarlyAnswer: a web server that answers before it has read
// everything is heard at once.
func TestMovedUploadEarlyAnswer(t *testing.T) {
	for _, reads := range []int64{0, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 2, tight)
			c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.CopyN(io.Discard, r.Body, reads)
				_ = http.NewResponseController(w).EnableFullDuplex()
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			})
			r, _ := http.NewRequest("PUT", "http://web/", pattern(1<<30, 4<<10))
			res, err := client(t, serveHTTP(t, m)).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := readAll(res.Body); res.StatusCode != 413 || body != "too large\n" || err != nil {
				t.Errorf("%s %q %v", res.Status, body, err)
			}
			end()
		})
	}
}

// TestMovedUploadStalls: a client that has stopped in the middle of its body
// hears the early answer too, and nothing waits for it.
func TestMovedUploadStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			http.Error(w, "no", http.StatusForbidden)
		})
		body, w := io.Pipe()
		r, _ := http.NewRequest("PUT", "http://web/", body)
		begun := time.Now()
		res, err := client(t, serveHTTP(t, m)).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 403 || time.Since(begun) > 50*time.Millisecond { // which net/http waits for its own writer
			t.Errorf("%s after %v, want 403 within 50 ms", res.Status, time.Since(begun))
		}
		time.Sleep(2 * time.Second)
		_ = w.Close()
		_ = res.Body.Close()
		end()
	})
}

// TestMovedUploadSlow: a body may take longer than an answer may.
func TestMovedUploadSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			text, err := readAll(r.Body)
			_, _ = fmt.Fprint(w, text, err)
		})
		body, w := io.Pipe()
		r, _ := http.NewRequest("PUT", "http://web/", body)
		cl := client(t, serveHTTP(t, m))
		answered := start(func() string {
			res, err := cl.Do(r)
			if err != nil {
				return err.Error()
			}
			text, _ := readAll(res.Body)
			return text
		})
		for range 5 {
			time.Sleep(10 * time.Second)
			_, _ = io.WriteString(w, "x")
		}
		_ = w.Close()
		if got := <-answered; got != "xxxxx<nil>" {
			t.Errorf("%s", got)
		}
		end()
	})
}

// TestMovedUploadEcho: the web server reads on after its answer has begun.
func TestMovedUploadEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 300_000
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			_ = control.EnableFullDuplex()
			_ = control.Flush()
			sum, n, err := sumOf(r.Body)
			_, _ = fmt.Fprint(w, sum, n, err)
		})
		body, w := io.Pipe()
		r, _ := http.NewRequest("PUT", "http://web/", body)
		res, err := client(t, serveHTTP(t, m)).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(w, pattern(size, 1000)) // what is missing is seen below
		_ = w.Close()
		want, _, _ := sumOf(pattern(size, 1000))
		if got, err := readAll(res.Body); got != fmt.Sprint(want, size, nil) || err != nil {
			t.Errorf("the server read %s (%v), want %s", got, err, want)
		}
		end()
	})
}

// TestMovedUploadTrailers: what the client sends after its body arrives.
func TestMovedUploadTrailers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, r *http.Request) {
			body, err := readAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %v %v", body, err, r.Trailer)
		})
		r, _ := http.NewRequest("POST", "http://web/", io.MultiReader(strings.NewReader("body")))
		r.Trailer = http.Header{"X-Sum": {"17"}}
		res, err := client(t, serveHTTP(t, m)).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := readAll(res.Body); body != "body <nil> map[X-Sum:[17]]" {
			t.Errorf("arrived: %s", body)
		}
		end()
	})
}

// TestMovedUploadBreaksOff: a client that goes in the middle of its body is no
// fault of the peer's, and the web server sees no whole request.
func TestMovedUploadBreaksOff(t *testing.T) {
	for _, sized := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 2, tight)
			var got error
			c.members[1].web.set(func(_ http.ResponseWriter, r *http.Request) { _, got = readAll(r.Body) })
			ctx, cancel := context.WithCancel(t.Context())
			body, w := io.Pipe()
			r, _ := http.NewRequestWithContext(ctx, "PUT", "http://web/", body)
			if sized {
				r.ContentLength = 1 << 20
			}
			cl := client(t, serveHTTP(t, m))
			answered := start(func() error {
				res, err := cl.Do(r)
				if err == nil {
					_ = res.Body.Close()
				}
				return err
			})
			_, _ = io.Copy(w, pattern(200_000, 1000))
			synctest.Wait()
			cancel()
			_ = w.CloseWithError(context.Canceled) // net/http waits for its reading
			if err := <-answered; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			synctest.Wait()
			if got == nil {
				t.Error("the web server took half a body for a whole one")
			}
			if s := m.Stats(); s.CopiesLost != 0 {
				t.Errorf("a peer was blamed: %+v", s)
			}
			end()
		})
	}
}

// TestMovedUploadPeerDies: a body that is on its way cannot be sent again.
func TestMovedUploadPeerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 3, tight)
		body, w := io.Pipe()
		r, _ := http.NewRequest("PUT", "http://web/", body)
		cl := client(t, serveHTTP(t, m))
		answered := start(func() int {
			res, err := cl.Do(r)
			if err != nil {
				return 0
			}
			_ = res.Body.Close()
			return res.StatusCode
		})
		_, _ = io.Copy(w, pattern(100_000, 1000))
		synctest.Wait()
		for _, peer := range c.members[1:] {
			if peer.Stats().Exchanges > 0 {
				c.cut(peer)
			}
		}
		synctest.Wait()
		_ = w.Close()
		if code := <-answered; code != 502 {
			t.Errorf("%d, want 502", code)
		}
		end()
	})
}
