package channel_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

func TestSubscribeWithErrors(t *testing.T) {
	n, _ := channel.New(channel.Config{})
	c, _ := n.Open("work")
	h := func(*channel.Event) {}
	key := func(*channel.Event) string { return "" }
	for want, cfg := range map[string]channel.SubscriptionConfig{
		"priority 2":        {Handler: h, Priority: 2},
		"handler is nil":    {},
		"queue of -1":       {Handler: h, Queue: -1},
		"-5 bytes":          {Handler: h, QueueBytes: -5},
		"rule 3":            {Handler: h, WhenFull: 3},
		"not KeepNewest":    {Handler: h, Key: key},
		"inline handler":    {Handler: h, Inline: true, Queue: 4},
		"longer than 64 by": {Handler: h, Match: channel.Match{Type: channel.Type(strings.Repeat("x", 65))}},
	} {
		if _, err := c.SubscribeWith(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", cfg, err, want)
		}
	}
	if s := c.Stats(); s.Subscriptions != 0 {
		t.Errorf("%d subscriptions", s.Subscriptions)
	}
}

// What a slow handler gets by each rule, and what is counted.
func TestWhenFull(t *testing.T) {
	for _, c := range []struct {
		cfg  channel.SubscriptionConfig
		want string // of the bodies 0 to 9, even ones of type a, odd of b
		stat string
	}{
		{channel.SubscriptionConfig{Queue: 3}, "0 1 2 3", "4 delivered 6 refused 0 displaced 0 conflated"},
		{channel.SubscriptionConfig{Queue: 3, WhenFull: channel.DropOldest}, "0 7 8 9", "4 delivered 0 refused 6 displaced 0 conflated"},
		{channel.SubscriptionConfig{QueueBytes: 2, WhenFull: channel.DropOldest}, "0 8 9", "3 delivered 0 refused 7 displaced 0 conflated"},
		{channel.SubscriptionConfig{WhenFull: channel.KeepNewest}, "0 9 8", "3 delivered 0 refused 0 displaced 7 conflated"},
		{channel.SubscriptionConfig{WhenFull: channel.KeepNewest, Key: func(*channel.Event) string { return "one" }}, "0 9", "2 delivered 0 refused 0 displaced 8 conflated"},
	} {
		bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
			release := make(chan struct{})
			var got []string
			c.cfg.Handler = func(e *channel.Event) { <-release; got = append(got, string(e.Body)) }
			s, err := chans[1].SubscribeWith(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 10 {
				submit(t, chans[0], channel.Event{Type: []channel.Type{"a", "b"}[i%2], Body: fmt.Append(nil, i)})
				synctest.Wait()
			}
			if q := s.Stats().Queued; q != strings.Count(c.want, " ") || q != chans[1].Stats().Queued {
				t.Errorf("%d wait for the handler, want %d", q, strings.Count(c.want, " "))
			}
			time.Sleep(time.Second)
			close(release)
			synctest.Wait()
			n := s.Stats()
			stat := fmt.Sprintf("%d delivered %d refused %d displaced %d conflated", n.Delivered, n.Refused, n.Displaced, n.Conflated)
			if joined := strings.Join(got, " "); joined != c.want || stat != c.stat {
				t.Errorf("handled %s, %s; want %s, %s", joined, stat, c.want, c.stat)
			}
			if n.Waited.Max != time.Second || n.Waited.Count != n.Delivered || n.Waited.Mean() > time.Second || n.QueuedBytes != 0 {
				t.Errorf("waited %+v, %d bytes queued", n.Waited, n.QueuedBytes)
			}
			if all := chans[1].Stats(); all.Overrun != n.Refused+n.Displaced || all.Conflated != n.Conflated || all.Waited != n.Waited {
				t.Errorf("the channel counts %+v", all)
			}
		})
	}
}

func TestSubscriptionPriority(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var got []string
		for _, s := range []struct {
			name string
			p    channel.Priority
			m    channel.Match
		}{
			{"bulk", channel.Bulk, channel.Match{Type: "a", Source: 1}},
			{"normal", channel.Normal, channel.Match{Type: "a"}},
			{"urgent", channel.Urgent, channel.Match{}},
		} {
			_, err := chans[1].SubscribeWith(channel.SubscriptionConfig{
				Match: s.m, Priority: s.p, Inline: true, Handler: func(*channel.Event) { got = append(got, s.name) },
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		submit(t, chans[0], channel.Event{Type: "a"})
		synctest.Wait()
		equal(t, "handlers", got, []string{"urgent", "normal", "bulk"})
	})
}

func TestSuspendAndResume(t *testing.T) {
	bubble(t, 3, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		var got, other channeltest.Recorder
		s, _ := chans[1].Subscribe(channel.Match{Type: "a"}, got.Handle)
		o, _ := chans[1].SubscribeInline(channel.Match{Type: "a"}, other.Handle)
		send := func(body string) error {
			_, err := chans[0].Submit(t.Context(), channel.Event{Type: "a", Body: []byte(body)})
			synctest.Wait()
			return err
		}
		chans[2].Close()
		synctest.Wait()
		send("1")
		s.Suspend()
		s.Suspend() // twice is once
		synctest.Wait()
		if k := sinkCount(chans[0]); k != 1 {
			t.Errorf("%d sinks while one of two subscriptions is suspended, want 1", k)
		}
		send("2")
		o.Suspend()
		synctest.Wait()
		if k := sinkCount(chans[0]); k != 0 {
			t.Errorf("%d sinks while all are suspended, want 0", k)
		}
		if err := send("3"); err == nil {
			t.Error("an event that nobody wants was taken")
		}
		if st := chans[1].Stats(); st.Subscriptions != 2 || st.Live != 0 || st.Received != 2 {
			t.Errorf("%+v", st)
		}
		if err := func() error { _, err := chans[1].Submit(t.Context(), channel.Event{Type: "a"}); return err }(); err != nil {
			t.Errorf("node 0 does not hear who is suspended: %v", err)
		}
		s.Resume()
		s.Resume()
		synctest.Wait()
		send("4")
		o.Close() // while it is suspended
		send("5")
		s.Suspend()
		synctest.Wait()
		if k := sinkCount(chans[0]); k != 0 {
			t.Errorf("%d sinks, want 0", k)
		}
		s.Close() // no subscription at all: a sink again
		s.Suspend()
		synctest.Wait()
		if k := sinkCount(chans[0]); k != 1 {
			t.Errorf("%d sinks of a channel without subscriptions, want 1", k)
		}
		equal(t, "first", got.Bodies(), []string{"1", "4", "5"})
		equal(t, "second", other.Bodies(), []string{"1", "2"})
	})
}

// What waited when it was suspended does not come when it is resumed.
func TestSuspendDropsWhatWaits(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		var got channeltest.Recorder
		s, _ := chans[1].Subscribe(channel.Match{}, func(e *channel.Event) { <-release; got.Handle(e) })
		for i := range 3 {
			submit(t, chans[0], channel.Event{Type: "a", Body: fmt.Append(nil, i)})
			synctest.Wait()
		}
		submit(t, chans[0], channel.Event{Type: "a"}) // on its way while it is suspended
		s.Suspend()
		close(release)
		synctest.Wait()
		s.Resume()
		synctest.Wait()
		submit(t, chans[0], channel.Event{Type: "a", Body: []byte("new")})
		synctest.Wait()
		equal(t, "handled", got.Bodies(), []string{"0", "new"})
		if n := s.Stats(); n.Suspended < 2 || n.Delivered != 2 || n.Queued != 0 || chans[1].Stats().Suspended != n.Suspended {
			t.Errorf("%+v", n)
		}
	})
}

// However fast it is switched, the others end with the truth.
func TestSuspendFlaps(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		for end := range 2 {
			s, _ := chans[1].Subscribe(channel.Match{}, func(*channel.Event) {})
			done := make(chan struct{})
			for range 4 {
				go func() {
					for range 50 {
						s.Suspend()
						s.Resume()
					}
					done <- struct{}{}
				}()
			}
			for range 4 {
				<-done
			}
			if end == 1 {
				s.Suspend()
			}
			synctest.Wait()
			if k := sinkCount(chans[0]); k != 1-end {
				t.Errorf("%d sinks, want %d", k, 1-end)
			}
			s.Close()
		}
	})
}

// What waits in the queue of a link until its time is up does not travel: the
// time left that it carries would begin anew.
func TestLateInTheQueueOfALink(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		var got channeltest.Recorder
		chans[1].SubscribeInline(channel.Match{}, func(e *channel.Event) { got.Handle(e); <-release })
		for _, wait := range []time.Duration{time.Hour, time.Second, 3 * time.Second} {
			submit(t, chans[0], channel.Event{Type: "a", Body: []byte(wait.String()), Deadline: time.Now().Add(wait)})
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		close(release)
		synctest.Wait()
		equal(t, "handled", got.Bodies(), []string{"1h0m0s", "3s"})
	})
}

// What is late in a full queue makes room for what comes.
func TestLateInAFullQueue(t *testing.T) {
	bubble(t, 2, func(t *testing.T, _ []*channel.Node, chans []*channel.Channel, _ *channeltest.Hub) {
		release := make(chan struct{})
		var got channeltest.Recorder
		s, _ := chans[1].SubscribeWith(channel.SubscriptionConfig{
			Queue: 2, Handler: func(e *channel.Event) { <-release; got.Handle(e) },
		})
		send := func(body string, wait time.Duration) {
			submit(t, chans[0], channel.Event{Type: "a", Body: []byte(body), Deadline: time.Now().Add(wait)})
			synctest.Wait()
		}
		send("first", time.Hour)
		send("late", time.Second)
		send("waits", time.Hour)
		time.Sleep(2 * time.Second)
		send("new", time.Hour)
		send("too many", time.Hour)
		close(release)
		synctest.Wait()
		equal(t, "handled", got.Bodies(), []string{"first", "waits", "new"})
		if n := s.Stats(); n.Late != 1 || n.Refused != 1 || chans[1].Stats().Late != 1 {
			t.Errorf("%+v", n)
		}
	})
}
