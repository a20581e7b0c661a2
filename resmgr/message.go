package resmgr

import (
	"fmt"
	"strings"
	"time"

	"kecho/channel"
	"kecho/resmgr/syntax"
)

// MessageKind says what a Message is. The numbers are on the wire (spec.md).
type MessageKind uint8

// What the asking side says, what a manager answers, and what managers tell
// everybody.
const (
	MsgRequest MessageKind = 1 + iota // who can give this?
	MsgAccept                         // I take your offer
	MsgDecline                        // I do not, and I wait no more
	MsgUndo                           // what you granted for this ask, or may have, is not wanted
	MsgRenew                          // the holder wants to go on
	MsgRelease                        // the holder is done

	MsgOffer    // I can, and have set it aside
	MsgRefuse   // no, and why; with Wait, the request stands in the queue
	MsgGrant    // the lease is yours
	MsgRenewed  // it goes on
	MsgReleased // it is over, or was never there
	MsgEnded    // the manager has ended it, or it expired

	MsgReport // what I have free, and my fence
	MsgSeen   // your fence was that high once
	messageKinds
)

var messageNames = [messageKinds]string{"", "request", "accept", "decline", "undo", "renew", "release",
	"offer", "refuse", "grant", "renewed", "released", "ended", "report", "seen"}

// String is one word.
func (k MessageKind) String() string {
	if k > 0 && k < messageKinds {
		return messageNames[k]
	}
	return fmt.Sprintf("MessageKind(%d)", uint8(k))
}

// forManager reports whether k is for managers, and not for who asked.
func (k MessageKind) forManager() bool { return k <= MsgRelease || k == MsgSeen }

// Message is what managers say to each other. Which fields a kind has is in
// spec.md; the others are zero. Its slices are shared and never written to.
type Message struct {
	Kind     MessageKind
	Manager  string     // whom it is for, or who says it; "" in a request, and in a report of who has no manager
	Ask      channel.ID // the attempt that it belongs to, or the renewal or release
	ID       string     // of the request
	Holder   string
	Needs    Amounts
	Selector string
	TTL      time.Duration
	Wait     time.Duration // how long the request waits; how much of the TTL or the hold is left
	Trial    bool          // a dry run: nothing is set aside
	Fence    Fence
	Free     Amounts
	Capacity Amounts
	Tags     string
	Reason   Reason
	Managers int // how many managers of the sender's node answer requests
}

// check refuses what no honest peer sends, before anything is kept.
func (m *Message) check() error {
	if m.Kind == 0 || m.Kind >= messageKinds {
		return fmt.Errorf("message of kind %d", m.Kind)
	}
	if m.Manager != "" || m.Kind != MsgRequest && m.Kind != MsgReport {
		if err := checkManager(m.Manager); err != nil {
			return err
		}
	}
	for _, err := range []error{
		checkText("id", m.ID, 0), checkText("holder", m.Holder, 0), checkAmounts(m.Needs), checkAmounts(m.Capacity),
		m.Reason.check(), m.checkTimes(),
	} {
		if err != nil {
			return fmt.Errorf("%v: %w", m.Kind, err)
		}
	}
	if m.Fence > MaxFence || m.Kind == MsgSeen && m.Fence > MaxFence/2 {
		return fmt.Errorf("%v: fence %d is too high for any manager", m.Kind, m.Fence)
	}
	if len(m.Free) > MaxKinds || len(m.Selector) > syntax.MaxText || len(m.Tags) > maxTagText {
		return fmt.Errorf("%v: its amounts, selector or tags are too long", m.Kind)
	}
	switch m.Kind {
	case MsgRequest:
		if m.Holder == "" || m.Needs == nil || m.TTL == 0 {
			return fmt.Errorf("request without a holder, needs or a TTL")
		}
	case MsgOffer, MsgGrant, MsgRenewed:
		if m.Kind != MsgOffer && (m.Fence == 0 || m.Holder == "" || m.Needs == nil) {
			return fmt.Errorf("%v without a fence, a holder or amounts", m.Kind)
		}
	}
	return nil
}

const maxTagText = MaxTags * 2 * (MaxTag + 1)

func checkAmounts(a Amounts) error {
	if a == nil {
		return nil
	}
	return a.Check()
}

func (m *Message) checkTimes() error {
	if m.TTL < 0 || m.TTL > MaxTTL || m.Wait < 0 || m.Wait > MaxWait {
		return fmt.Errorf("ttl %v or wait %v is outside its range", m.TTL, m.Wait)
	}
	return nil
}

// check bounds a peer's reason; its words are quoted where they are shown.
func (r *Reason) check() error {
	if len(r.Code) > MaxKind || len(r.Kind) > MaxKind || len(r.Manager) > MaxTag {
		return fmt.Errorf("a reason that is too long")
	}
	return checkText("reason", r.Detail, 0)
}

// lease is the lease that a grant or renewal tells of. It is counted from asked,
// when this node first sent what this answers, so that the holder's time is over
// before the manager's, however long messages took.
func (m *Message) lease(node channel.NodeID, asked time.Duration, start time.Time) held {
	h := held{until: asked + m.Wait, Lease: Lease{
		ID: LeaseID{m.Manager, m.Fence}, Request: m.ID, Holder: m.Holder, Node: node, Amounts: m.Needs, TTL: m.TTL,
	}}
	h.Until = start.Add(h.until)
	return h
}

// parseTags reads what Tags.String writes; nil for what it cannot have written.
func parseTags(text string) Tags {
	if text == "" {
		return nil
	}
	tags := Tags{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		tags[name] = value
	}
	if tags.Check() != nil {
		return nil
	}
	return tags
}
