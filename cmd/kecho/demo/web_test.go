package demo_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/cmd/kecho/demo"
)

func serve(ctx context.Context, web *demo.Web, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	web.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)).WithContext(ctx))
	return w
}

func TestWorkersAreLimitedAndTheLineIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := demo.NewWeb(demo.WebConfig{Workers: 2, Work: 10 * time.Millisecond})
		start := time.Now()
		done := make([]time.Duration, 6)
		var wg sync.WaitGroup
		for i := range done {
			wg.Go(func() {
				serve(t.Context(), web, "GET", "/", "")
				done[i] = time.Since(start)
			})
			synctest.Wait() // this one stands in line before the next comes
		}
		wg.Wait()
		for i, got := range done {
			if want := time.Duration(i/2+1) * 10 * time.Millisecond; got != want {
				t.Errorf("request %d took %v, want %v", i, got, want)
			}
		}
		if got, want := web.Stats(), (demo.WebStats{Served: 6, MaxRunning: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestClientThatGoesFreesItsWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := demo.NewWeb(demo.WebConfig{Workers: 1, Work: time.Hour})
		var wg sync.WaitGroup
		var cancels []context.CancelFunc
		for range 2 { // one at work, one in line
			ctx, cancel := context.WithCancel(t.Context())
			cancels = append(cancels, cancel)
			wg.Go(func() { serve(ctx, web, "GET", "/", "") })
			synctest.Wait()
		}
		for _, cancel := range cancels {
			cancel()
		}
		wg.Wait()
		if got, want := web.Stats(), (demo.WebStats{Cancelled: 2, MaxRunning: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if w := serve(t.Context(), web, "GET", "/", ""); w.Code != 200 {
			t.Errorf("the next request: %d", w.Code)
		}
	})
}

func TestWebAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := demo.NewWeb(demo.WebConfig{Name: "web7"})
		for _, tt := range []struct {
			method, target, body string
			status, length       int
			want                 string
		}{
			{"GET", "/", "", 200, -1, "hello from web7\n"},
			{"GET", "/a//b/../c?q=%zz", "", 200, -1, "hello from web7\n"},
			{"POST", "/x", "an echo", 200, 7, "an echo"},
			{"PUT", "/x", "", 200, 0, ""},
			{"GET", "/big?bytes=12", "", 200, 12, "kechokechoke"},
			{"GET", "/big?bytes=-1", "", 400, -1, "want /big?bytes=N with N >= 0\n"},
			{"GET", "/stats", "", 200, -1, `{"served":5,"max_running":1,"cancelled":0}` + "\n"},
		} {
			w := serve(t.Context(), web, tt.method, tt.target, tt.body)
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.target, w.Code, w.Body, tt.status, tt.want)
			}
			if got := w.Header().Get(demo.ServedBy); got != "web7" {
				t.Errorf("%s %s: %s: %q", tt.method, tt.target, demo.ServedBy, got)
			}
			if got := w.Header().Get("Content-Length"); tt.length >= 0 && got != strconv.Itoa(tt.length) {
				t.Errorf("%s %s: Content-Length %q, want %d", tt.method, tt.target, got, tt.length)
			}
		}
	})
}

// Larger than what is read before the work, so the rest is echoed as it comes.
func TestLargeBodyIsEchoed(t *testing.T) {
	web := demo.NewWeb(demo.WebConfig{Work: time.Nanosecond})
	server := httptest.NewServer(web)
	defer server.Close()
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	res, err := http.Post(server.URL, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes came back, %v; want the same %d", len(got), err, len(body))
	}
}

func TestEventsFlowUntilTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web := demo.NewWeb(demo.WebConfig{Name: "web7", Work: time.Millisecond})
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		w := serve(ctx, web, "GET", "/sse", "")
		if got := strings.Count(w.Body.String(), "data: web7\n\n"); got != 3 || !w.Flushed {
			t.Errorf("%d events, flushed %v; want 3 in 250 ms: %q", got, w.Flushed, w.Body)
		}
	})
}

func TestBusyIsTheCallersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := true
		web := demo.NewWeb(demo.WebConfig{Busy: func(r *http.Request) bool { time.Sleep(time.Second); return done }})
		start := time.Now()
		if w := serve(t.Context(), web, "POST", "/", "x"); w.Body.String() != "x" || time.Since(start) != time.Second {
			t.Errorf("%q after %v", w.Body, time.Since(start))
		}
		done = false
		serve(t.Context(), web, "POST", "/", "x")
		if got, want := web.Stats(), (demo.WebStats{Served: 1, Cancelled: 1, MaxRunning: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
