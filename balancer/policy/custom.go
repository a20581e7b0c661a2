package policy

import "time"

// What an owner may have of this node before it has granted anything: else one
// that offers what it never grants, as old as it likes, has every place kept for
// it, and one that offers without end leaves no room for the others' offers.
const (
	leastOwed = 8           // claims unanswered, or as many as this node has places
	forgiven  = time.Second // for one of them
	mostKept  = maxGuests / 4
)

// custom is how an owner has dealt with this node as its peer.
type custom struct {
	kept  int           // of its guests that wait here
	owed  int           // claims that it has not answered in time; one is forgiven each second
	since time.Duration // when the last was forgiven, or the first was owed
}

// mayOffer reports whether offers of p are heeded: it has answered most claims,
// and not too many of its requests wait here. Whoever is not heeded is so again
// when it answers late, or in a second.
func (ps *peers) mayOffer(now time.Duration, p Peer, places int) bool {
	i, ok := ps.index.get(p)
	if !ok {
		return true
	}
	k := &ps.known[i].custom
	if k.owed > 0 {
		n := min(int((now-k.since)/forgiven), k.owed)
		k.owed -= n
		k.since += time.Duration(n) * forgiven
	}
	return k.owed < max(leastOwed, places) && k.kept < mostKept
}

// owe notes that the owner of g has not answered its claim in time.
func (ps *peers) owe(now time.Duration, g *Request) {
	i, ok := ps.index.get(g.owner)
	if !ok {
		return
	}
	k := &ps.known[i].custom
	if k.owed == 0 {
		k.since = now
	}
	k.owed++
	ps.owedEver++
	g.owed = true
}

// paid notes that it has answered, however late. A grant pays for one more: where
// messages are lost, many grants come for each claim without an answer.
func (ps *peers) paid(g *Request, granted bool) {
	if i, ok := ps.index.get(g.owner); ok && (g.owed || granted) {
		k := &ps.known[i].custom
		k.owed = max(k.owed-1, 0)
	}
	g.owed = false
}

// keep notes that g waits here.
func (ps *peers) keep(g *Request) {
	if i, ok := ps.index.get(g.owner); ok {
		g.kept = true
		ps.known[i].kept++
	}
}

// unkeep notes that it does not any more.
func (ps *peers) unkeep(g *Request) {
	if i, ok := ps.index.get(g.owner); ok && g.kept {
		ps.known[i].kept = max(ps.known[i].kept-1, 0)
	}
	g.kept = false
}
