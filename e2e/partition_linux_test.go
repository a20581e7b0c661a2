package e2e

import "testing"

// TestCutLinkLosesNothing runs three machines of a network of their own, and
// takes one off it under load, in the two ways that nobody is told of.
func TestCutLinkLosesNothing(t *testing.T) {
	kecho(t)
	needTool(t, "nft", "nftables")
	lan := newLAN(t, 3)
	nodes := cluster(t, lan.machines)
	const cut = 2
	owner, lost := nodes[0], nodes[cut]

	for _, fault := range []struct {
		name      string
		cut, heal func(testing.TB, int)
	}{
		{"unplugged", lan.unplug, lan.plug},
		{"mute", lan.mute, lan.unmute},
	} {
		t.Run(fault.name, func(t *testing.T) {
			traffic := send(t, owner.machine, owner.url(frontPort), hot)
			lost.working(t)
			fault.cut(t, cut)
			owner.unlinked(t, lost.name)
			nodes[1].receives(t) // the rest goes on
			fault.heal(t, cut)
			owner.linked(t, lost.name)
			lost.linked(t, owner.name)
			lost.receives(t)
			traffic.lossless(t)
		})
	}
}
