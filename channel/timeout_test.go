package channel_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// log is what happened, with the time since the bubble's start.
type log struct {
	mu    sync.Mutex
	start time.Time
	lines []string // guarded by mu
}

func (l *log) add(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprint(what, " ", time.Since(l.start)))
}

func (l *log) elapsed(which channel.Timeout) { l.add(which.String()) }

func (l *log) take() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.lines, ", ")
	l.lines = nil
	return s
}

func TestTimeoutErrors(t *testing.T) {
	n, _ := channel.New(channel.Config{})
	c, _ := n.Open("work")
	h := func(*channel.Event) {}
	sets := func([]*channel.Event) {}
	elapsed := func(channel.Timeout) {}
	a := []channel.Match{{Type: "a"}}
	for want, cfg := range map[string]channel.SubscriptionConfig{
		"timeout of -1ns":       {Handler: h, Every: -1, Elapsed: elapsed},
		"timeout of 1µs":        {Handler: h, Silence: time.Microsecond, Elapsed: elapsed},
		"go with Elapsed":       {Handler: h, Every: time.Second},
		"Every and Silence":     {Handler: h, Elapsed: elapsed},
		"All and Together":      {Handler: h, All: [][]channel.Match{a}},
		"who gets the sets":     {Together: sets},
		"must be left out":      {Handler: h, Together: sets, All: [][]channel.Match{a}},
		"Match, Handler and":    {Match: a[0], Together: sets, All: [][]channel.Match{a}},
		"group 2 of":            {Together: sets, All: [][]channel.Match{a, {}}},
		"33 terms, at most 32":  {Together: sets, All: [][]channel.Match{make([]channel.Match, channel.MaxTerms+1)}},
		"longer than 64 bytes ": {Together: sets, All: [][]channel.Match{{{Type: channel.Type(strings.Repeat("x", 65))}}}},
	} {
		if _, err := c.SubscribeWith(cfg); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v, want %q in it", cfg, err, want)
		}
	}
}

func TestWatchdogAndInterval(t *testing.T) {
	for _, inline := range []bool{false, true} {
		bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
			l := log{start: time.Now()}
			expect := func(want string) {
				t.Helper()
				if got := l.take(); got != want {
					t.Errorf("inline %v: got %s, want %s", inline, got, want)
				}
			}
			send := func(typ channel.Type) { submit(t, chans[0], channel.Event{Type: typ}) }
			s, err := chans[1].SubscribeWith(channel.SubscriptionConfig{
				Match: channel.Match{Type: "a"}, Inline: inline, Handler: func(*channel.Event) { l.add("event") },
				Every: 10 * time.Second, Silence: 3 * time.Second, Elapsed: l.elapsed,
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			send("a")
			send("b") // of another kind
			time.Sleep(2 * time.Second)
			expect("event 2s")
			time.Sleep(4 * time.Second)
			expect("silence 5s") // once
			send("a")
			time.Sleep(2500 * time.Millisecond)
			expect("event 8s, interval 10s")
			time.Sleep(time.Second)
			expect("silence 11s")
			s.Suspend()
			time.Sleep(20 * time.Second)
			expect("")
			s.Resume() // 31.5 s
			time.Sleep(11 * time.Second)
			expect("silence 34.5s, interval 41.5s")
			s.Close()
			time.Sleep(20 * time.Second)
			expect("")
		})
	}
}

// Times that pass while the handler blocks are one call, and come before what
// waits.
func TestTimeoutsOfABlockedHandler(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		l := log{start: time.Now()}
		chans[1].SubscribeWith(channel.SubscriptionConfig{
			Handler: func(e *channel.Event) { time.Sleep(3200 * time.Millisecond); l.add(string(e.Body)) },
			Every:   time.Second, Elapsed: l.elapsed,
		})
		submit(t, chans[0], channel.Event{Type: "a", Body: []byte("first")})
		submit(t, chans[0], channel.Event{Type: "a", Body: []byte("second")})
		time.Sleep(8500 * time.Millisecond)
		if got, want := l.take(), "first 3.2s, interval 3.2s, second 6.4s, interval 6.4s, interval 7s, interval 8s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// What was subscribed before Run has its times when Run runs.
func TestTimeoutsBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := log{start: time.Now()}
		n, _ := channel.New(channel.Config{})
		c, _ := n.Open("work")
		c.SubscribeWith(channel.SubscriptionConfig{
			Handler: func(*channel.Event) {}, Every: 2 * time.Second, Elapsed: l.elapsed,
		})
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		n.Run(ctx)
		time.Sleep(5 * time.Second)
		if got, want := l.take(), "interval 5s, interval 6s"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestCorrelation(t *testing.T) {
	for _, inline := range []bool{false, true} {
		bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
			l := log{start: time.Now()}
			s, err := chans[2].SubscribeWith(channel.SubscriptionConfig{
				All:    [][]channel.Match{{{Type: "a"}}, {{Type: "b", Source: 1}, {Source: 2}}},
				Inline: inline,
				Together: func(set []*channel.Event) {
					var bodies []string
					for _, e := range set {
						bodies = append(bodies, string(e.Body))
					}
					l.add(strings.Join(bodies, "+"))
				},
				Silence: 4 * time.Second, Elapsed: l.elapsed,
			})
			if err != nil {
				t.Fatal(err)
			}
			send := func(c *channel.Channel, typ channel.Type, body string) {
				submit(t, c, channel.Event{Type: typ, Body: []byte(body)})
				time.Sleep(time.Second)
			}
			send(chans[0], "a", "a1")
			send(chans[0], "a", "a2")
			send(chans[1], "c", "c2") // with a2
			send(chans[1], "a", "a3") // both groups by one, though two keys find it
			send(chans[0], "b", "b4")
			send(chans[0], "c", "c5") // nothing to it
			s.Suspend()               // forgets b4
			s.Resume()
			synctest.Wait()
			send(chans[0], "a", "a6")
			if got, want := l.take(), "a2+c2 2s, a3 3s"; got != want {
				t.Errorf("inline %v: got %s, want %s", inline, got, want)
			}
			time.Sleep(5 * time.Second)
			if got, want := l.take(), "silence 10s"; got != want { // 4 s after Resume
				t.Errorf("inline %v: got %s, want %s", inline, got, want)
			}
			if n := s.Stats(); n.Delivered != 2 || n.Conflated != 1 || n.Suspended != 1 {
				t.Errorf("inline %v: %+v", inline, n)
			}
		})
	}
}
