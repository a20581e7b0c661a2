package balancer

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		status      int
		after       time.Duration
		retry, conn string
		proxy       string
	}{
		{400, 0, "", "close", `kecho; error=http_request_error; details="say \"please\"?"`},
		{414, 0, "", "close", `kecho; error=http_request_error; details="say \"please\"?"`},
		{431, 0, "", "close", `kecho; error=http_request_error; details="say \"please\"?"`},
		{505, 0, "", "close", `kecho; error=http_request_error; details="say \"please\"?"`},
		{405, 0, "", "", `kecho; error=http_request_error; details="say \"please\"?"`},
		{502, 0, "", "", `kecho; error=destination_unavailable; details="say \"please\"?"`},
		{503, 1, "1", "", `kecho; error=connection_limit_reached; details="say \"please\"?"`},
		{503, 1500 * time.Millisecond, "2", "", `kecho; error=connection_limit_reached; details="say \"please\"?"`},
		{504, 2 * time.Second, "2", "", `kecho; error=connection_timeout; details="say \"please\"?"`},
		{500, 0, "", "", `kecho; error=proxy_internal_error; details="say \"please\"?"`},
	} {
		w := httptest.NewRecorder()
		refuse(w, c.status, c.after, "say \"please\"\n")
		h := w.Header()
		if w.Code != c.status || h.Get("Retry-After") != c.retry || h.Get("Connection") != c.conn || h.Get("Proxy-Status") != c.proxy {
			t.Errorf("%d after %v: %d %v", c.status, c.after, w.Code, h)
		}
		if w.Body.String() != "kecho: say \"please\"\n\n" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
			t.Errorf("%d: body %q as %q", c.status, w.Body, h.Get("Content-Type"))
		}
	}
	w := httptest.NewRecorder()
	w.Header().Set("Proxy-Status", "kecho-web2; next-hop=web4")
	if refuse(w, 502, 0, "x"); w.Header().Get("Proxy-Status") != "kecho-web2; next-hop=web4" {
		t.Errorf("the caller's Proxy-Status became %q", w.Header()["Proxy-Status"])
	}
}

// TestRespondBeforeTheHead: what fails before the first byte leaves the
// answer to the caller.
func TestRespondBeforeTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // an unsized answer waits for its first bytes, by the clock
		sized := http.Header{"Content-Length": {"5"}, "Content-Encoding": {"gzip"}}
		broken := errors.New("broken")
		for name, call := range map[string]func(w http.ResponseWriter) error{
			"sized": func(w http.ResponseWriter) error { return respond(w, 200, sized, nil, iotest.ErrReader(broken)) },
			"unsized": func(w http.ResponseWriter) error {
				return respond(w, 200, http.Header{"A": {"b"}}, nil, iotest.ErrReader(broken))
			},
		} {
			w := httptest.NewRecorder()
			w.Header().Set("Via", "us")
			if err := call(w); !errors.Is(err, broken) || errors.Is(err, errCut) || len(w.Header()) != 1 {
				t.Errorf("%s: %v, head %v", name, err, w.Header())
			}
		}
	})
	sized := http.Header{"Content-Length": {"5"}}
	for _, status := range []int{0, 99, 100, 101, 199, 1000} {
		w := httptest.NewRecorder()
		if err := respond(w, status, sized, nil, nil); !errors.Is(err, errBadAnswer) || len(w.Header()) != 0 {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

func TestRespondAfterTheHead(t *testing.T) {
	broken := errors.New("broken")
	w := httptest.NewRecorder()
	err := respond(w, 201, http.Header{"Content-Length": {"50"}}, nil, io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(broken)))
	if !errors.Is(err, errCut) || !errors.Is(err, broken) || w.Code != 201 || w.Body.String() != "hello" || !w.Flushed {
		t.Errorf("%v after %d %q, flushed %v", err, w.Code, w.Body, w.Flushed)
	}
	if err := respond(deafWriter{httptest.NewRecorder()}, 200, http.Header{}, nil, strings.NewReader("hello")); !errors.Is(err, errCut) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a client that is gone: %v", err)
	}
}

type deafWriter struct{ http.ResponseWriter }

func (deafWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRespondMerges(t *testing.T) {
	w := httptest.NewRecorder()
	ours := w.Header()
	ours["Via"], ours["X-Request-Id"], ours["Server-Timing"] = []string{"1.1 kecho-a"}, []string{"ours"}, []string{"queue;dur=1"}
	header := http.Header{"Via": {"1.0 x"}, "X-Request-Id": {"theirs"}, "A": {"1", "2"}, "Content-Type": {"text/plain"}}
	if err := respond(w, 200, header, nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Via": "1.0 x|1.1 kecho-a", "X-Request-Id": "ours", "Server-Timing": "queue;dur=1", "A": "1|2", "Content-Type": "text/plain"} {
		if got := strings.Join(ours[name], "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
