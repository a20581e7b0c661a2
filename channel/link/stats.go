package link

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"kecho/channel"
)

// LinkStats is what a pool knows of the link to one peer. The counts are of
// the peer's whole life, over all links that there were to it.
type LinkStats struct {
	Peer channel.NodeID
	Name string
	Addr string
	// Since is when the present link came up; zero when there is none.
	Since time.Time
	// Heard is when anything last came from the peer; zero when nothing did.
	Heard time.Time
	// RTT is the moving average of the present link's pings; zero before the
	// first was answered.
	RTT time.Duration
	// LastError is why the last link ended or the last dial failed; nil when
	// neither has happened.
	LastError error

	Urgent, Normal, Bulk Flow
}

// Flow is what went over the links to one peer at one priority. Bytes are
// those of the frames, without the link's own 5 for each.
type Flow struct {
	FramesOut, BytesOut uint64 // taken by Send
	FramesIn, BytesIn   uint64 // given to Receive
	Refused             uint64 // by Send, because the queue was full
	Late                uint64 // taken, and dropped from the queue when their time was up
	Queued, QueuedBytes int    // waiting now
}

// RTT is the moving average of the pings to a peer; 0 when there is no link to
// it, or before its first ping was answered. It takes no lock.
func (p *Pool) RTT(peer channel.NodeID) time.Duration {
	if l := p.table.Load().Get(peer); l != nil {
		return time.Duration(l.rtt.Load())
	}
	return 0
}

// Stats is a snapshot of every peer that SetPeers names or that has a link,
// in the order of their names.
func (p *Pool) Stats() []LinkStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]LinkStats, 0, len(p.peers))
	for _, pr := range p.peers {
		all = append(all, pr.statsLocked())
	}
	slices.SortFunc(all, func(a, b LinkStats) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Peer, b.Peer))
	})
	return all
}

func (pr *peer) statsLocked() LinkStats {
	s := LinkStats{Peer: pr.info.ID, Name: pr.info.Name, Addr: pr.info.Addr, LastError: pr.lastErr}
	if heard := pr.heard.Load(); heard != 0 {
		s.Heard = pr.epoch.Add(time.Duration(heard))
	}
	for ln, flow := range []*Flow{&s.Urgent, &s.Normal, &s.Bulk} {
		*flow = pr.counts[ln].flow()
	}
	l := pr.link
	if l == nil {
		return s
	}
	s.RTT = time.Duration(l.rtt.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	for ln, flow := range []*Flow{&s.Urgent, &s.Normal, &s.Bulk} {
		flow.FramesOut += l.sent[ln].frames
		flow.BytesOut += l.sent[ln].bytes
	}
	if l.up.IsZero() || l.closed {
		return s
	}
	s.Since = l.up
	for ln, flow := range []*Flow{&s.Urgent, &s.Normal, &s.Bulk} {
		flow.Queued, flow.QueuedBytes = l.queues[ln].frames, l.queues[ln].bytes
	}
	return s
}

// count is a Flow in the making. It is added to without a lock, so the figures
// of one snapshot need not fit together to the frame. What the present link took
// is not in it: see link.sent.
type count struct {
	in, out       total
	refused, late atomic.Uint64
}

func (c *count) flow() Flow {
	return Flow{
		FramesOut: c.out.frames.Load(), BytesOut: c.out.bytes.Load(),
		FramesIn: c.in.frames.Load(), BytesIn: c.in.bytes.Load(),
		Refused: c.refused.Load(), Late: c.late.Load(),
	}
}

// flow is frames that go one way, and total the same for many goroutines.
type flow struct{ frames, bytes uint64 }

func (n *flow) add(frame []byte) {
	n.frames++
	n.bytes += uint64(len(frame))
}

type total struct{ frames, bytes atomic.Uint64 }

func (t *total) add(n flow) {
	t.frames.Add(n.frames)
	t.bytes.Add(n.bytes)
}
