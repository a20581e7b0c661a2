package policy

import "math/bits"

// peerIndex says where a core keeps what it knows of a peer: a table with open
// addressing. A map does the same; but each decision looks up dozens of peers,
// and among a thousand that costs the memory that is touched: half of a map's
// here. The zero value works.
type peerIndex struct {
	slots []indexSlot // 2^n of them, at most half of them used
	shift int         // 64 - n
	used  int
}

type indexSlot struct {
	peer Peer // zero: unused
	at   int32
}

// home is where p stands when nothing is in its way.
func (x *peerIndex) home(p Peer) int { return int(uint64(p) * 0x9E3779B97F4A7C15 >> x.shift) }

// get is where p is kept; false when it is not.
func (x *peerIndex) get(p Peer) (at int, ok bool) {
	if x.used == 0 {
		return 0, false
	}
	for i := x.home(p); ; i = (i + 1) & (len(x.slots) - 1) {
		switch x.slots[i].peer {
		case p:
			return int(x.slots[i].at), true
		case 0:
			return 0, false
		}
	}
}

// set says where p is kept. p is not zero.
func (x *peerIndex) set(p Peer, at int) {
	if 2*(x.used+1) > len(x.slots) {
		x.grow()
	}
	i := x.home(p)
	for x.slots[i].peer != 0 && x.slots[i].peer != p {
		i = (i + 1) & (len(x.slots) - 1)
	}
	if x.slots[i].peer == 0 {
		x.used++
	}
	x.slots[i] = indexSlot{p, int32(at)}
}

func (x *peerIndex) grow() {
	old := x.slots
	x.slots = make([]indexSlot, max(8, 2*len(old)))
	x.shift, x.used = 64-bits.TrailingZeros(uint(len(x.slots))), 0
	for _, s := range old {
		if s.peer != 0 {
			x.set(s.peer, int(s.at))
		}
	}
}

// remove forgets p, and moves up what it was in the way of.
func (x *peerIndex) remove(p Peer) {
	if _, ok := x.get(p); !ok {
		return
	}
	mask := len(x.slots) - 1
	i := x.home(p)
	for x.slots[i].peer != p {
		i = (i + 1) & mask
	}
	x.used--
	for j := (i + 1) & mask; x.slots[j].peer != 0; j = (j + 1) & mask {
		if home := x.home(x.slots[j].peer); (j-home)&mask >= (j-i)&mask {
			x.slots[i] = x.slots[j]
			i = j
		}
	}
	x.slots[i] = indexSlot{}
}
