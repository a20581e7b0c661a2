package balancer

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// movedThrough has a client send in to a node whose web server is down, so that a
// peer's answers: as bytes on all of the way, or by net/http's lane and the peer's
// way for what is more than bytes.
func movedThrough(t *testing.T, slow bool, in string, n int, methods []string) (saw, got string) {
	t.Helper()
	seen := new(sightings)
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, nil)
		m, peer := c.members[0], c.members[1]
		m.web.down.Store(true)
		_ = m.get("/") // so that the node knows it
		peer.web.set(seen.see(answerAs))
		l := serveHTTP(t, m)
		if slow {
			l, peer.bytes = serveLanes(t, m.Balancer, nil, nil), nil
		}
		got = exactly(t, talk(t, l, in, n), methods)
		time.Sleep(time.Second)
		c.idle()
	})
	return seen.String(), got
}

// TestMovedLanesAgree: whatever a client sends, a peer's web server sees the same
// as bytes and by requests of net/http, and the client gets the same.
func TestMovedLanesAgree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var in strings.Builder
		var methods []string
		for range rapid.IntRange(1, 3).Draw(r, "requests") {
			method := drawHead(r, &in)
			methods = append(methods, method)
			body := strings.Repeat("b", rapid.SampledFrom([]int{0, 0, 1, 100, 5000, 16 << 10, 20_000}).Draw(r, "body"))
			if method != "GET" && method != "HEAD" && body != "" {
				fmt.Fprintf(&in, "Content-Length: %d\r\n", len(body))
			} else {
				body = ""
			}
			in.WriteString("\r\n" + body)
		}
		text := in.String()
		n := rapid.SampledFrom([]int{len(text), 1 + len(text)/3}).Draw(r, "pieces")
		fastSaw, fastGot := movedThrough(t, false, text, n, methods)
		slowSaw, slowGot := movedThrough(t, true, text, n, methods)
		if fastSaw != slowSaw || fastGot != slowGot {
			r.Fatalf("%.2000q\nas bytes the web server saw\n%s\nand the client got\n%s\nby net/http it saw\n%s\nand the client got\n%s", text, fastSaw, fastGot, slowSaw, slowGot)
		}
	})
}

// atLane has a client ask the member in its lane with the bytes in, and is what
// comes back within a minute, until the connection ends.
func atLane(t *testing.T, m *member, in string) <-chan string {
	l := serveHTTP(t, m)
	return start(func() string { return talk(t, l, in, len(in)) })
}

const closing = hostLine + "Connection: close\r\n\r\n"

// TestMovedElsewhere: what a peer refuses goes to another, and what one has lost
// too where it may be repeated.
func TestMovedElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		say  func(p *rawPeer)
		want string
	}{
		"refused":       {"POST / HTTP/1.1\r\nContent-Length: 3\r\n" + closing + "abc", func(p *rawPeer) { p.say(typeBusy, p.ofType(typeRequest, 1)[0].ID, nil) }, "HTTP/1.1 200 "},
		"lost":          {"PUT / HTTP/1.1\r\nContent-Length: 3\r\n" + closing + "abc", func(p *rawPeer) { p.say(typeFailed, p.ofType(typeRequest, 1)[0].ID, nil) }, "HTTP/1.1 200 "},
		"lost for good": {"POST / HTTP/1.1\r\nContent-Length: 3\r\n" + closing + "abc", func(p *rawPeer) { p.say(typeFailed, p.ofType(typeRequest, 1)[0].ID, nil) }, "HTTP/1.1 502 "},
		"malformed": {"GET / HTTP/1.1\r\n" + closing, func(p *rawPeer) {
			p.say(typeAnswer, p.ofType(typeRequest, 1)[0].ID, packed(answerHead{Status: 200, Fin: true, Length: 1, Fields: []field{{"Connection", "x"}}}, "a"))
		}, "HTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl, m, end := hot(t, 1, tight)
				p := cl.raw()
				answer := atLane(t, m, c.in)
				synctest.Wait()
				cl.join(func(*Config) {}) // it takes what p gives back
				cl.settle()
				p.coy.Store(true)
				c.say(p)
				if got := <-answer; !strings.HasPrefix(got, c.want) {
					t.Errorf("%.100q, want %q", got, c.want)
				}
				if rest := cl.members[1].web.served.Load(); rest != 1 && !strings.Contains(c.want, "502") {
					t.Errorf("the other peer served %d", rest)
				}
				end()
			})
		})
	}
}

// TestMovedClientLeaves: a client that leaves while a peer has its request ends
// that.
func TestMovedClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		p := c.raw()
		conn := dialed(t, serveHTTP(t, m))
		say(conn, "GET / HTTP/1.1\r\n"+hostLine+"\r\n")
		asked := p.ofType(typeRequest, 1)[0]
		_ = conn.Close()
		left := time.Now()
		if e := p.ofType(typeCancel, 1)[0]; e.Re != asked.ID || time.Since(left) > 2*sweepEvery {
			t.Errorf("%v was cancelled after %v, want %v", e.Re, time.Since(left), asked.ID)
		}
		time.Sleep(time.Second)
		if s := m.Stats(); s.Abandoned != 1 || s.Forwarded != 0 {
			t.Errorf("%d abandoned, %d forwarded", s.Abandoned, s.Forwarded)
		}
		end()
	})
}

// TestMovedInVain: a request that nobody has time for is told so, and one that a
// place becomes free for here is answered here.
func TestMovedInVain(t *testing.T) {
	for want, length := range map[string]int{"HTTP/1.1 504 ": 60_000, "HTTP/1.1 200 ": 5_000} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 1, func(i int, cfg *Config) {
				tight(i, cfg)
				cfg.Policy.ShedAge = time.Minute
			})
			m := c.members[0]
			p := c.raw()
			p.coy.Store(true)
			local := m.fill(1, length)
			began := time.Now()
			answer := atLane(t, m, "GET / HTTP/1.1\r\n"+closing)
			got := <-answer
			if !strings.HasPrefix(got, want) || time.Since(began) > 31*time.Second {
				t.Errorf("%.100q after %v, want %q", got, time.Since(began), want)
			}
			await(local)
			time.Sleep(time.Second)
			c.idle()
		})
	}
}

// TestMovedLongAnswer: an answer of many events comes whole.
func TestMovedLongAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 2, tight)
		c.members[1].web.set(func(w http.ResponseWriter, _ *http.Request) {
			for range 300 {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			}
		})
		got := <-atLane(t, m, "GET / HTTP/1.1\r\n"+closing)
		if n := strings.Count(got, "x"); n < 300_000 || !strings.HasSuffix(got, "\r\n0\r\n\r\n") {
			t.Errorf("%d bytes, which end with %q", n, got[max(0, len(got)-20):])
		}
		end()
	})
}

// TestMovedUnkept: a body that no more may be kept beside is in memory all the same,
// and who has it says so before it answers.
func TestMovedUnkept(t *testing.T) {
	for _, ms := range []int{0, 1000} {
		synctest.Test(t, func(t *testing.T) {
			_, m, end := hot(t, 2, tight)
			m.replay.kept.Store(maxReplayed)
			in := fmt.Sprintf("PUT /?ms=%d HTTP/1.1\r\nContent-Length: 3\r\n%sabc", ms, closing)
			if got := <-atLane(t, m, in); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("after %d ms: %.100q", ms, got)
			}
			m.replay.kept.Add(-maxReplayed)
			end()
		})
	}
}
