package filters

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

// chosenModel is Chosen as a list, oldest first.
type chosenModel struct {
	max     int
	entries []modelEntry
	evicted int64
}

type modelEntry struct {
	id    channel.ID
	nodes []channel.NodeID
}

func (m *chosenModel) of(id channel.ID) []channel.NodeID {
	for _, entry := range m.entries {
		if entry.id == id {
			return entry.nodes
		}
	}
	return nil
}

func (m *chosenModel) record(id channel.ID, sinks []channel.Sink) {
	if id == (channel.ID{}) || len(sinks) == 0 {
		return
	}
	i := slices.IndexFunc(m.entries, func(have modelEntry) bool { return have.id == id })
	if i < 0 {
		if len(m.entries) == m.max {
			m.entries = m.entries[1:]
			m.evicted++
		}
		m.entries = append(m.entries, modelEntry{id: id})
		i = len(m.entries) - 1
	}
	for _, s := range sinks {
		if !slices.Contains(m.entries[i].nodes, s.Node) {
			m.entries[i].nodes = append(m.entries[i].nodes, s.Node)
		}
	}
}

func (m *chosenModel) forget(id channel.ID) {
	m.entries = slices.DeleteFunc(m.entries, func(have modelEntry) bool { return have.id == id })
}

func TestChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := &chosenModel{max: rapid.IntRange(1, 4).Draw(t, "max")}
		c := NewChosen(ChosenConfig{Max: model.max})
		t.Repeat(map[string]func(*rapid.T){
			"record": func(t *rapid.T) {
				e, sinks := drawEvent(t), drawSinks(t)
				mustKeep(t, c.Record, e, sinks, nodesOf(sinks))
				model.record(e.ID, sinks)
			},
			"to": func(t *rapid.T) {
				e, sinks := drawEvent(t), drawSinks(t)
				nodes := model.of(e.Re)
				want := naive(sinks, func(s channel.Sink) bool { return slices.Contains(nodes, s.Node) })
				mustKeep(t, c.To, e, sinks, want)
			},
			"from": func(t *rapid.T) {
				e, sinks := drawEvent(t), drawSinks(t)
				nodes := model.of(e.Re)
				pass := nodes == nil || slices.Contains(nodes, e.ID.Source)
				mustKeep(t, c.From, e, sinks, naive(sinks, func(channel.Sink) bool { return pass }))
			},
			"forget": func(t *rapid.T) {
				id := drawID(t, "id")
				c.Forget(id)
				model.forget(id)
			},
			"": func(t *rapid.T) {
				want := ChosenStats{Entries: len(model.entries), Evicted: model.evicted}
				if got := c.Stats(); got != want {
					t.Fatalf("stats %+v, want %+v", got, want)
				}
				for source := channel.NodeID(0); source <= 4; source++ {
					for seq := range uint64(4) {
						id := channel.ID{Source: source, Seq: seq}
						if got, want := c.Of(id), model.of(id); !slices.Equal(got, want) {
							t.Fatalf("of %v: %v, want %v", id, got, want)
						}
					}
				}
			},
		})
	})
}

// What Of returns stays what it was when the entry is used again.
func TestChosenOfIsACopy(t *testing.T) {
	c := NewChosen(ChosenConfig{})
	a, b := channel.ID{Source: 1, Seq: 1}, channel.ID{Source: 1, Seq: 2}
	c.Record(&channel.Event{ID: a}, []channel.Sink{{Node: 7}})
	got := c.Of(a)
	c.Forget(a)
	c.Record(&channel.Event{ID: b}, []channel.Sink{{Node: 8}})
	if !slices.Equal(got, []channel.NodeID{7}) {
		t.Errorf("of the first event: %v, want [7]", got)
	}
}

func TestChosenConcurrently(t *testing.T) {
	c := NewChosen(ChosenConfig{Max: 1000})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for seq := range uint64(500) {
				id := channel.ID{Source: channel.NodeID(g + 1), Seq: seq + 1}
				c.Record(&channel.Event{ID: id}, someSinks(1+g))
				if got := len(c.To(&channel.Event{Re: id}, someSinks(8))); got != 1+g {
					t.Errorf("kept %d sinks, want %d", got, 1+g)
					return
				}
				c.Forget(id)
			}
		})
	}
	wg.Wait()
	if got := c.Stats(); got != (ChosenStats{}) {
		t.Errorf("stats at the end %+v, want none", got)
	}
}

func BenchmarkChosenCall(b *testing.B) {
	c := NewChosen(ChosenConfig{})
	sinks := someSinks(8)
	var source atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := &channel.Event{ID: channel.ID{Source: channel.NodeID(source.Add(1))}}
		cancel, mine := &channel.Event{}, slices.Clone(sinks)
		for pb.Next() {
			e.ID.Seq++
			cancel.Re = e.ID
			c.Record(e, mine[:2])
			c.To(cancel, mine)
			c.Forget(e.ID)
		}
	})
}
