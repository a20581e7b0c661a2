package resmgr

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"kecho/channel"
)

// Call is one renewal or release, from Renew or Release to DoDone.
type Call struct {
	// Data is the driver's own.
	Data any
	// Lease is what is renewed or released; after a renewal, as it is now.
	Lease LeaseID
	Now   Lease
	Err   error

	kind   MessageKind
	holder string
	ttl    time.Duration
	ask    channel.ID
	node   channel.NodeID
	sent   time.Duration
	due    time.Duration
}

// Renew asks the manager of a lease for its whole time again, or for another
// TTL; zero: the one it has. A lease is never made shorter. The error is a
// *FieldError or a *Refusal.
func (s *Asker) Renew(now time.Duration, c *Call, holder string, ttl time.Duration, out []Effect) ([]Effect, error) {
	if ttl != 0 {
		if err := checkTTL(ttl); err != nil {
			return out, err
		}
	}
	c.kind, c.holder, c.ttl = MsgRenew, holder, ttl
	return s.call(now, c, out)
}

// Release asks the manager of a lease to end it.
func (s *Asker) Release(now time.Duration, c *Call, holder string, out []Effect) ([]Effect, error) {
	c.kind, c.holder = MsgRelease, holder
	return s.call(now, c, out)
}

func (s *Asker) call(now time.Duration, c *Call, out []Effect) ([]Effect, error) {
	if err := checkText("holder", c.holder, 1); err != nil {
		return out, err
	}
	c.node = s.where[c.Lease.Manager]
	if c.node == 0 {
		return out, &Refusal{Reason{Manager: c.Lease.Manager, Code: CodeGone, Detail: "no manager of this name is in the group now"}}
	}
	if len(s.calls) >= s.cfg.Max {
		return out, &Refusal{Reason{Code: CodeTooMany, Detail: fmt.Sprintf("%d renewals and releases are on their way at this node", len(s.calls))}}
	}
	c.ask, c.sent = s.cfg.NextID(), now
	s.calls[c.ask] = c
	return s.sendCall(now, c, out), nil
}

func (s *Asker) sendCall(now time.Duration, c *Call, out []Effect) []Effect {
	c.due = now + resendEvery
	s.agenda.add(entry{c.due, c})
	return s.tell(c.node, c.Lease.Manager, Message{Kind: c.kind, Ask: c.ask, Holder: c.holder, TTL: c.ttl, Fence: c.Lease.Fence}, out)
}

func (s *Asker) callDue(now time.Duration, c *Call, out []Effect) []Effect {
	if s.calls[c.ask] != c {
		return out
	}
	if now-c.sent >= answerIn {
		return s.finishCall(c, &Refusal{Reason{Manager: c.Lease.Manager, Code: CodeGone, Detail: fmt.Sprintf("no answer in %v", answerIn)}}, out)
	}
	return s.sendCall(now, c, out)
}

// answered takes the manager's answer to a call.
func (s *Asker) answered(now time.Duration, c *Call, m *Message, out []Effect) []Effect {
	if m.Manager != c.Lease.Manager {
		return out
	}
	switch m.Kind {
	case MsgRenewed:
		h := m.lease(c.node, c.sent, s.cfg.Start)
		out = s.hold(&h, Renewed, out)
		c.Now = h.Lease
		return s.finishCall(c, nil, out)
	case MsgReleased:
		out = s.drop(c.Lease, Released, Reason{}, out)
		return s.finishCall(c, nil, out)
	case MsgRefuse:
		reason := m.Reason
		reason.Manager = m.Manager
		if reason.Code == CodeEnded || reason.Code == CodeNotFound {
			out = s.drop(c.Lease, Ended, reason, out)
		}
		return s.finishCall(c, &Refusal{reason}, out)
	}
	return out
}

func (s *Asker) finishCall(c *Call, err error, out []Effect) []Effect {
	delete(s.calls, c.ask)
	c.Err = err
	return append(out, Effect{Do: DoDone, Call: c})
}

// Abandon forgets a call whose client has gone; what it asked for may happen.
func (s *Asker) Abandon(c *Call) { delete(s.calls, c.ask) }

func compareLeaseIDs(a, b LeaseID) int {
	return cmp.Or(strings.Compare(a.Manager, b.Manager), cmp.Compare(a.Fence, b.Fence))
}
