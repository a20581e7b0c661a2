package policy

import (
	"testing"
	"time"
)

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
