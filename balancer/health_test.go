package balancer

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// watchedServer is a web server whose health is checked, and what is said of it.
type watchedServer struct {
	*upstream
	status atomic.Int64 // of its answers to the checks; 0: none comes
	closed atomic.Bool  // it refuses connections
	asked  atomic.Int64
	told   []bool
	log    bytes.Buffer
}

// checkedServer runs an upstream at url whose checks cfg says, until the test ends.
func checkedServer(t *testing.T, url string, cfg Health) *watchedServer {
	t.Helper()
	w := new(watchedServer)
	w.status.Store(200)
	web := serveHTTP(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		if r.Method != "GET" || r.RequestURI != "/health?deep" || r.UserAgent() != "kecho-health" || r.Host != "web" {
			t.Errorf("asked %s %s of %s by %s", r.Method, r.RequestURI, r.Host, r.UserAgent())
		}
		if status := w.status.Load(); status != 0 {
			rw.WriteHeader(int(status))
			return
		}
		<-r.Context().Done()
	}))
	var err error
	w.upstream, err = newUpstream(upstreamConfig{
		URL: url, Health: cfg, Changed: func(up bool) { w.told = append(w.told, up) }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if w.closed.Load() {
				return nil, errors.New("connection refused")
			}
			return web.dial(ctx, network, address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// TestHealthPath: as many checks in a row as are wanted decide, but for the first
// of all and a refused connection; each change is told and logged once.
func TestHealthPath(t *testing.T) {
	for _, url := range []string{"http://web/prefix", "h2c://web"} {
		synctest.Test(t, func(t *testing.T) {
			w := checkedServer(t, url, Health{Path: "/health?deep", Every: 4 * time.Second, Timeout: 2 * time.Second, Fall: 3, Rise: 2})
			checks := func(n int64, status int64) {
				w.status.Store(status)
				for until := w.asked.Load() + n; w.asked.Load() < until; {
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(2 * time.Second) // for one that is not answered
			}
			for _, step := range []struct {
				checks, status int64
				up             bool
				why            string
			}{
				{1, 204, true, ""}, {2, 503, true, ""}, {1, 301, true, ""}, {2, 404, true, ""},
				{1, 500, false, "GET /health?deep: it answered 500"}, {1, 200, false, "answered 500"}, {1, 400, false, "answered 400"}, {1, 200, false, "answered 400"},
				{1, 399, true, ""}, {3, 0, false, "GET /health?deep: no answer within 2s"}, {2, 200, true, ""},
			} {
				checks(step.checks, step.status)
				if now := w.health.now(); now.Up != step.up || w.up() != step.up || !strings.Contains(now.Why, step.why) || step.up != (now.Why == "") {
					t.Errorf("%s: after %d x %d: %+v", url, step.checks, step.status, now)
				}
			}
			w.closed.Store(true)
			w.client.CloseIdle()
			_, _ = w.dialOnce(t.Context())
			if w.up() {
				t.Error("it is up although it refused a connection")
			}
			w.closed.Store(false)
			if conn, err := w.dialOnce(t.Context()); err == nil {
				_ = conn.Close()
			}
			if w.up() {
				t.Error("it is up by a connection alone")
			}
			checks(1, 404)
			if now := w.health.now(); now.Why != "GET /health?deep: it answered 404" {
				t.Errorf("it takes connections again and answers 404, and what is wrong is %q", now.Why)
			}
			checks(2, 200)
			synctest.Wait()
			if want := []bool{false, true, false, true, false, true}; !slices.Equal(w.told, want) {
				t.Errorf("told %v", w.told)
			}
			if n := strings.Count(w.log.String(), "\n"); n != 6 {
				t.Errorf("%d log lines: %s", n, &w.log)
			}
		})
	}
}

// TestFirstCheckDecides: a web server that starts sick is given nothing.
func TestFirstCheckDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := checkedServer(t, "http://web", Health{Path: "/health?deep"})
		w.status.Store(503)
		time.Sleep(100 * time.Millisecond)
		if now := w.health.now(); now.Up || now.Bad != 1 {
			t.Errorf("%+v", now)
		}
		w.status.Store(200)
		time.Sleep(3 * time.Second)
		if now := w.health.now(); !now.Up || now.Good < 2 {
			t.Errorf("%+v", now)
		}
	})
}

// TestConnectionsAreChecks: without a path one that refused must take as many
// connections in a row as is wanted, and nothing is asked of one that is up.
func TestConnectionsAreChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := checkedServer(t, "http://web", Health{Every: 10 * time.Second, Rise: 3})
		time.Sleep(time.Minute)
		w.closed.Store(true)
		_, _ = w.dialOnce(t.Context())
		w.closed.Store(false)
		began := time.Now()
		for !w.up() {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took < 3*7500*time.Millisecond || took > 3*12500*time.Millisecond+time.Second {
			t.Errorf("up after %v", took)
		}
		if n := w.asked.Load(); n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestFailingIsShown: a web server that fails what it is given is shown and
// logged, once, and so is that it does not any more.
func TestFailingIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newCluster(t, 1, func(_ int, cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		m := c.members[0]
		for i, status := range []int{503, 200} {
			m.web.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			for range 30 {
				m.get("/")
			}
			s := m.Stats().Upstream
			if !s.Up || s.Failing != (status == 503) || s.Since.IsZero() {
				t.Errorf("after %d: %+v", status, s)
			}
			if n := strings.Count(log.String(), "the web server"); n != i+1 {
				t.Errorf("%d log lines: %s", n, &log)
			}
		}
	})
}
