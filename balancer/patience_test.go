package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// running is a balancer that runs until the test ends.
func running(t *testing.T, cfg Config) *Balancer {
	t.Helper()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// lone is a whole balancer on its own before web, with two places.
func lone(t *testing.T, web *pipes) (*pipes, *Balancer) {
	t.Helper()
	limits := defaults()
	limits.Places, limits.Hard = 2, 2
	b := running(t, Config{Name: "web1", Upstream: "http://web", Dial: web.dial, Policy: limits})
	return serveHTTP(t, b), b
}

// overHTTP2 is a client that speaks HTTP/2 with prior knowledge.
func overHTTP2(t *testing.T, l *pipes) *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{DialContext: l.dial, Protocols: &protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// bothClients are one of each protocol.
func bothClients(t *testing.T, l *pipes) map[string]*http.Client {
	return map[string]*http.Client{"HTTP/1": client(t, l), "HTTP/2": overHTTP2(t, l)}
}

// TestStalledUploads: a body of which nothing comes is given up after 15 s, is
// answered 408, and its place is free.
func TestStalledUploads(t *testing.T) {
	for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
		for _, length := range []int64{10, -1, 1 << 20} {
			synctest.Test(t, func(t *testing.T) {
				front, b := lone(t, serveHTTP(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
				})))
				web := bothClients(t, front)[protocol]
				began := time.Now()
				got := make(chan string, 2)
				for range 2 {
					body, feed := io.Pipe()
					r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://web/", body)
					r.ContentLength = length
					go func() { _, _ = io.WriteString(feed, "ab") }()
					go func() {
						res, err := web.Do(r)
						if err != nil {
							got <- err.Error()
							return
						}
						text, _ := readAll(res.Body)
						_ = feed.Close()
						got <- fmt.Sprint(res.StatusCode, " ", string(text))
					}()
				}
				for range 2 {
					if answer := <-got; answer != "408 kecho: "+faultSlowBody.reason+"\n" {
						t.Errorf("%s, length %d: %s", protocol, length, answer)
					}
				}
				if took := time.Since(began); took > bodyPatience || took < bodyPatience-renewAfter {
					t.Errorf("%s, length %d: it took %v", protocol, length, took)
				}
				if s := b.Stats(); s.State.Running != 0 {
					t.Errorf("%s, length %d: %d places are taken", protocol, length, s.State.Running)
				}
			})
		}
	}
}

// TestStalledForwards: the same of a body that a peer gets.
func TestStalledForwards(t *testing.T) {
	for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 2, tight)
			web := bothClients(t, serveHTTP(t, m))[protocol]
			body, feed := io.Pipe()
			go func() { _, _ = io.WriteString(feed, "ab") }()
			began := time.Now()
			res, err := web.Post("http://web/", "", body)
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := readAll(res.Body); res.StatusCode != 408 || string(text) != "kecho: "+faultSlowBody.reason+"\n" {
				t.Errorf("%s: %d %q", protocol, res.StatusCode, text)
			}
			if took := time.Since(began); took > bodyPatience {
				t.Errorf("%s: it took %v", protocol, took)
			}
			_ = feed.Close()
			synctest.Wait()
			if n := c.members[1].Stats().Exchanges; n != 0 {
				t.Errorf("%s: the peer still serves %d", protocol, n)
			}
			end()
		})
	}
}

// TestUnreadUploads: a body that nobody wants does not hold its connection.
func TestUnreadUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		front := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = refusal(r)
			refuse(w, http.StatusServiceUnavailable, 0, "no")
		}))
		began := time.Now()
		out := talk(t, front, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 10\r\n\r\nab", 1000)
		if !strings.HasPrefix(out, "HTTP/1.1 503 ") || time.Since(began) > bodyPatience+time.Second {
			t.Errorf("%q after %v", out, time.Since(began))
		}
	})
}

// TestSlowUploads: a body that makes progress takes as long as it takes, and
// what is after it too.
func TestSlowUploads(t *testing.T) {
	for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
		synctest.Test(t, func(t *testing.T) {
			front, _ := frontBefore(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				time.Sleep(25 * time.Second)
				fmt.Fprint(w, len(body), err, r.Context().Err())
			})))
			web := bothClients(t, front)[protocol]
			for range 2 { // on one connection
				body, feed := io.Pipe()
				go func() {
					for range 10 {
						time.Sleep(13 * time.Second)
						_, _ = feed.Write([]byte("x"))
					}
					_ = feed.Close()
				}()
				res, err := web.Post("http://web/", "", body)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := readAll(res.Body); string(text) != "10 <nil> <nil>" || err != nil {
					t.Errorf("%s: %d %q %v", protocol, res.StatusCode, text, err)
				}
				time.Sleep(50 * time.Second)
			}
		})
	}
}

// TestStalledReaders: who takes nothing of an answer for 30 s is cut, and the
// place is free; who takes some of it is not.
func TestStalledReaders(t *testing.T) {
	for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
		synctest.Test(t, func(t *testing.T) {
			front, b := lone(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(1<<30))
				_, _ = io.Copy(w, zeros{})
			})))
			web := bothClients(t, front)[protocol]
			res, err := web.Get("http://web/")
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				time.Sleep(20 * time.Second)
				if n, err := io.CopyN(io.Discard, res.Body, 5<<20); err != nil {
					t.Fatalf("%s: %d bytes, %v", protocol, n, err)
				}
			}
			synctest.Wait()
			if n := b.Stats().State.Running; n != 1 {
				t.Errorf("%s: %d places are taken by who reads", protocol, n)
			}
			time.Sleep(writePatience)
			synctest.Wait()
			if n := b.Stats().State.Running; n != 0 {
				t.Errorf("%s: %d places are taken by who does not", protocol, n)
			}
			_ = res.Body.Close()
		})
	}
}

// TestAFewBytesAreProgress: the client takes a byte now and then, less than is
// written at a time.
func TestAFewBytesAreProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		g := newGuarded(near, nil)
		began := time.Now()
		go func() {
			for range 10 {
				time.Sleep(20 * time.Second)
				_, _ = far.Read(make([]byte, 1))
			}
		}()
		n, err := g.Write(make([]byte, 100))
		if took := time.Since(began); n != 10 || !isTimeout(err) || took < 200*time.Second || took > 260*time.Second {
			t.Errorf("%d bytes, %v, after %v", n, err, took)
		}
	})
}

// TestQuietStreams: an answer that has nothing to say is not a slow reader's.
func TestQuietStreams(t *testing.T) {
	for _, protocol := range []string{"HTTP/1", "HTTP/2"} {
		synctest.Test(t, func(t *testing.T) {
			front, _ := frontBefore(t, serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for range 3 {
					_, _ = io.WriteString(flushing{w}, "data: x\n\n")
					time.Sleep(10 * time.Minute)
				}
			})))
			res, err := bothClients(t, front)[protocol].Get("http://web/")
			if err != nil {
				t.Fatal(err)
			}
			if text, err := readAll(res.Body); len(text) != 27 || err != nil {
				t.Errorf("%s: %q %v", protocol, text, err)
			}
		})
	}
}

// TestSlowHeads: a head has 5 s from its first byte, on a connection that was
// used before too, and not while an earlier request is served.
func TestSlowHeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cancelled atomic.Bool
		l := newPipes()
		server := &http.Server{
			ConnContext: GuardContext, ReadHeaderTimeout: headPatience, IdleTimeout: time.Minute,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if status, reason, refused := refusal(r); refused {
					refuse(w, status, 0, reason)
					return
				}
				time.Sleep(20 * time.Second)
				cancelled.Store(r.Context().Err() != nil)
			}),
		}
		done := make(chan error, 1)
		go func() { done <- server.Serve(Guard(l, nil)) }()
		for _, in := range []string{"GET / HTTP/1.1\r\nHost", "GET / HTTP/1.1\r\nHost: web\r\n\r\nGET /2"} {
			began := time.Now()
			out := talk(t, l, in, 1000)
			want := headPatience
			if strings.HasSuffix(in, "/2") {
				want += 20 * time.Second
			}
			if took := time.Since(began).Truncate(time.Second); took != want || !strings.HasSuffix(out, "kecho: "+faultSlowHead.reason+"\n") {
				t.Errorf("%q: %q after %v, want %v", in, out, took, want)
			}
		}
		if cancelled.Load() {
			t.Error("a request was cancelled because the next one is slow")
		}
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		time.Sleep(time.Second)
	})
}

// TestTimeoutIsFromTheArrival: the wait for a place counts; a body that is
// still being sent does not.
func TestTimeoutIsFromTheArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := defaults()
		limits.Places, limits.Hard, limits.ShedAge = 1, 1, time.Minute
		web := newWebServer(t, "web")
		b := running(t, Config{Name: "web1", Upstream: "http://web", Dial: web.dial, Policy: limits, Timeout: 3 * time.Second})
		m := &member{Balancer: b}
		first := start(func() *outcome { return m.get("/?ms=500") })
		synctest.Wait()
		if res := m.get("/?ms=3000"); res.Code != 504 || res.took != 3*time.Second {
			t.Errorf("%d after %v, want 504 after 3 s, of which 0.5 s in the queue", res.Code, res.took)
		}
		if res := <-first; res.Code != 200 {
			t.Errorf("the first: %d", res.Code)
		}
		body, feed := io.Pipe()
		go func() {
			for range 8 {
				time.Sleep(time.Second)
				_, _ = feed.Write([]byte("x"))
			}
			_ = feed.Close()
		}()
		r := request("POST", "/?ms=2000", "")
		r.Body, r.ContentLength = body, -1
		if res := m.do(r); res.Code != 200 || res.took != 8*time.Second {
			t.Errorf("a body of 8 s: %d after %v", res.Code, res.took)
		}
	})
}
