package policy

import (
	"testing"
	"time"
)

// TestDrain: what a refused client is told follows from how fast the queue goes.
func TestDrain(t *testing.T) {
	const places = 2
	c := NewCore(Config{Places: places, Service: 100 * time.Millisecond, QueueBytes: 1, ShedAge: time.Hour, Timeout: time.Hour})
	now := time.Duration(0)
	refused := func(class Class) time.Duration {
		out := c.Arrive(now, &Request{Class: class, Bytes: 1}, nil)
		out = c.Arrive(now, &Request{Class: class, Bytes: 1}, out)
		if len(out) != 1 || out[0].Do != DoShed {
			t.Fatal("two that fill the queue:", out)
		}
		return out[0].Drain
	}
	var running []*Request
	arrive := func(n int) {
		for range n {
			running = append(running, &Request{})
			c.Arrive(now, running[len(running)-1], nil)
		}
	}
	finish := func() {
		c.Finish(now, running[0], 100*time.Millisecond, Served, nil)
		running = running[1:]
	}
	arrive(places + 40)
	if got := refused(0).Round(time.Millisecond); got != 2050*time.Millisecond {
		t.Errorf("41 wait and nothing was measured: %v, want 2.05 s", got)
	}
	for range 20 { // 4 a second
		now += 250 * time.Millisecond
		finish()
		arrive(1)
	}
	if got := c.drain(now, 0); got < 10*time.Second || got > 10500*time.Millisecond {
		t.Errorf("41 wait and 4 go in a second: %v", got)
	}
	if got := c.drain(now, FirstClass); got != 0 {
		t.Errorf("none that is as urgent waits: %v", got)
	}
	now += time.Minute
	if got := c.drain(now, 0); got < 5*time.Minute {
		t.Errorf("nothing goes any more: %v", got)
	}
	now += time.Minute
	if got := c.drain(now, 0); got != time.Hour {
		t.Errorf("nothing went for two minutes: %v", got)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		drain       time.Duration
		least, most time.Duration
	}{
		{0, time.Second, 3 * time.Second}, {-1, time.Second, 3 * time.Second},
		{8 * time.Second, 9 * time.Second, 15 * time.Second},
		{time.Hour, 19 * time.Second, 30 * time.Second},
	} {
		if got := RetryAfter(c.drain, 0); got != c.least {
			t.Errorf("after %v at the least: %v, want %v", c.drain, got, c.least)
		}
		if got := RetryAfter(c.drain, 1); got != c.most {
			t.Errorf("after %v at the most: %v, want %v", c.drain, got, c.most)
		}
	}
}
