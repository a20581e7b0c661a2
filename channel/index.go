package channel

import (
	"iter"
	"math/bits"
)

// Index finds what is kept of nodes by their ids. It is for who must do so for every
// frame: a look takes less than a map's (BenchmarkIndex), and a flood to 8 nodes has 16
// for an event. It is immutable; the zero Index is empty.
type Index[T any] struct {
	slots []indexed[T] // a power of two of them, at most half used; an id is where it belongs, or behind that
	shift int          // 64 less the logarithm of their number
}

type indexed[T any] struct {
	id    NodeID // zero: the slot is free
	value *T
}

// Get is what is kept of that node; nil: nothing.
func (x *Index[T]) Get(id NodeID) *T {
	if len(x.slots) == 0 {
		return nil
	}
	for i := x.place(id); ; i = (i + 1) & (len(x.slots) - 1) {
		switch s := &x.slots[i]; s.id {
		case id:
			return s.value // of no node it is nil
		case 0:
			return nil
		}
	}
}

// place is the slot in which an id belongs. Ids are random, unless somebody chose
// them: the product's high bits depend on all of theirs.
func (x *Index[T]) place(id NodeID) int { return int(uint64(id) * 0x9e3779b97f4a7c15 >> x.shift) }

// All is everything, in no order.
func (x *Index[T]) All() iter.Seq2[NodeID, *T] {
	return func(yield func(NodeID, *T) bool) {
		for _, s := range x.slots {
			if s.id != 0 && !yield(s.id, s.value) {
				return
			}
		}
	}
}

// IndexOf is an Index of what a map has. It keeps nothing of the map; no node, and
// nil, have no place in it.
func IndexOf[T any](all map[NodeID]*T) *Index[T] {
	size := 1 << bits.Len(uint(2*len(all)))
	x := &Index[T]{slots: make([]indexed[T], size), shift: 64 - bits.Len(uint(size-1))}
	for id, value := range all {
		if id == 0 || value == nil {
			continue
		}
		i := x.place(id)
		for x.slots[i].id != 0 {
			i = (i + 1) & (size - 1)
		}
		x.slots[i] = indexed[T]{id, value}
	}
	return x
}
