package policy

import (
	"testing"
	"time"
)

// TestFailures: as many of the last 20 as are configured, or no number at all,
// have a web server be left alone.
func TestFailures(t *testing.T) {
	for failures, want := range map[int]int{0: 10, 1: 1, 20: 20, -1: 0} {
		c := NewCore(Config{Places: 1, Failures: failures})
		for i := range 60 {
			r := &Request{}
			c.Arrive(0, r, nil)
			res := Served
			if i >= 20 {
				res = Faulty
			}
			c.Finish(0, r, time.Millisecond, res, nil)
			if c.Sick() != (want > 0 && i-19 >= want) {
				t.Fatalf("%d configured: sick is %v after %d failures", failures, c.Sick(), i-19)
			}
		}
		if want > 0 {
			for range goodCalls {
				r := &Request{}
				c.Arrive(0, r, nil)
				c.Finish(0, r, time.Millisecond, Served, nil)
			}
			if c.Sick() || c.calls.most != want {
				t.Errorf("%d configured: sick is %v after %d that went well", failures, c.Sick(), goodCalls)
			}
		}
	}
	if (Config{Places: 1, Failures: 21}).Check() == nil {
		t.Error("21 of 20 is no mistake")
	}
}

// TestSick: a web server that fails half of its last 20 calls takes nothing
// from peers, until three in a row have succeeded.
func TestSick(t *testing.T) {
	c := NewCore(Config{Places: 1, Mode: Pull})
	c.Hear(0, 'b', Report{})
	serve := func(res Result) {
		r := &Request{}
		if out := c.Arrive(0, r, nil); len(out) != 1 || out[0].Do != DoStart {
			t.Fatal("it does not start:", out)
		}
		c.Finish(0, r, time.Millisecond, res, nil)
	}
	id := uint64(0)
	claims := func() bool {
		id++
		out := c.Receive(0, 'b', Message{Kind: Offer, ID: id, Left: time.Second}, nil)
		c.Receive(0, 'b', Message{Kind: Cancel, ID: id}, nil)
		return len(out) == 1 && out[0].Message.Kind == Claim
	}
	for range 11 {
		serve(Served)
	}
	for range 9 {
		serve(Broken)
	}
	if !claims() || c.Report().Places != 1 {
		t.Error("9 of 20 failed and it takes nothing")
	}
	serve(Broken)
	if claims() || c.Report().Places != 0 {
		t.Error("10 of 20 failed and it claims")
	}
	serve(Served)
	serve(Served)
	serve(Aborted)
	if claims() {
		t.Error("it claims after two successes")
	}
	serve(Served)
	if !claims() {
		t.Error("three successes and it takes nothing")
	}
}
