package registry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"

	"kecho/channel"
)

const (
	// reviveEvery is how often a peer that failed is joined, until it is
	// there again or forgotten: a node that restarts without seeds, or the
	// other half of a split network, is found again within about 2 s.
	reviveEvery = 2 * time.Second
	// revivers is how many nodes do that, whatever the cluster's size: those
	// with the lowest ids.
	revivers = 3
)

// pinger puts this node's id into each answer to memberlist's probes, and
// whether it knows anybody. A peer that restarted at once answers as if nothing
// had happened, and knows nobody if it has no seeds: memberlist alone would
// notice after 30 s or more.
type pinger struct{ *session }

var _ memberlist.PingDelegate = (*pinger)(nil)

// AckPayload is this node's id (8 bytes), and 1 if it knows a live peer.
func (p *pinger) AckPayload() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.cfg.ID))
	if p.anyAlive() {
		return append(b, 1)
	}
	return append(b, 0)
}

// NotifyPingComplete is called for each probe that was answered directly.
func (p *pinger) NotifyPingComplete(other *memberlist.Node, _ time.Duration, payload []byte) {
	if len(payload) != 9 {
		return
	}
	id, alone := channel.NodeID(binary.BigEndian.Uint64(payload)), payload[8] == 0
	addr := net.JoinHostPort(other.Addr.String(), strconv.Itoa(int(other.Port)))
	known, ok := p.board.find(other.Name)
	if ok && known.Addr == addr && (known.ID != id || alone) {
		p.hasRestarted(addr)
	}
}

// hasRestarted has the node at addr told of everybody.
func (s *session) hasRestarted(addr string) {
	select {
	case s.restarted <- addr:
	default: // another one is being joined; the next probe is near
	}
}

// joinRestarted exchanges the whole state with peers that restarted.
func (s *session) joinRestarted(ctx context.Context) {
	for {
		select {
		case addr := <-s.restarted:
			s.rejoin(addr)
		case <-ctx.Done():
			return
		}
	}
}

// joinFailed tries one of the failed peers, and pauses for reviveEvery, until ctx
// is done.
func (s *session) joinFailed(ctx context.Context) {
	pause := time.NewTimer(reviveEvery)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
			if addr := s.toRevive(); addr != "" {
				s.rejoin(addr)
			}
			pause.Reset(reviveEvery)
		case <-ctx.Done():
			return
		}
	}
}

// toRevive is the address of a failed peer, if it is for this node to try one.
func (s *session) toRevive() string {
	peers, _ := s.board.get()
	var failed []string
	for _, p := range peers {
		if p.Status == Failed {
			failed = append(failed, p.Addr)
		}
	}
	if len(failed) == 0 || !s.isReviver(peers) {
		return ""
	}
	return failed[rand.IntN(len(failed))]
}

func (s *session) isReviver(peers []Peer) bool {
	rank := 0
	for _, p := range peers {
		if p.Status == Alive && p.ID < s.cfg.ID {
			rank++
		}
	}
	return rank < revivers
}

// rejoin is a join of an address that was a member, without serf's news of a
// join: nobody is new.
func (s *session) rejoin(addr string) {
	s.rejoins.Add(1)
	if _, err := s.serf.Memberlist().Join([]string{addr}); err != nil {
		s.failures.Add(1)
		s.cfg.Logger.Debug("join a peer again", "addr", addr, "err", plain(err))
	}
}
