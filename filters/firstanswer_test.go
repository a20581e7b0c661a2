package filters

import (
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"kecho/channel"
)

func newAnswers(limit int) *FirstAnswer {
	return NewFirstAnswer(FirstAnswerConfig{
		Heads: []channel.Type{"answer"}, Parts: []channel.Type{"body"}, Max: limit,
	})
}

// answersModel remembers the whole story and decides each event from it.
type answersModel struct {
	max   int
	open  map[channel.ID]bool
	heads map[channel.ID][]channel.NodeID // let in or not, since the call was opened
	stats FirstAnswerStats
}

// pass decides one event of type "answer" or "body".
func (m *answersModel) pass(e *channel.Event) bool {
	if !m.open[e.Re] {
		m.stats.Late++
		return false
	}
	if e.Type == "answer" && e.ID.Source != 0 {
		m.heads[e.Re] = append(m.heads[e.Re], e.ID.Source)
		if len(m.heads[e.Re]) == 1 {
			m.stats.Won++
		}
	}
	if len(m.heads[e.Re]) == 0 {
		m.stats.Early++
		return false
	}
	if m.heads[e.Re][0] != e.ID.Source {
		m.stats.Duplicates++
		return false
	}
	return true
}

func (m *answersModel) begin(id channel.ID) bool {
	if !m.open[id] && len(m.open) == m.max {
		m.stats.Refused++
		return false
	}
	m.open[id] = true
	return true
}

func TestFirstAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := &answersModel{
			max:   rapid.IntRange(1, 6).Draw(t, "max"),
			open:  make(map[channel.ID]bool),
			heads: make(map[channel.ID][]channel.NodeID),
		}
		f := newAnswers(model.max)
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				id := drawID(t, "id")
				if got, want := f.Open(id), model.begin(id); got != want {
					t.Fatalf("open %v: %v, want %v", id, got, want)
				}
			},
			"close": func(t *rapid.T) {
				id := drawID(t, "id")
				f.Close(id)
				delete(model.open, id)
				delete(model.heads, id)
			},
			"event": func(t *rapid.T) {
				e, sinks := drawEvent(t), drawSinks(t)
				pass := e.Type != "answer" && e.Type != "body" || model.pass(e)
				mustKeep(t, f.Filter, e, sinks, naive(sinks, func(channel.Sink) bool { return pass }))
			},
			"losers": func(t *rapid.T) {
				e, sinks := drawEvent(t), drawSinks(t)
				heads := model.heads[e.Re]
				want := naive(sinks, func(s channel.Sink) bool { return len(heads) == 0 || s.Node != heads[0] })
				mustKeep(t, f.Losers, e, sinks, want)
			},
			"": func(t *rapid.T) {
				want := model.stats
				want.Open = len(model.open)
				if got := f.Stats(); got != want {
					t.Fatalf("stats %+v, want %+v", got, want)
				}
				for id := range model.open {
					winner, ok := f.Winner(id)
					heads := model.heads[id]
					if ok != (len(heads) > 0) || ok && winner != heads[0] {
						t.Fatalf("winner of %v: %v, %v; heads came from %v", id, winner, ok, heads)
					}
				}
			},
		})
	})
}

func TestFirstAnswerHasOneWinner(t *testing.T) {
	const calls, peers = 200, 8
	f := newAnswers(calls)
	var passed [calls]atomic.Int64 // the sum of the nodes whose answer passed
	for i := range passed {
		f.Open(channel.ID{Source: 99, Seq: uint64(i)})
	}
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for peer := channel.NodeID(1); peer <= peers; peer++ {
		wg.Go(func() {
			<-begin
			for i := range passed {
				e := &channel.Event{Type: "answer", ID: channel.ID{Source: peer}, Re: channel.ID{Source: 99, Seq: uint64(i)}}
				if len(f.Filter(e, someSinks(1))) == 1 {
					passed[i].Add(int64(peer))
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	for i := range passed {
		winner, ok := f.Winner(channel.ID{Source: 99, Seq: uint64(i)})
		if !ok || passed[i].Load() != int64(winner) {
			t.Errorf("call %d: winner %v (%v), but answers passed add up to node %d", i, winner, ok, passed[i].Load())
		}
	}
	want := FirstAnswerStats{Open: calls, Won: calls, Duplicates: calls * (peers - 1)}
	if got := f.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func BenchmarkFirstAnswerCall(b *testing.B) {
	f := newAnswers(0)
	var source atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		id := channel.ID{Source: channel.NodeID(source.Add(1))}
		sinks := someSinks(1)
		win, lose := &channel.Event{Type: "answer"}, &channel.Event{Type: "answer"}
		win.ID.Source, lose.ID.Source = 1, 2
		for pb.Next() {
			id.Seq++
			win.Re, lose.Re = id, id
			f.Open(id)
			f.Filter(win, sinks)
			f.Filter(lose, sinks)
			f.Close(id)
		}
	})
}
