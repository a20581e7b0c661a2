package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// Agents whose links are QUIC, on machines that lose every fiftieth packet that
// they send: a peer is killed, comes back, and is paused, and no request is lost.
func TestFaultsOverQUIC(t *testing.T) {
	kecho(t)
	nft := needTool(t, "nft", "nftables")
	lan := newLAN(t, 3)
	for _, m := range lan.machines {
		run(t, m.inside([]string{nft,
			"add table inet lossy; add chain inet lossy out { type filter hook output priority 0; }; " +
				"add rule inet lossy out oifname eth0 meta l4proto udp numgen random mod 50 == 0 drop"})...)
	}
	nodes := cluster(t, lan.machines, "--transport", "quic")
	owner, victim := nodes[0], nodes[1]
	traffic := send(t, owner.machine, owner.url(frontPort), hot)
	victim.working(t)

	victim.agent.kill()
	owner.unlinked(t, victim.name)
	time.Sleep(time.Second) // and it goes on without the victim
	victim.start(t, "--transport", "quic")
	victim.ready(t)
	owner.linked(t, victim.name)
	victim.receives(t)

	signal(t, victim.agent, syscall.SIGSTOP)
	owner.unlinked(t, victim.name)
	signal(t, victim.agent, syscall.SIGCONT)
	owner.linked(t, victim.name)
	victim.receives(t)
	traffic.lossless(t)

	// The firewall has sendmsg fail. A packet that is not sent is no more than
	// one that is lost.
	for _, n := range []*node{owner, nodes[2]} {
		for line := range strings.Lines(n.agent.out.tail(1000)) { // gossip, which is UDP too, may say so
			if strings.Contains(line, "link down") && strings.Contains(line, "not permitted") {
				t.Errorf("a send that failed ended a link of %s: %s", n.name, line)
			}
		}
	}
}
