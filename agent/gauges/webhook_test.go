package gauges_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
	"kecho/agent/gauges"
	"kecho/channel/memnet"
)

// receiver is a webhook's other end, which answers as the test says.
type receiver struct {
	mu     sync.Mutex
	answer func(c api.Crossing) int // guarded by mu; 0: it hangs up
	got    []api.Crossing           // guarded by mu
	tried  []time.Time              // guarded by mu
	keys   map[string]bool          // guarded by mu
}

func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var c api.Crossing
	err := json.NewDecoder(r.Body).Decode(&c)
	h.mu.Lock()
	status := h.answer(c)
	h.tried = append(h.tried, time.Now())
	h.keys[r.Header.Get("Idempotency-Key")] = true
	if err == nil && r.Method == "POST" && r.Header.Get("Content-Type") == "application/json" && status == 204 {
		h.got = append(h.got, c)
	}
	h.mu.Unlock()
	switch status {
	case 0:
		panic(http.ErrAbortHandler)
	case -1:
		<-r.Context().Done()
	case 302:
		w.Header().Set("Location", "http://10.0.0.9/elsewhere")
		w.WriteHeader(status)
	default:
		w.WriteHeader(status)
	}
}

// hooked is a table with a threshold on app.n whose webhook is the receiver's.
func hooked(t *testing.T, answer func(api.Crossing) int) (*rig, *receiver) {
	t.Helper()
	network := memnet.New(memnet.Config{})
	l, err := network.Host("10.0.0.2").Listen("10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	h := &receiver{answer: answer, keys: make(map[string]bool)}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	r := start(t, gauges.Config{
		Dial:   network.Host("10.0.0.1").Dial,
		Jitter: func(d time.Duration) time.Duration { return d },
	})
	_, err = r.Watch("app.n", api.NewThreshold{
		Condition: "app.n > 5 cancel < 2", Actions: api.Actions{Webhook: "http://10.0.0.2/key-to-it?token=secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, h
}

func (h *receiver) snapshot() (got []api.Crossing, tried []time.Time, keys int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got, h.tried, len(h.keys)
}

func TestWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := hooked(t, func(api.Crossing) int { return 204 })
		r.set(t, "app.n", 9, time.Hour)
		r.set(t, "app.n", 1, time.Hour)
		time.Sleep(time.Second)
		synctest.Wait()
		got, _, keys := h.snapshot()
		if len(got) != 2 || !got[0].Raised || *got[0].Value != 9 || got[1].Raised || *got[1].Value != 1 {
			t.Errorf("got %+v", got)
		}
		if keys != 2 {
			t.Errorf("%d keys of two crossings", keys)
		}
		if s := r.Stats(); s.Told != 2 || s.Untold+s.Dropped != 0 {
			t.Errorf("%+v", s)
		}
		if hook := r.gauge(t, "app.n").Thresholds[0].Webhook; hook != "http://10.0.0.2/..." {
			t.Errorf("shown as %q, which may be a secret", hook)
		}
	})
}

// A receiver that fails is tried again, with longer and longer pauses, and gets
// the crossings in their order.
func TestWebhookThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r, h := hooked(t, func(api.Crossing) int {
			n++
			return map[int]int{1: 0, 2: 503, 3: 429, 4: 500}[n] + 204*min(max(n-4, 0), 1)
		})
		r.set(t, "app.n", 9, time.Hour)
		r.set(t, "app.n", 1, time.Hour)
		time.Sleep(time.Minute)
		synctest.Wait()
		got, tried, keys := h.snapshot()
		if len(got) != 2 || !got[0].Raised || got[1].Raised {
			t.Fatalf("got %+v", got)
		}
		if len(tried) != 6 || keys != 2 {
			t.Errorf("tried %v with %d keys", tried, keys)
		}
		for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
			if pause := tried[i+1].Sub(tried[i]); pause != want {
				t.Errorf("pause %d is %v, want %v", i, pause, want)
			}
		}
		if s := r.Stats(); s.Told != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// A receiver that says that it never will, or that sends elsewhere, is not
// tried again.
func TestWebhookThatRefuses(t *testing.T) {
	for _, status := range []int{302, 400, 404} {
		synctest.Test(t, func(t *testing.T) {
			r, h := hooked(t, func(api.Crossing) int { return status })
			r.set(t, "app.n", 9, time.Hour)
			time.Sleep(time.Minute)
			synctest.Wait()
			if _, tried, _ := h.snapshot(); len(tried) != 1 {
				t.Errorf("%d: tried %v", status, tried)
			}
			shown := r.gauge(t, "app.n").Thresholds[0]
			if shown.Undelivered != 1 || !strings.Contains(shown.LastError, "http://10.0.0.2/...: answered ") || strings.Contains(shown.LastError, "secret") {
				t.Errorf("%d: %+v", status, shown)
			}
		})
	}
}

// A receiver that never answers holds up nobody: updates return at once, the
// queue is bounded, and each crossing has its time and no more.
func TestWebhookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := hooked(t, func(api.Crossing) int { return -1 })
		begin := time.Now()
		for range 50 {
			r.set(t, "app.n", 9, time.Hour)
			r.set(t, "app.n", 1, time.Hour)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("100 crossings took %v", took)
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		s := r.Stats()
		// The first may or may not be on its way when the others come.
		if s.Raised+s.Cancelled != 100 || s.Dropped < 83 || s.Dropped > 84 || s.Untold != 1 {
			t.Errorf("%+v", s)
		}
		_, tried, _ := h.snapshot()
		if last := tried[len(tried)-1].Sub(begin); len(tried) > 30 || last > 6*time.Minute {
			t.Errorf("%d tries, the last after %v", len(tried), last)
		}
		h.mu.Lock()
		h.answer = func(api.Crossing) int { return 204 }
		h.mu.Unlock()
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if got, _, _ := h.snapshot(); len(got) < 14 || got[len(got)-1].Raised {
			t.Errorf("after it came back: %d crossings, the last %+v", len(got), got[len(got)-1])
		}
	})
}

// A threshold that is taken away tells nothing more.
func TestWebhookTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := hooked(t, func(api.Crossing) int { return 503 })
		r.set(t, "app.n", 9, time.Hour)
		time.Sleep(time.Second)
		if err := r.Unwatch("app.n", r.gauge(t, "app.n").Thresholds[0].ID); err != nil {
			t.Fatal(err)
		}
		_, before, _ := h.snapshot()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if _, after, _ := h.snapshot(); len(after) > len(before) {
			t.Errorf("tried %d times more", len(after)-len(before))
		}
	})
}

// board is channels that note what is submitted.
type board struct {
	mu     sync.Mutex
	opened []string // guarded by mu
	said   []string // guarded by mu
	fail   error    // guarded by mu
}

func (b *board) Open(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name == "data" {
		return errors.New(`open channel "data": it is open already`)
	}
	b.opened = append(b.opened, name)
	return nil
}

func (b *board) Submit(_ context.Context, name, kind string, body []byte) error {
	var c api.Crossing
	if err := json.Unmarshal(body, &c); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, name+"/"+kind+" "+c.Condition+map[bool]string{true: " raised", false: " cancelled"}[c.Raised])
	return b.fail
}

func TestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(board)
		r := start(t, gauges.Config{Channels: b})
		on := func(channel string) error {
			_, err := r.Watch("app.n", api.NewThreshold{
				Condition: "app.n > 5 cancel < 2", Actions: api.Actions{Event: &api.ChannelEvent{Channel: channel, Type: "high"}},
			})
			return err
		}
		if err := on("data"); code(err) != api.Refused {
			t.Errorf("on a channel of the agent's own: %v", err)
		}
		if err := on("alerts"); err != nil || len(b.opened) != 1 {
			t.Fatal(err, b.opened)
		}
		r.set(t, "app.n", 9, time.Hour)
		synctest.Wait()
		b.mu.Lock()
		b.fail = errors.New("queue is full")
		b.mu.Unlock()
		r.set(t, "app.n", 1, time.Hour)
		synctest.Wait()
		want := "alerts/high app.n > 5 cancel < 2 raised,alerts/high app.n > 5 cancel < 2 cancelled"
		if got := strings.Join(b.said, ","); got != want {
			t.Errorf("said %s", got)
		}
		if shown := r.gauge(t, "app.n").Thresholds[0]; shown.Undelivered != 1 || shown.LastError != "queue is full" {
			t.Errorf("%+v", shown)
		}
	})
}
