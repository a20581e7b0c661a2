package balancer

import (
	"fmt"

	"kecho/channel"
)

// The handlers of what peers say about this node's calls. They run on the
// links' readers and do not block. What is not right about an event fails its
// call, and nothing else.

func (b *Balancer) onTaken(e *channel.Event) {
	c := b.heardOf(e)
	if c == nil {
		return
	}
	window, err := unpackAmount(e.Body)
	if err != nil {
		b.malformed(c, e, err)
		return
	}
	c.tell(news{typ: typeTaken, from: e.ID.Source, window: min(window, maxWindow)})
}

func (b *Balancer) onBusy(e *channel.Event) {
	if c := b.heardOf(e); c != nil {
		c.tell(news{typ: typeBusy, from: e.ID.Source, reason: unpackReason(e.Body)})
	}
}

func (b *Balancer) onRead(e *channel.Event) {
	c := b.heardOf(e)
	if c == nil {
		return
	}
	n, err := unpackAmount(e.Body)
	if err != nil {
		b.malformed(c, e, err)
		return
	}
	c.out.add(n)
}

func (b *Balancer) onAnswer(e *channel.Event) {
	c := b.heardOf(e)
	if c == nil || b.calls.isWinner(c, e.ID.Source) {
		return // a second head says nothing
	}
	b.calls.won(c, e.ID.Source)
	n := news{typ: typeAnswer, from: e.ID.Source, attrs: e.From, head: new(answerHead)}
	first, err := n.unpack(e.Body)
	if err == nil {
		err = c.in.push(first, n.head.Fin, nil)
	}
	if err != nil {
		b.malformed(c, e, err)
		return
	}
	c.tell(n)
}

// unpack reads and checks the head of an answer.
func (n *news) unpack(body []byte) (first []byte, err error) {
	if first, err = unpackMessage(body, n.head); err != nil {
		return nil, err
	}
	if n.head.Status < 200 || n.head.Status > 999 {
		return nil, fmt.Errorf("status %d is no final one", n.head.Status)
	}
	if err := checkTrailers(n.head.Trailer); err != nil {
		return nil, err
	}
	n.header, err = headerOf(n.head.Fields)
	return first, err
}

func (b *Balancer) onAnswerBody(e *channel.Event) {
	c := b.heardOf(e)
	if c == nil {
		return
	}
	if err := c.in.pushEvent(e); err != nil {
		b.malformed(c, e, err)
	}
}

func (b *Balancer) onFailed(e *channel.Event) {
	if c := b.heardOf(e); c != nil {
		b.callFailed(c, e, unpackReason(e.Body))
	}
}

// heardOf is the open call that e is about; nil when there is none any more.
func (b *Balancer) heardOf(e *channel.Event) *call {
	c := b.calls.get(e.Re)
	if c != nil {
		b.calls.heard(c, e.ID.Source)
	}
	return c
}

// malformed ends a peer's part in a call after an event that makes no sense.
func (b *Balancer) malformed(c *call, e *channel.Event, err error) {
	b.count.malformed.Add(1)
	b.log.Warn("a peer sent an event that makes no sense; its part in the call is over", "type", e.Type, "peer", e.ID.Source, "err", err)
	b.callFailed(c, e, err.Error())
}

// callFailed ends a peer's part in a call: its answer breaks off, or there
// will be none.
func (b *Balancer) callFailed(c *call, e *channel.Event, reason string) {
	if b.calls.isWinner(c, e.ID.Source) {
		c.in.fail(fmt.Errorf("%w: %s", errPeer, reason))
	}
	c.tell(news{typ: typeFailed, from: e.ID.Source, reason: reason})
}
