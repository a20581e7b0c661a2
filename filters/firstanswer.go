package filters

import (
	"slices"
	"sync"

	"kecho/channel"
)

// FirstAnswerConfig says which events a FirstAnswer guards. Events of types
// that it does not name always pass.
type FirstAnswerConfig struct {
	// Heads are the types that begin an answer: the first event of one of
	// them wins the call. Zero: nothing can win.
	Heads []channel.Type
	// Parts are the types that continue an answer: they pass from the winner
	// only.
	Parts []channel.Type
	// Max is how many calls may be open at once. Zero: DefaultMaxEntries.
	Max int
}

// FirstAnswer lets in the first of several answers to a request that went to
// several nodes, and drops and counts the others, late ones too (the KECho
// paper, sections 2.3 and 4). A call is named by its request's ID, which is
// the answers' Re. However many answers arrive at once, one wins.
type FirstAnswer struct {
	heads, parts []channel.Type
	max          int

	mu    sync.Mutex
	calls map[channel.ID]channel.NodeID // guarded by mu; the winner, zero while there is none
	stats FirstAnswerStats              // guarded by mu; without Open
}

// FirstAnswerStats is a FirstAnswer's state at one moment and what it did
// since the start.
type FirstAnswerStats struct {
	Open       int   // calls open now
	Won        int64 // calls that got an answer
	Duplicates int64 // events dropped because another node won their call
	Late       int64 // events dropped because their call was closed or never open
	Early      int64 // parts dropped because their call had no winner yet
	Refused    int64 // calls not opened for want of room
}

// NewFirstAnswer makes a FirstAnswer with no call open. It has nothing to
// close; cfg is copied.
func NewFirstAnswer(cfg FirstAnswerConfig) *FirstAnswer {
	f := &FirstAnswer{
		heads: slices.Clone(cfg.Heads),
		parts: slices.Clone(cfg.Parts),
		max:   cfg.Max,
		calls: make(map[channel.ID]channel.NodeID),
	}
	if f.max < 1 {
		f.max = DefaultMaxEntries
	}
	return f
}

// Open lets one answer to the event id in, until Close(id). It must be called
// before the event is submitted, or a quick answer is late. It reports false
// when Max calls are open: then every answer is late. A call that is open
// stays as it is, its winner too.
func (f *FirstAnswer) Open(id channel.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, open := f.calls[id]; open {
		return true
	}
	if len(f.calls) >= f.max {
		f.stats.Refused++
		return false
	}
	f.calls[id] = 0
	return true
}

// Close ends the call id: whatever comes for it from now on is late.
func (f *FirstAnswer) Close(id channel.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, id)
}

// Winner is the node whose answer to the open call id was let in; false when
// there is none yet, or no such call.
func (f *FirstAnswer) Winner(id channel.ID) (channel.NodeID, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	node := f.calls[id]
	return node, node != 0
}

// Filter is the IN-filter. From the winner of a call everything passes, a
// second head too.
func (f *FirstAnswer) Filter(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	head := slices.Contains(f.heads, e.Type)
	if !head && !slices.Contains(f.parts, e.Type) {
		return sinks
	}
	if f.pass(e, head) {
		return sinks
	}
	return sinks[:0]
}

// Losers is an OUT-filter for cancels: it drops the sink whose answer to the
// call e.Re won.
func (f *FirstAnswer) Losers(e *channel.Event, sinks []channel.Sink) []channel.Sink {
	winner, ok := f.Winner(e.Re)
	if !ok {
		return sinks
	}
	return slices.DeleteFunc(sinks, func(s channel.Sink) bool { return s.Node == winner })
}

// Stats is the state now.
func (f *FirstAnswer) Stats() FirstAnswerStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Open = len(f.calls)
	return s
}

// pass decides about one event of a guarded type, and makes its source the
// winner if it is the first head.
func (f *FirstAnswer) pass(e *channel.Event, head bool) bool {
	source := e.ID.Source
	f.mu.Lock()
	defer f.mu.Unlock()
	winner, open := f.calls[e.Re]
	switch {
	case !open:
		f.stats.Late++
		return false
	case winner == source && source != 0:
		return true
	case winner != 0:
		f.stats.Duplicates++
		return false
	case !head || source == 0:
		f.stats.Early++
		return false
	}
	f.calls[e.Re] = source
	f.stats.Won++
	return true
}
