package policy

import "time"

// rampUp is how long a peer that is new weighs less, and rampFrom what it weighs
// at first.
const (
	rampUp   = 10 * time.Second
	rampFrom = 0.1
)

// Ramp is what p weighs for being new: from a tenth, when it was first heard,
// to 1 after 10 s. All are new to a core that is new, and weigh the same.
func (c *Core) Ramp(now time.Duration, p Peer) float64 {
	if now-c.peers.newest >= rampUp {
		return 1
	}
	i, ok := c.peers.index.get(p)
	if !ok || c.peers.known[i].met == never {
		return rampFrom
	}
	return min(max(float64(now-c.peers.known[i].met)/float64(rampUp), rampFrom), 1)
}
