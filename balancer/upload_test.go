package balancer

import (
	"errors"
	"io"
	"net/http"
	"os"
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

func TestUploadTrailers(t *testing.T) {
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
