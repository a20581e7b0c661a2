package e2e

import (
	"strings"
	"testing"
	"time"
)

// Three agents whose links are QUIC serve what is too much for one.
func TestOverflowOverQUIC(t *testing.T) {
	nodes := cluster(t, loopbacksFor(3), "--transport", "quic")
	traffic := send(t, nodes[0].machine, nodes[0].url(frontPort), hot)
	time.Sleep(5 * time.Second)
	r := traffic.lossless(t)
	for _, n := range nodes {
		if r.ServedBy[n.name] == 0 {
			t.Errorf("%s served nothing", n.name)
		}
	}
}

// Agents that differ in --transport do not link, and both say why.
func TestTransportsDiffer(t *testing.T) {
	machines := loopbacksFor(2)
	a, b := newNode(t, machines[0], "web1"), newNode(t, machines[1], "web2")
	a.join, b.join = machines[1:], machines[:1]
	a.start(t, "--transport", "quic")
	b.start(t)
	for _, n := range []struct {
		*node
		want string
	}{
		{a, "it runs with --transport tcp and this node with --transport quic"},
		{b, "it runs with --transport quic and this node with --transport tcp"},
	} {
		said := func() bool { return strings.Contains(n.agent.out.tail(1000), n.want) }
		for began := time.Now(); !said() && time.Since(began) < startPatience; {
			time.Sleep(50 * time.Millisecond)
		}
		if !said() {
			t.Errorf("%s does not say %q:\n%s", n.name, n.want, n.agent.out.tail(20))
		}
	}
}
