package sim

import (
	"cmp"
	"math/bits"
	"slices"
)

// vacancies is which servers have a place free, the fastest first: a bit for
// each by its rank, so that a thousand servers are not looked at for one
// request.
type vacancies struct {
	bits   []uint64
	rank   []int // of each server
	server []int // of each rank
}

// newVacancies begins with every server free; of equals the lower is first.
func newVacancies(n int, speed func(i int) float64) vacancies {
	v := vacancies{bits: make([]uint64, (n+63)/64), rank: make([]int, n), server: make([]int, n)}
	for i := range n {
		v.server[i] = i
	}
	slices.SortStableFunc(v.server, func(a, b int) int { return cmp.Compare(speed(b), speed(a)) })
	for r, i := range v.server {
		v.rank[i] = r
		v.set(i, true)
	}
	return v
}

// set says whether server i has a place free.
func (v *vacancies) set(i int, free bool) {
	r := v.rank[i]
	if free {
		v.bits[r/64] |= 1 << (r % 64)
	} else {
		v.bits[r/64] &^= 1 << (r % 64)
	}
}

// first is the fastest server with a place free.
func (v *vacancies) first() (server int, ok bool) {
	for k, word := range v.bits {
		if word != 0 {
			return v.server[64*k+bits.TrailingZeros64(word)], true
		}
	}
	return 0, false
}
