package resmgr

import (
	"context"
	"errors"
	"slices"
	"time"

	"kecho/channel"
	"kecho/filters"
)

// peerReport is what a manager of the group said last of itself.
type peerReport struct {
	free Amounts
	tags Tags
}

// receive takes an event of the channel.
func (m *Manager) receive(e *channel.Event) {
	var msg Message
	if err := channel.Unpack(e.Body, &msg); err != nil {
		m.log.Debug("an event of the resource group is not understood", "node", e.ID.Source, "err", err)
		return
	}
	if err := msg.check(); err != nil {
		m.log.Warn("a node says what no manager says; it is dropped", "node", e.ID.Source, "err", err)
		return
	}
	load, ok := filters.LoadIn(e.From)
	if !ok {
		load = -1
	}
	m.enter(func(now time.Duration) { m.message(now, e.ID.Source, load, &msg) })
}

// message hands a message to whom it is for.
func (m *Manager) message(now time.Duration, from channel.NodeID, load float64, msg *Message) {
	switch {
	case msg.Kind == MsgReport:
		m.heardReport(from, msg)
	case msg.Kind.forManager():
		for _, g := range m.granters {
			if msg.Kind == MsgRequest || msg.Manager == g.cfg.Name {
				m.takeLocked(g, g.Receive(now, from, msg, nil))
			}
		}
	default:
		if msg.Kind == MsgGrant {
			m.fences.Note(msg.Manager, msg.Fence)
		}
		m.takeLocked(nil, m.asker.Receive(now, from, load, msg, nil))
	}
}

// heardReport notes what a manager has, and tells it when it had a higher fence
// than it knows. Who was not heard of before, or has no manager, has come just
// now and may have missed what this node said.
func (m *Manager) heardReport(from channel.NodeID, msg *Message) {
	if from == m.self {
		return
	}
	if m.peers[from] == nil {
		m.introduce(from)
	}
	if msg.Manager == "" {
		return
	}
	m.noteReport(from, *msg)
	if seen := m.fences.Note(msg.Manager, msg.Fence); seen > msg.Fence {
		m.outbox = append(m.outbox, Effect{Do: DoSend, To: from, Message: Message{Kind: MsgSeen, Manager: msg.Manager, Fence: seen}})
	}
}

// introduce tells one node what this one has.
func (m *Manager) introduce(to channel.NodeID) {
	for _, g := range m.granters {
		m.outbox = append(m.outbox, Effect{Do: DoSend, To: to, Message: g.Report(m.now())})
	}
}

func (m *Manager) noteReport(node channel.NodeID, r Message) {
	reports := m.peers[node]
	if reports == nil {
		reports = map[string]*peerReport{}
		m.peers[node] = reports
	}
	if len(reports) < channel.MaxList || reports[r.Manager] != nil {
		reports[r.Manager] = &peerReport{r.Free, parseTags(r.Tags)}
	}
	m.asker.Heard(r.Manager, node)
}

// sink takes that a node has come to the group, or has gone.
func (m *Manager) sink(s channel.Sink, present bool) {
	m.enter(func(now time.Duration) {
		if present {
			m.introduce(s.Node)
			if len(m.granters) == 0 {
				m.outbox = append(m.outbox, Effect{Do: DoSend, To: s.Node, Message: Message{Kind: MsgReport}})
			}
			return
		}
		delete(m.peers, s.Node)
		m.takeLocked(nil, m.asker.PeerGone(now, s.Node, nil))
		for _, g := range m.granters {
			m.takeLocked(g, g.PeerGone(now, s.Node, nil))
		}
	})
}

// flush sends and tells what is in the outbox, in order. Whoever comes while
// somebody is at it leaves it to him.
func (m *Manager) flush() {
	m.mu.Lock()
	if m.flushing {
		m.mu.Unlock()
		return
	}
	m.flushing = true
	for len(m.outbox) > 0 {
		batch := m.outbox
		m.outbox = nil
		m.mu.Unlock()
		for i := range batch {
			m.send(&batch[i])
		}
		m.mu.Lock()
	}
	m.flushing = false
	m.mu.Unlock()
}

// send does one effect; called by who flushes only, without the lock.
func (m *Manager) send(e *Effect) {
	if e.Do == DoChange {
		if m.cfg.Changed != nil {
			m.cfg.Changed(e.Change)
		}
		return
	}
	e.Message.Managers = len(m.granters)
	body, err := channel.Pack(e.Message)
	if err != nil {
		m.log.Error("a message of the resource group cannot be packed", "kind", e.Message.Kind.String(), "err", err)
		return
	}
	m.sending, m.picked, m.narrowed = e, m.picked[:0], false
	priority := channel.Urgent
	if e.Do == DoSubmit {
		priority = channel.Normal
	}
	_, err = m.cfg.Channel.Submit(context.Background(), channel.Event{
		Type: channel.Type(e.Message.Kind.String()), Priority: priority, Re: e.Message.Ask, Body: body,
	})
	m.sending = nil
	if err != nil && !errors.Is(err, channel.ErrNoSink) {
		// It is as if it were lost, which every side bears.
		m.log.Debug("a message of the resource group was not sent", "kind", e.Message.Kind.String(), "err", err)
	}
	if e.Do == DoSubmit {
		picked, narrowed := slices.Clone(m.picked), m.narrowed
		m.mu.Lock()
		m.takeLocked(nil, m.asker.Asked(m.now(), e.Asking, picked, narrowed, nil))
		m.mu.Unlock()
	}
}

// outFilter picks who gets what is being sent: the one it is for; of a report,
// everybody else; of a request, who has managers, and only those with room by
// their last report when there are enough of them, or only a few of those.
func (m *Manager) outFilter(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
	e := m.sending
	switch {
	case e == nil:
		return sinks // not the manager's own
	case e.Do == DoSubmit:
		return m.forRequest(e, sinks)
	case e.To == 0:
		return slices.DeleteFunc(sinks, func(s channel.Sink) bool { return s.Local })
	}
	return slices.DeleteFunc(sinks, func(s channel.Sink) bool { return s.Node != e.To })
}

// spare is how many nodes more than are needed must have room before the others
// are left out: reports may be old.
const spare = 2

// forRequest leaves out who is not needed. It only saves messages: when those
// who are left do not offer enough, the request is said again to everybody.
func (m *Manager) forRequest(e *Effect, sinks []channel.Sink) []channel.Sink {
	m.mu.Lock()
	defer m.mu.Unlock()
	sinks = slices.DeleteFunc(sinks, func(s channel.Sink) bool { return len(m.peers[s.Node]) == 0 })
	if !e.Everyone {
		for _, g := range m.granters { // of this node more is known than what it said last
			m.noteReport(m.self, g.Report(m.now()))
		}
		if left := m.narrowLocked(e, sinks); len(left) < len(sinks) {
			m.narrowed, sinks = true, left
		}
	}
	for _, s := range sinks {
		m.picked = append(m.picked, s.Node)
	}
	return sinks
}

// narrowLocked is the sinks with room, all if they are too few. For a request
// that takes the first offers it is this node alone if that is enough, whose
// offer would be the first, or as many as are needed and spare, others for each
// request: with an offer by each of 16 nodes, and declines, a lease took eight
// times the CPU time.
func (m *Manager) narrowLocked(e *Effect, sinks []channel.Sink) []channel.Sink {
	var room []channel.Sink
	for _, s := range sinks {
		if !m.hasRoomLocked(s.Node, e) {
			continue
		}
		if s.Local && e.Asking.few && e.Asking.Nodes == 1 {
			return []channel.Sink{s}
		}
		room = append(room, s)
	}
	enough := e.Asking.Nodes + spare
	if len(room) < enough {
		return sinks
	}
	if e.Asking.few {
		from := int(e.Message.Ask.Seq % uint64(len(room)))
		room = append(room[from:], room[:from]...)[:enough]
	}
	return room
}

// hasRoomLocked reports whether a manager of the node could give what is asked
// for, by its last report.
func (m *Manager) hasRoomLocked(node channel.NodeID, e *Effect) bool {
	for _, r := range m.peers[node] {
		fits := e.Asking.Selector.Matches(r.tags)
		for _, need := range e.Message.Needs {
			fits = fits && r.free.Of(need.Kind) >= need.Quantity
		}
		if fits {
			return true
		}
	}
	return false
}
