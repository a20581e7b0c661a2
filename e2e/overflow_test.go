package e2e

import (
	"testing"
	"time"
)

// hot is a rate that one demo web server cannot serve (105 a second) and three
// can.
const hot = 160

func TestOverflowIsServedByPeers(t *testing.T) {
	nodes := cluster(t, loopbacksFor(3))
	traffic := send(t, nodes[0].machine, nodes[0].url(frontPort), hot)
	time.Sleep(5 * time.Second)
	r := traffic.lossless(t)

	var worked int64
	for _, n := range nodes {
		if r.ServedBy[n.name] == 0 {
			t.Errorf("%s served nothing", n.name)
		}
		worked += n.served(t)
	}
	// One copy each is the default: no request costs a second server's work.
	if worked != int64(r.Sent) {
		t.Errorf("the servers worked on %d requests for %d that were sent", worked, r.Sent)
	}

	owner := nodes[0]
	local, forwarded := owner.requests(t, "local"), owner.requests(t, "forwarded")
	if local+forwarded != float64(r.Sent) || int(local) != r.ServedBy[owner.name] {
		t.Errorf("%s counts %v local and %v forwarded; clients saw %d answers, %d of them its own",
			owner.name, local, forwarded, r.Sent, r.ServedBy[owner.name])
	}
	if overflow := owner.metric(t, "kecho_overflow_total", ""); overflow < forwarded {
		t.Errorf("%s counts %v overflows and %v forwards", owner.name, overflow, forwarded)
	}
	received := 0.0
	for _, n := range nodes[1:] {
		got := n.requests(t, "received")
		if int(got) != r.ServedBy[n.name] {
			t.Errorf("%s counts %v received; clients saw %d of its answers", n.name, got, r.ServedBy[n.name])
		}
		received += got
	}
	if received != forwarded {
		t.Errorf("%v requests forwarded, %v received", forwarded, received)
	}
}

// A server that is alone or idle keeps its requests: nothing moves without
// need.
func TestIdleServerKeepsItsRequests(t *testing.T) {
	nodes := cluster(t, loopbacksFor(2))
	traffic := send(t, nodes[0].machine, nodes[0].url(frontPort), 10)
	time.Sleep(3 * time.Second)
	r := traffic.lossless(t)
	if own := r.ServedBy[nodes[0].name]; own < r.Sent*9/10 {
		t.Errorf("only %d of %d requests stayed at a server with room", own, r.Sent)
	}
}
