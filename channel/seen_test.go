package channel

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sequence is the numbers of one source's events on a channel, with gaps.
func sequence(t *rapid.T) []uint64 {
	gaps := rapid.SliceOfN(rapid.Uint64Range(1, 1000), 1, 400).Draw(t, "gaps")
	for i := range gaps[1:] {
		gaps[i+1] += gaps[i]
	}
	return gaps
}

// However far some ways are behind others, each event is taken once.
func TestSeenTakesEachOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s seen
		all := sequence(t)
		at := make([]int, rapid.IntRange(1, 3).Draw(t, "ways"))
		taken := make([]int, len(all))
		for range len(at) * len(all) {
			way := rapid.IntRange(0, len(at)-1).Draw(t, "way")
			if at[way] == len(all) {
				continue
			}
			id := ID{1, all[at[way]]}
			if rapid.Bool().Draw(t, "request") {
				id.Seq |= requestBit
			}
			if s.first(id, Normal, NodeID(way+1), 0) {
				taken[at[way]]++
			}
			at[way]++
			if s.first(id, Normal, NodeID(way+1), 0) {
				t.Fatalf("%v is taken again from who has just brought it", id)
			}
		}
		for i, n := range taken {
			if brought := i < slices.Max(at); (n == 1) != brought || n > 1 {
				t.Fatalf("event %d of %d, the ways being at %d, is taken %d times", i, len(all), at, n)
			}
		}
	})
}

// Of a way that is far behind, what the other has lost is not taken for what it
// has brought, so that nothing comes twice.
func TestSeenBearsLosses(t *testing.T) {
	var s seen
	taken := make(map[uint64]bool)
	bring := func(way NodeID, seq uint64) {
		if s.first(ID{1, seq}, Normal, way, 0) {
			if taken[seq] {
				t.Fatalf("%d is taken twice", seq)
			}
			taken[seq] = true
		}
	}
	for seq := range uint64(5000) {
		if seq%3 != 0 {
			bring(1, seq)
		}
	}
	for seq := range uint64(5000) {
		bring(2, seq)
	}
}

// What a liar costs the others is in proportion to what it sends, whatever that
// is.
func TestSeenBearsLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s seen
		lies, lost := 0, 0
		lied := make(map[uint64]bool)
		all := sequence(t)
		for _, seq := range all {
			for range rapid.IntRange(0, 3).Draw(t, "lies") {
				lie := rapid.OneOf(rapid.Uint64(), rapid.Uint64Max(all[len(all)-1]), rapid.SampledFrom(all)).Draw(t, "lie")
				s.first(ID{1, lie}, Normal, 9, 0)
				lied[lie&^requestBit] = true
				lies++
			}
			if !s.first(ID{1, seq}, Normal, 1, 0) && !lied[seq] {
				lost++
			}
		}
		if lost > runSlack*lies {
			t.Fatalf("%d lies lost %d events", lies, lost)
		}
	})
}

// One that jumps loses nothing of others, nor of its own.
func TestSeenBearsAJump(t *testing.T) {
	for _, liar := range []NodeID{1, 2} { // 1: a gateway that was lied to
		var s seen
		for seq := range uint64(1000) {
			if !s.first(ID{1, seq}, Normal, 1, 0) {
				t.Fatalf("%d is lost, when %d lies", seq, liar)
			}
			if seq%100 == 50 {
				s.first(ID{1, math.MaxInt64 - seq}, Normal, liar, 0)
			}
		}
		lost := 0
		for seq := uint64(1000); seq < 2000; seq++ { // another gateway takes over
			if !s.first(ID{1, seq}, Normal, 3, 0) {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("%d events are lost of who takes over, when %d lies", lost, liar)
		}
	}
}

func TestSeenBearsOvertaking(t *testing.T) {
	var s seen
	take := func(seq uint64, p Priority, way NodeID) bool { return s.first(ID{1, seq}, p, way, 0) }
	for seq := uint64(1000); seq < 1000+seenEvents; seq++ {
		if !take(2*seq, Normal, 1) {
			t.Fatalf("%d is not taken", seq)
		}
	}
	if !take(2001, Normal, 2) || take(2001, Normal, 2) {
		t.Error("one that was overtaken is not taken once")
	}
	if !take(1, Bulk, 1) || !take(1, Urgent, 1) {
		t.Error("another priority is another stream")
	}
	for seq := uint64(1000); seq < 1000+seenEvents; seq++ {
		take(4*seq, Normal, 1)
	}
	if take(2003, Normal, 2) {
		t.Error("one that more than those remembered have overtaken is taken")
	}
}

func TestSeenIsBounded(t *testing.T) {
	var s seen
	if !s.first(ID{1, 1}, Normal, 1, 0) {
		t.Fatal("the first event is not taken")
	}
	for i := range 3 * maxStreams {
		id := ID{NodeID(i + 2), 1}
		if !s.first(id, Normal, 2, time.Duration(i)) {
			t.Fatalf("the first event of source %d is not taken", i)
		}
		if s.first(id, Normal, 2, time.Duration(i)) {
			t.Fatalf("the first event of source %d is taken twice", i)
		}
	}
	n := 0
	for _, ways := range s.streams {
		n += len(ways)
	}
	if n > maxStreams || n != s.n {
		t.Errorf("%d streams are remembered, counted as %d, at most %d", n, s.n, maxStreams)
	}
	if s.first(ID{1, 1}, Normal, 3, 0) {
		t.Error("who invents sources had another's forgotten")
	}
	for i := range uint64(1 << 20) { // far from each other
		s.first(ID{1, i * i << 17}, Normal, 4, 0)
	}
	for _, st := range s.streams[streamKey{1, Normal}] {
		if len(st.older) > maxRuns {
			t.Errorf("%d runs, at most %d", len(st.older), maxRuns)
		}
	}
}
