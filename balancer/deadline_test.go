package balancer

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// withDeadlines has the members know X-Timeout, and one place each.
func withDeadlines(_ int, cfg *Config) {
	cfg.DeadlineHeader = "X-Timeout"
	cfg.Policy.Places, cfg.Policy.Hard = 1, 1
}

// saying is a GET whose client waits so long.
func saying(target string, fields ...string) *http.Request {
	r := request("GET", target, "")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

// TestDeadline: the least of what is said and of the agent's time counts, here,
// in the queue and at a peer.
func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields []string
		want   time.Duration
	}{
		{"the agent's", nil, 30 * time.Second},
		{"milliseconds", []string{"X-Timeout", "700"}, 700 * time.Millisecond},
		{"a unit", []string{"X-Timeout", "1.5s"}, 1500 * time.Millisecond},
		{"gRPC's", []string{"Grpc-Timeout", "900m"}, 900 * time.Millisecond},
		{"the least", []string{"X-Timeout", "2s", "Grpc-Timeout", "1S"}, time.Second},
		{"more than the agent's", []string{"X-Timeout", "2h"}, 30 * time.Second},
		{"nonsense", []string{"X-Timeout", "soon", "Grpc-Timeout", "-1S"}, 30 * time.Second},
		{"nothing left", []string{"X-Timeout", "0"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 2, withDeadlines)
				m := cl.members[0]
				here := m.do(saying("/?ms=100000", c.fields...))
				if here.Code != 504 || here.took != c.want || here.Header().Get("Retry-After") != "" {
					t.Errorf("here: %d after %v, want 504 after %v", here.Code, here.took, c.want)
				}
				local := m.fill(1, 40_000)
				away := m.do(saying("/?ms=100000", c.fields...))
				if away.Code != 504 || away.took != c.want || away.by() != "" {
					t.Errorf("at a peer: %d after %v, want 504 after %v", away.Code, away.took, c.want)
				}
				if served := cl.members[1].web.served.Load(); c.want > 0 != (served == 1) {
					t.Errorf("the peer's web server had it %d times", served)
				}
				await(local)
				cl.idle()
			})
		})
	}
}

// TestDeadlineInQueue: a request leaves the queue when its time is over, and
// one whose time does not suffice any more is not begun.
func TestDeadlineInQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, withDeadlines)
		m := c.members[0]
		await(m.fill(1, 100)) // it learns that a service takes 100 ms
		local := m.fill(1, 100)
		waits := start(func() *outcome { return m.do(saying("/", "X-Timeout", "70")) })
		synctest.Wait()
		late := start(func() *outcome { return m.do(saying("/", "X-Timeout", "150")) })
		synctest.Wait()
		other := start(func() *outcome { return m.get("/other?ms=100") })
		if res := <-waits; res.Code != 504 || res.took != 70*time.Millisecond {
			t.Errorf("%d after %v, want 504 after 70 ms", res.Code, res.took)
		}
		if res := <-late; res.Code != 504 || res.took != 100*time.Millisecond {
			t.Errorf("%d after %v: want 504 when there is a place, with half the time that is needed left", res.Code, res.took)
		}
		if res := <-other; res.Code != 200 || res.took != 200*time.Millisecond {
			t.Errorf("who waited behind: %d after %v", res.Code, res.took)
		}
		await(local)
		if served := m.web.served.Load(); served != 3 {
			t.Errorf("the web server had %d requests, want 3", served)
		}
		if s := m.Stats(); s.Early != 1 || s.Timeouts != 2 {
			t.Errorf("counted %d early, %d timeouts; want 1, 2", s.Early, s.Timeouts)
		}
		c.idle()
	})
}

// TestTimeLeftTravels: the web server is told what is left, here after the
// queue and at a peer.
func TestTimeLeftTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, withDeadlines)
		m, peer := c.members[0], c.members[1]
		var mu sync.Mutex
		told := map[string]http.Header{}
		for _, n := range c.members {
			n.web.set(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				told[r.URL.Path] = r.Header.Clone()
				mu.Unlock()
				work(w, r)
			})
		}
		await(append(m.fill(1, 300), peer.fill(1, 300)...)) // what services take
		if res := m.do(saying("/here?ms=300", "X-Timeout", "2s", "Grpc-Timeout", "3S")); res.Code != 200 {
			t.Fatal("here:", res.Code)
		}
		busy := append(m.fill(1, 400), peer.fill(1, 300)...)
		time.Sleep(50 * time.Millisecond)
		if res := m.do(saying("/moved", "X-Timeout", "2000", "Grpc-Timeout", "3S", "Other", "1")); res.Code != 200 || res.by() != "n2" {
			t.Fatal("at the peer:", res.Code, res.by())
		}
		await(busy)
		busy = append(m.fill(1, 400), peer.fill(1, 300)...)
		sent := chunked("POST", "/sent", "more than nothing")
		sent.Header.Set("X-Timeout", "2s")
		sent.Header.Set("Expect", "100-continue") // it is not kept before
		if res := m.do(sent); res.Code != 200 || res.by() != "n2" {
			t.Fatal("a body to the peer:", res.Code, res.by())
		}
		if res := m.do(saying("/silent")); res.Code != 200 {
			t.Fatal("without:", res.Code)
		}
		await(busy)
		check := func(path, field string, least, most int, unit string) {
			t.Helper()
			got := told[path].Get(field)
			n, err := strconv.Atoi(strings.TrimSuffix(got, unit))
			if err != nil || !strings.HasSuffix(got, unit) || n < least || n > most {
				t.Errorf("%s: %s is %q, want %d to %d%s", path, field, got, least, most, unit)
			}
		}
		check("/here", "X-Timeout", 2000, 2000, "ms")
		check("/here", "Grpc-Timeout", 2000, 2000, "m") // no more than the least
		check("/moved", "X-Timeout", 1740, 1760, "")    // it waited 250 ms
		check("/moved", "Grpc-Timeout", 1740, 1760, "m")
		check("/sent", "X-Timeout", 1690, 1710, "ms") // 300 ms
		if told["/moved"].Get("Other") != "1" || told["/silent"]["X-Timeout"] != nil || told["/silent"]["Grpc-Timeout"] != nil {
			t.Error("more than the deadline was changed:", told)
		}
		c.idle()
	})
}

// TestTimeLeftAfterPeersQueue: a peer takes off what it had the request for.
func TestTimeLeftAfterPeersQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Balancer{deadlines: newDeadlines("X-Timeout")}
		x := &exchange{came: time.Now(), header: http.Header{"X-Timeout": {"500"}}}
		time.Sleep(200 * time.Millisecond)
		b.tellGuestsTimeLeft(x)
		if got := x.header.Get("X-Timeout"); got != "300" {
			t.Errorf("of 500 ms are left %s after 200", got)
		}
		x.due = time.Now().Add(50 * time.Millisecond)
		if b.tellGuestsTimeLeft(x); x.header.Get("X-Timeout") != "50" {
			t.Errorf("its owner waits for 50 ms, and it says %s", x.header.Get("X-Timeout"))
		}
	})
}

// TestDeadlineOfUpload: a body that is still being sent does not extend what
// the client says, while it extends the agent's time.
func TestDeadlineOfUpload(t *testing.T) {
	for _, away := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 2, withDeadlines)
			m := c.members[0]
			for _, n := range c.members {
				n.web.set(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					work(w, r)
				})
			}
			var local []<-chan *outcome
			if away {
				local = m.fill(1, 4000)
			}
			r := request("POST", "/", "")
			body, w := io.Pipe()
			r.Body, r.ContentLength = body, -1
			r.Header.Set("X-Timeout", "2s")
			r.Header.Set("Expect", "100-continue") // it is not kept before
			go func() {
				for range 50 {
					if _, err := w.Write([]byte("more")); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
				_ = w.Close()
			}()
			res := m.do(r)
			if res.Code != 504 || res.took < 1900*time.Millisecond || res.took > 2100*time.Millisecond {
				t.Errorf("away: %v: %d after %v, want 504 after 2 s", away, res.Code, res.took)
			}
			_ = body.Close()
			await(local)
			time.Sleep(time.Second)
			c.idle()
		})
	}
}

// TestPriority: a place goes to the most urgent, unless that is to play no part.
func TestPriority(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 1, func(_ int, cfg *Config) {
				cfg.Policy.Places, cfg.Policy.Hard, cfg.IgnorePriority = 1, 1, ignore
			})
			m := c.members[0]
			var order []string
			m.web.set(func(w http.ResponseWriter, r *http.Request) {
				order = append(order, r.URL.Path)
				work(w, r)
			})
			all := m.fill(1, 100)
			for _, u := range []string{"7", "", "1", "9", "0"} {
				r := saying("/" + u)
				if u != "" {
					r = saying("/"+u, "Priority", "i, u="+u)
				}
				all = append(all, start(func() *outcome { return m.do(r) }))
				synctest.Wait()
			}
			for _, res := range await(all) {
				if res.Code != 200 {
					t.Error(res.Code)
				}
			}
			want := []string{"/fill", "/0", "/1", "/", "/9", "/7"}
			if ignore {
				want = []string{"/fill", "/7", "/", "/1", "/9", "/0"}
			}
			if !slices.Equal(order, want) {
				t.Errorf("served %v, want %v", order, want)
			}
			c.idle()
		})
	}
}

// TestUrgentFlood: a flood of what is not urgent is refused, and what is urgent
// is not, however full the queue is.
func TestUrgentFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		m := c.members[0]
		var flood []<-chan *outcome
		for range 40 {
			flood = append(flood, start(func() *outcome { return m.do(saying("/low?ms=100", "Priority", "u=7")) }))
			synctest.Wait()
		}
		urgent := start(func() *outcome { return m.do(saying("/high?ms=100", "Priority", "u=0")) })
		if res := <-urgent; res.Code != 200 || res.took != 200*time.Millisecond {
			t.Errorf("the urgent one: %d after %v", res.Code, res.took)
		}
		codes := map[int]int{}
		for _, res := range await(flood) {
			codes[res.Code]++
		}
		if codes[200] != 19 || codes[503] != 21 {
			t.Errorf("the flood's answers: %v, want 19 served (one had to make room) and 21 refused", codes)
		}
		if s := m.Stats(); s.Displaced != 1 || s.Shed != 21 {
			t.Errorf("counted %d displaced, %d shed", s.Displaced, s.Shed)
		}
		c.idle()
	})
}
