package resmgr

import (
	"cmp"
	"slices"
)

// put adds, replaces or takes out one lease.
func (s *Recovered) put(r Record) {
	i, there := slices.BinarySearchFunc(s.Leases, r.Fence, func(have Record, f Fence) int { return cmp.Compare(have.Fence, f) })
	switch {
	case r.Kind == RecordEnd && there:
		s.Leases = slices.Delete(s.Leases, i, i+1)
	case r.Kind == RecordLease && there:
		s.Leases[i] = r
	case r.Kind == RecordLease:
		s.Leases = slices.Insert(s.Leases, i, r)
	}
}

// Clone is a copy that shares no list with s.
func (s Recovered) Clone() Recovered {
	s.Leases = slices.Clone(s.Leases)
	return s
}
