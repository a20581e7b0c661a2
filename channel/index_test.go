package channel

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// An Index has what the map has, whatever the ids, and nothing else.
func TestIndex(t *testing.T) {
	if new(Index[int]).Get(1) != nil || IndexOf(map[NodeID]*int{}).Get(1) != nil {
		t.Error("an empty index has something")
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.Uint64()
		if rapid.Bool().Draw(t, "near") {
			ids = rapid.Uint64Range(0, 40)
		}
		want := map[NodeID]*int{}
		all := map[NodeID]*int{}
		for i, id := range rapid.SliceOfN(ids, 0, 60).Draw(t, "ids") {
			all[NodeID(id)] = new(i)
			if i%7 == 6 {
				all[NodeID(id)] = nil
			}
		}
		for id, v := range all {
			if id != 0 && v != nil {
				want[id] = v
			}
		}
		x := IndexOf(all)
		if got := maps.Collect(x.All()); !maps.Equal(got, want) {
			t.Fatalf("the index has %v, want %v", got, want)
		}
		for id := range NodeID(50) {
			if x.Get(id) != want[id] {
				t.Fatalf("of node %d it has %v, want %v", id, x.Get(id), want[id])
			}
		}
		for id := range all {
			if x.Get(id) != want[id] {
				t.Fatalf("of node %d it has %v, want %v", id, x.Get(id), want[id])
			}
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	all := map[NodeID]*int{}
	var ids []NodeID
	for range 8 {
		id := NewNodeID()
		all[id] = new(int)
		ids = append(ids, id)
	}
	x := IndexOf(all)
	b.Run("index", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if x.Get(ids[i%len(ids)]) == nil {
				b.Fatal("it is not there")
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if all[ids[i%len(ids)]] == nil {
				b.Fatal("it is not there")
			}
		}
	})
}
