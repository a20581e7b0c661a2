package channel

import (
	"slices"
	"sync"
	"time"
)

// seen remembers which events from other clusters have been on a channel, so
// that one that comes by two ways is delivered once. A way is the node that
// brings them. Each way is remembered for itself, and brings nothing twice: so
// one that lies about a source has of the others' events as many taken for
// repeated as it sends itself, or a few times that, and not all that come.
type seen struct {
	mu      sync.Mutex
	streams map[streamKey][]*stream // one for each way; guarded by mu
	n       int                     // of them; guarded by mu
}

type streamKey struct {
	source   NodeID
	priority Priority
}

const (
	// seenEvents is how many events of one stream may overtake one of it.
	seenEvents = 64
	// maxStreams is how many streams are remembered. When there are more, that
	// way which has most loses the half that was heard of the longest ago.
	maxStreams = 4096
)

// stream is what has come of one source and priority by one way.
type stream struct {
	by     NodeID
	last   [seenEvents]uint64 // the newest that came, in a ring
	n      int                // how many have come
	newest uint64
	older  []run // what was in last before
	heard  time.Duration
}

// run is events that came one after the other. Which they were is forgotten but
// for the first and the last.
type run struct {
	low, high uint64
	events    int
	left      int // how many by other ways are taken for one of them
}

const (
	// A way that is behind another by more than this many runs of this many
	// events brings them again.
	maxRuns   = 32
	runEvents = 512
	// runGap is how far from a run the next of its events is at most: sequence
	// numbers rise with all that a node submits.
	runGap = 1 << 16
	// runSlack is how many events one of a run stands for. What one way brings
	// another may have lost.
	runSlack = 2
)

// first notes that way brings the event and reports whether it is the first time.
func (s *seen) first(id ID, p Priority, way NodeID, now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, seq := streamKey{id.Source, p}, id.Seq&^requestBit
	var own *stream
	repeated := false
	for _, st := range s.streams[key] {
		if st.by == way {
			own = st
		}
		repeated = repeated || st.has(seq)
	}
	if own == nil {
		own = s.addLocked(key, way)
	} else if own.has(seq) {
		return false
	}
	own.heard = now
	own.note(seq)
	if repeated {
		return false
	}
	for _, st := range s.streams[key] {
		if st != own && st.had(seq) {
			return false
		}
	}
	return true
}

func (s *seen) addLocked(key streamKey, way NodeID) *stream {
	if s.n >= maxStreams {
		s.forgetLocked()
	}
	if s.streams == nil {
		s.streams = make(map[streamKey][]*stream)
	}
	st := &stream{by: way}
	s.streams[key] = append(s.streams[key], st)
	s.n++
	return st
}

// has reports whether it is one of the last.
func (st *stream) has(seq uint64) bool {
	return seq <= st.newest && slices.Contains(st.last[:min(st.n, seenEvents)], seq)
}

// had reports whether it is to be taken for one of those before.
func (st *stream) had(seq uint64) bool {
	for i := range st.older {
		if r := &st.older[i]; r.low <= seq && seq <= r.high && r.left > 0 {
			r.left--
			return true
		}
	}
	return false
}

func (st *stream) note(seq uint64) {
	at := st.n % seenEvents
	if st.n >= seenEvents {
		st.age(st.last[at])
	}
	st.last[at] = seq
	st.n++
	st.newest = max(st.newest, seq)
}

// age keeps of an event only that it was there.
func (st *stream) age(seq uint64) {
	for i := len(st.older) - 1; i >= 0; i-- {
		if r := &st.older[i]; r.takes(seq) {
			r.low, r.high = min(r.low, seq), max(r.high, seq)
			r.events++
			r.left += runSlack
			return
		}
	}
	if len(st.older) == maxRuns {
		st.older = slices.Delete(st.older, 0, 1)
	}
	st.older = append(st.older, run{seq, seq, 1, runSlack})
}

// takes reports whether the event may belong to the run.
func (r *run) takes(seq uint64) bool {
	return r.events < runEvents && (seq >= r.low || r.low-seq <= runGap) && (seq <= r.high || seq-r.high <= runGap)
}

// forgetLocked makes room.
func (s *seen) forgetLocked() {
	heard := make(map[NodeID][]time.Duration)
	var most NodeID
	for _, ways := range s.streams {
		for _, st := range ways {
			heard[st.by] = append(heard[st.by], st.heard)
			if len(heard[st.by]) > len(heard[most]) {
				most = st.by
			}
		}
	}
	slices.Sort(heard[most])
	limit := heard[most][len(heard[most])/2]
	for key, ways := range s.streams {
		s.n -= len(ways)
		ways = slices.DeleteFunc(ways, func(st *stream) bool { return st.by == most && st.heard <= limit })
		s.n += len(ways)
		s.streams[key] = ways
		if len(ways) == 0 {
			delete(s.streams, key)
		}
	}
}
