package resmgr

import (
	"fmt"
	"slices"
	"time"

	"kecho/channel"
)

// AskerConfig says how long an Asker waits and how much it bears.
type AskerConfig struct {
	// NextID draws the ids of attempts; each is used once in the whole cluster.
	NextID func() channel.ID
	// Start is the moment that the times are counted from, for Lease.Until.
	Start time.Time
	// Gather is how long a request that could be granted waits for better
	// offers. Zero: 100 ms.
	Gather time.Duration
	// Patience is how long a manager has to answer. Zero: 1 s.
	Patience time.Duration
	// PerHolder bounds the requests of one holder that are on their way. Zero:
	// 1,000.
	PerHolder int
	// Max bounds those of all, and the leases that are remembered. Zero: 10,000
	// and ten times as many.
	Max int
}

// How the asking side goes on when it hears nothing.
const (
	resendEvery = 300 * time.Millisecond
	answerIn    = HoldTime + time.Second // for an accept, a renewal, a release
	undoEvery   = time.Second
	fastTries   = 3 // attempts that follow each other at once
)

// Asker is one node's asking side: what its clients want and have. It is a pure
// state machine like Granter. It knows managers only by their answers.
type Asker struct {
	cfg    AskerConfig
	asks   map[channel.ID]*Asking
	keys   map[key]*Asking // those that run, and those that succeeded, for 10 minutes
	done   []*Asking       // that succeeded, oldest first
	counts map[string]int  // of each holder: requests on their way
	calls  map[channel.ID]*Call
	held   map[LeaseID]*held
	undos  map[undoKey]*undoing
	where  map[string]channel.NodeID // managers that were heard of
	agenda agenda
}

// held is a lease of one of this node's clients.
type held struct {
	Lease
	until time.Duration
}

// undoing is a lease that may have been granted and is not wanted; it is said
// until it was heard.
type undoing struct {
	key   undoKey
	node  channel.NodeID
	due   time.Duration
	until time.Duration // the lease is over by then anyway
}

type undoKey struct {
	manager string
	ask     channel.ID
}

// NewAsker makes an Asker that nobody has asked for anything.
func NewAsker(cfg AskerConfig) *Asker {
	if cfg.Gather <= 0 {
		cfg.Gather = 100 * time.Millisecond
	}
	if cfg.Patience <= 0 {
		cfg.Patience = time.Second
	}
	if cfg.PerHolder <= 0 {
		cfg.PerHolder = 1000
	}
	if cfg.Max <= 0 {
		cfg.Max = 10_000
	}
	return &Asker{
		cfg: cfg, asks: map[channel.ID]*Asking{}, keys: map[key]*Asking{}, counts: map[string]int{}, calls: map[channel.ID]*Call{},
		held: map[LeaseID]*held{}, undos: map[undoKey]*undoing{}, where: map[string]channel.NodeID{},
	}
}

// Heard notes which node a manager is on.
func (s *Asker) Heard(manager string, node channel.NodeID) {
	if len(s.where) < s.cfg.Max || s.where[manager] != 0 {
		s.where[manager] = node
	}
}

// Receive takes what a manager says, with the load of its node; negative: not
// known.
func (s *Asker) Receive(now time.Duration, from channel.NodeID, load float64, m *Message, out []Effect) []Effect {
	out = s.Tick(now, out)
	s.Heard(m.Manager, from)
	if m.Kind == MsgEnded {
		return s.ended(m, out)
	}
	if c := s.calls[m.Ask]; c != nil {
		return s.answered(now, c, m, out)
	}
	if m.Kind == MsgReleased {
		delete(s.undos, undoKey{m.Manager, m.Ask})
		return out
	}
	a := s.asks[m.Ask]
	if a == nil {
		return s.stray(now, from, m, out)
	}
	switch m.Kind {
	case MsgOffer:
		return s.offer(now, a, reply{from, load, m}, out)
	case MsgRefuse:
		return s.refuse(now, a, reply{from, load, m}, out)
	case MsgGrant:
		return s.grant(now, a, reply{from, load, m}, out)
	}
	return out
}

// stray answers what came for a request that is over: nothing is left set aside,
// waiting, or granted to nobody.
func (s *Asker) stray(now time.Duration, from channel.NodeID, m *Message, out []Effect) []Effect {
	switch {
	case m.Kind == MsgOffer && m.Wait > 0, m.Kind == MsgRefuse && m.Wait > 0:
		return s.tell(from, m.Manager, Message{Kind: MsgDecline, Ask: m.Ask}, out)
	case m.Kind == MsgGrant && s.held[LeaseID{m.Manager, m.Fence}] == nil && !s.handedOut(m):
		return s.undo(now, from, m.Manager, m.Ask, out)
	}
	return out
}

// handedOut reports whether a client was given what m grants. If the lease is
// not held any more because its node was taken for dead, its holder may not know:
// it is left to its time.
func (s *Asker) handedOut(m *Message) bool {
	a := s.keys[key{m.Holder, m.ID}]
	return a != nil && a.phase == finished && a.ask == m.Ask
}

func (s *Asker) tell(to channel.NodeID, manager string, m Message, out []Effect) []Effect {
	m.Manager = manager
	return append(out, Effect{Do: DoSend, To: to, Message: m})
}

// undo takes back what the manager may grant, and says it until it has heard.
func (s *Asker) undo(now time.Duration, node channel.NodeID, manager string, ask channel.ID, out []Effect) []Effect {
	k := undoKey{manager, ask}
	if s.undos[k] != nil || len(s.undos) >= s.cfg.Max {
		return out
	}
	u := &undoing{key: k, node: node, due: now + undoEvery, until: now + MaxTTL}
	s.undos[k] = u
	s.agenda.add(entry{u.due, u})
	return s.tell(node, manager, Message{Kind: MsgUndo, Ask: ask}, out)
}

func (s *Asker) undoDue(now time.Duration, u *undoing, out []Effect) []Effect {
	if s.undos[u.key] != u {
		return out
	}
	if now >= u.until {
		delete(s.undos, u.key)
		return out
	}
	u.due = now + undoEvery
	s.agenda.add(entry{u.due, u})
	return s.tell(u.node, u.key.manager, Message{Kind: MsgUndo, Ask: u.key.ask}, out)
}

// Next is when Tick has something to do if nothing else happens.
func (s *Asker) Next() (at time.Duration, ok bool) {
	if len(s.agenda) == 0 {
		return 0, false
	}
	return s.agenda[0].at, true
}

// Tick does what is due.
func (s *Asker) Tick(now time.Duration, out []Effect) []Effect {
	for e, ok := s.agenda.due(now); ok; e, ok = s.agenda.due(now) {
		switch what := e.what.(type) {
		case *Asking:
			if what.due == e.at {
				out = s.askingDue(now, what, out)
			}
		case *Call:
			if what.due == e.at {
				out = s.callDue(now, what, out)
			}
		case *held:
			out = s.heldDue(now, what, out)
		case *undoing:
			out = s.undoDue(now, what, out)
		}
	}
	s.agenda.weed(len(s.asks)+len(s.calls)+len(s.held)+len(s.undos), s.isOver)
	for len(s.done) > 0 && s.done[0].over+keepRequests <= now {
		s.forget(s.done[0])
		s.done[0], s.done = nil, s.done[1:]
	}
	return out
}

// isOver reports whether time changes nothing more about what is in the agenda.
func (s *Asker) isOver(what any) bool {
	switch what := what.(type) {
	case *Asking:
		return what.phase == finished
	case *Call:
		return s.calls[what.ask] != what
	case *held:
		return s.held[what.ID] != what
	case *undoing:
		return s.undos[what.key] != what
	}
	return false
}

func (s *Asker) forget(a *Asking) {
	if s.keys[a.key()] == a {
		delete(s.keys, a.key())
	}
}

// PeerGone says that a node is not there any more: its leases are lost, and what
// was asked of it has no answer.
func (s *Asker) PeerGone(now time.Duration, node channel.NodeID, out []Effect) []Effect {
	out = s.Tick(now, out)
	for _, id := range s.leaseIDs() {
		if h := s.held[id]; h.Node == node {
			delete(s.held, id)
			out = append(out, Effect{Do: DoChange, Change: Change{Kind: Lost, Lease: h.Lease}})
		}
	}
	for _, c := range sorted(s.calls) {
		if c.node == node {
			out = s.finishCall(c, &Refusal{Reason{Manager: c.Lease.Manager, Code: CodeGone, Detail: "its node is gone"}}, out)
		}
	}
	for _, a := range sorted(s.asks) {
		out = s.lose(now, a, node, out)
	}
	for k, u := range s.undos {
		if u.node == node {
			delete(s.undos, k)
		}
	}
	for name, n := range s.where {
		if n == node {
			delete(s.where, name)
		}
	}
	return out
}

// at is the names of the managers of a node; its id when none is known.
func (s *Asker) at(node channel.NodeID) []string {
	var names []string
	for name, n := range s.where {
		if n == node {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{node.String()}
	}
	slices.Sort(names)
	return names
}

// sorted is the values of a table by their ids.
func sorted[T any](table map[channel.ID]T) []T {
	ids := make([]channel.ID, 0, len(table))
	for id := range table {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	all := make([]T, 0, len(ids))
	for _, id := range ids {
		all = append(all, table[id])
	}
	return all
}

// Held is every lease that this node's clients have, by id.
func (s *Asker) Held() []Lease {
	var all []Lease
	for _, id := range s.leaseIDs() {
		all = append(all, s.held[id].Lease)
	}
	return all
}

// Lease is one of Held.
func (s *Asker) Lease(id LeaseID) (Lease, bool) {
	if h := s.held[id]; h != nil {
		return h.Lease, true
	}
	return Lease{}, false
}

func (s *Asker) leaseIDs() []LeaseID {
	all := make([]LeaseID, 0, len(s.held))
	for id := range s.held {
		all = append(all, id)
	}
	slices.SortFunc(all, compareLeaseIDs)
	return all
}

// tooMany refuses what this node does not want to remember.
func (s *Asker) tooMany(holder string) error {
	switch {
	case s.counts[holder] >= s.cfg.PerHolder:
		return &Refusal{Reason{Code: CodeTooMany, Detail: fmt.Sprintf("the holder has %d requests on their way at this node, as many as it may", s.counts[holder])}}
	case len(s.held) >= 10*s.cfg.Max:
		return &Refusal{Reason{Code: CodeTooMany, Detail: fmt.Sprintf("%d leases are held through this node, as many as may", len(s.held))}}
	case len(s.asks) >= s.cfg.Max:
		return &Refusal{Reason{Code: CodeTooMany, Detail: fmt.Sprintf("%d requests are on their way at this node, as many as may", len(s.asks))}}
	}
	return nil
}
