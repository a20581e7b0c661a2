package balancer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stalled is a client that sends nothing; its deadline ends a Read.
type stalled struct {
	http.ResponseWriter
	deadline chan time.Time
	reading  bool
}

func (s *stalled) Read([]byte) (int, error) {
	s.reading = true
	time.Sleep(time.Until(<-s.deadline))
	time.Sleep(time.Millisecond) // so that one who does not wait is seen
	s.reading = false
	return 0, os.ErrDeadlineExceeded
}

func (s *stalled) SetReadDeadline(t time.Time) error {
	s.deadline <- t
	return nil
}

func (s *stalled) Flush() {}

// TestUploadEnds: after end nothing reads; at once without an answer, after a
// moment with one.
func TestUploadEnds(t *testing.T) {
	for _, answered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client := &stalled{deadline: make(chan time.Time, 1)}
			r := asked(nil)
			b := newUpload(client, 10, r)
			go func() { _, _ = io.Copy(io.Discard, b) }()
			synctest.Wait()
			head := http.Header{}
			if answered {
				b.answered(client, r, head)
			}
			start := time.Now()
			b.end(client)
			if client.reading {
				t.Error("the body is still being read")
			}
			if took, want := time.Since(start), time.Millisecond; !answered && took != want || answered && took != want+lingerFor {
				t.Errorf("answered %v: it took %v", answered, took)
			}
			if (head.Get("Connection") == "close") != answered {
				t.Errorf("answered %v: head %v", answered, head)
			}
			if _, err := b.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("a read after the end: %v", err)
			}
		})
	}
}

// TestWholeUploadsKeepTheirConnection: neither a deadline nor a close.
func TestWholeUploadsKeepTheirConnection(t *testing.T) {
	for _, length := range []int64{5, -1} {
		r, head, client := asked(nil), http.Header{}, &stalled{deadline: make(chan time.Time, 1)}
		b := newUpload(strings.NewReader("hello"), length, r)
		if got, err := io.ReadAll(b); string(got) != "hello" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		b.answered(client, r, head)
		b.end(client)
		if len(head) != 0 || len(client.deadline) != 0 {
			t.Errorf("length %d: head %v, %d deadlines", length, head, len(client.deadline))
		}
	}
}

// TestKeptUploadsKeepTheirConnection: a body in memory that the web server did
// not want leaves nothing on the client's connection.
func TestKeptUploadsKeepTheirConnection(t *testing.T) {
	r, head, client := asked(nil), http.Header{}, &stalled{deadline: make(chan time.Time, 1)}
	b := newUpload((&payload{whole: []byte("hello"), length: 5}).reader(), 5, r)
	if n, err := b.Read(make([]byte, 2)); n != 2 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	b.answered(client, r, head)
	b.end(client)
	if len(head) != 0 || len(client.deadline) != 0 {
		t.Errorf("head %v, %d deadlines", head, len(client.deadline))
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("a read after the end: %v", err)
	}
}

func TestTrailersOfAnUpload(t *testing.T) {
	r := asked(nil)
	r.Trailer = http.Header{"Sum": nil, "Content-Length": nil}
	b := newUpload(strings.NewReader("hello"), -1, r)
	if _, announced := b.trailer["Sum"]; !announced || len(b.trailer) != 1 {
		t.Errorf("announced are %v", b.trailer)
	}
	r.Trailer["Sum"] = []string{"42"}
	if _, err := io.ReadAll(b); err != nil || b.trailer.Get("Sum") != "42" || len(b.trailer) != 1 {
		t.Errorf("%v, %v", b.trailer, err)
	}
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
		front, _ := frontBefore(t, web)
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

// TestLargeBodiesTakeNoMemory: 64 MiB each way, with the heap looked at on the
// way. Pipes have no buffers, so what is held is held by the front.
func TestLargeBodiesTakeNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 64 << 20
		before := liveHeap()
		web := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.Copy(w, r.Body)
		}))
		front, _ := frontBefore(t, web)
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
		if now := liveHeap(); now > before+8<<20 {
			t.Errorf("%d KiB held before and %d KiB in the middle of it", before>>10, now>>10)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != size/2 || err != nil {
			t.Errorf("%d bytes of %d came back: %v", n+size/2, size, err)
		}
	})
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestEarlyAnswerToAStalledUpload: the answer is passed on, nothing waits for
// the body, and the connection ends.
func TestEarlyAnswerToAStalledUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front, _ := frontBefore(t, serveRaw(t, func(c net.Conn, _ string) {
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
				front, _ := frontBefore(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
		front, _ := frontBefore(t, web)
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
			front, f := frontBefore(t, web)
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
