package policy

import "time"

// Counts is what a Core did since the start.
type Counts struct {
	Offered, Pushed     uint64 // messages
	Granted             uint64 // claims that won
	Control             uint64 // messages sent that carry no request
	Refused             uint64 // pushes and grants that came back
	Shed, Failed, Late  uint64 // requests without an answer, by effect
	Early               uint64 // ended before their time: it did not suffice any more
	Displaced           uint64 // had to make room for more urgent ones
	Silent              uint64 // peers that said nothing of what they had
	Begun, Guests, Lost uint64 // started here; of them of peers; repeated after a loss
	Carried, Copied     uint64 // messages with a request; of them beside another one
	Hedged, Won         uint64 // backups begun or sent; of them answered first
	Ejected             uint64 // times that a peer was left alone for a while
	Unanswered          uint64 // claims that no answer came for in time
}

// Counts is what was done so far.
func (c *Core) Counts() Counts {
	n := c.count
	n.Ejected, n.Unanswered = c.peers.ejectedEver, c.peers.owedEver
	return n
}

// Ejected is how many peers are left alone at this moment, because they failed.
func (c *Core) Ejected(now time.Duration) int { return c.peers.ejections(now) }
