package resmgr

import (
	"testing"
	"time"
)

// TestAgendaForgets: leases that are over are not kept for their whole TTL, and
// those that live expire all the same.
func TestAgendaForgets(t *testing.T) {
	g := busy(t, 3)
	var out []Effect
	for i := range 5000 {
		out = grantOne(g, 0, i+3, out[:0])
		l := g.leases[g.fence]
		g.Receive(0, 7, &Message{Kind: MsgRelease, Fence: l.Fence, Holder: l.Holder}, nil)
		g.Written(0, g.seq, nil, nil)
	}
	if len(g.agenda) > 2000 || g.live != 3 {
		t.Errorf("%d entries for %d leases", len(g.agenda), g.live)
	}
	g.Tick(time.Hour, nil)
	if g.live != 0 {
		t.Errorf("%d leases did not expire", g.live)
	}
}
