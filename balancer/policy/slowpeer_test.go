package policy

import (
	"testing"
	"time"
)

// TestTooSlowForIt: a peer that takes longer than a client waits is not asked
// for that client, and so does not lose its name by refusing.
func TestTooSlowForIt(t *testing.T) {
	c := NewCore(Config{Places: 1, Service: 20 * time.Millisecond})
	c.Hear(0, 's', Report{Places: 1, Service: 300 * time.Millisecond})
	hasty, patient := &Request{Movable: true, Timeout: 200 * time.Millisecond}, &Request{Movable: true, Timeout: time.Second}
	c.Arrive(0, &Request{}, nil)
	c.Arrive(0, hasty, nil)
	c.Arrive(0, patient, nil)
	if c.MayAsk(0, hasty, 's') {
		t.Error("a peer is asked for what it would refuse")
	}
	if !c.MayAsk(0, patient, 's') {
		t.Error("it is not asked for what it has time for")
	}
}
