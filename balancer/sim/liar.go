package sim

import (
	"time"

	"kecho/balancer/policy"
)

// lies has a node that lies deal with what it hears of a peer's request; false
// for all else. It claims what it is offered, says that it began what it is
// sent, and reports to be the fastest of all with nothing to do.
func (n *coreNode) lies(from policy.Peer, m policy.Message) bool {
	if !n.cfg.Scenario.Liar || n.index%8 != 3 {
		return false
	}
	idle := policy.Report{Places: 1000, Service: time.Microsecond}
	switch m.Kind {
	case policy.Offer:
		n.transmit(from, policy.Message{Kind: policy.Claim, ID: m.ID, Epoch: m.Epoch, Report: idle})
	case policy.Grant, policy.Push:
		n.drawn++
		n.transmit(from, policy.Message{Kind: policy.Started, ID: m.ID, Epoch: m.Epoch, Report: idle})
	case policy.Deny, policy.Cancel:
	default:
		return false
	}
	return true
}

// drawn is the requests that liars got.
func (c *cores) drawn() (sum int) {
	for _, n := range c.nodes {
		sum += n.drawn
	}
	return sum
}
