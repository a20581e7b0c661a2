package balancer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// The handlers of what peers say about this node's calls. They run on the
// links' readers and do not block. What is not right about an event fails its
// call, and nothing else.

func (b *Balancer) onTaken(e *channel.Event) {
	c := b.calls.hear(e.Re, e.ID.Source)
	if c == nil {
		return
	}
	window, err := unpackAmount(e.Body)
	if err != nil {
		b.malformed(c, e, err)
		return
	}
	b.word(c, e, policy.Started)
	if b.calls.took(c, e.ID.Source) {
		c.tell(news{typ: typeTaken, from: e.ID.Source, window: window})
	}
}

func (b *Balancer) onBegun(e *channel.Event) {
	if c := b.calls.hear(e.Re, e.ID.Source); c != nil {
		b.word(c, e, policy.Started)
	}
}

func (b *Balancer) onQueued(e *channel.Event) {
	if c := b.calls.hear(e.Re, e.ID.Source); c != nil {
		b.word(c, e, policy.Queued)
	}
}

// word has the core hear what a peer says of a request that it has.
func (b *Balancer) word(c *call, e *channel.Event, kind policy.Kind) {
	b.desk.receive(e.ID.Source, e.From, policy.Message{Kind: kind, ID: c.number, Epoch: c.epoch})
}

func (b *Balancer) onBusy(e *channel.Event) {
	c := b.calls.hear(e.Re, e.ID.Source)
	if c == nil {
		return
	}
	b.desk.hear(e.ID.Source, e.From)
	b.endPart(c, news{typ: typeBusy, from: e.ID.Source, reason: unpackReason(e.Body)})
}

func (b *Balancer) onRead(e *channel.Event) {
	c := b.calls.hear(e.Re, e.ID.Source)
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
	c := b.calls.hear(e.Re, e.ID.Source)
	if c == nil || b.calls.isWinner(c, e.ID.Source) {
		return // a second head says nothing
	}
	b.desk.hear(e.ID.Source, e.From)
	n := news{typ: typeAnswer, from: e.ID.Source, head: new(answerHead)}
	n.peer, _ = filters.Name.In(e.From)
	var first []byte
	var err error
	if !c.light || !b.unpackAnswerBytes(&n, e.Body, c.bare) {
		first, err = n.unpack(e.Body, c.upgrade)
	}
	if err == nil && !b.calls.won(c, e.ID.Source) {
		err = errPartOver
	}
	if err != nil {
		b.calls.reopen(c, b.first)
		b.malformed(c, e, err)
		return
	}
	if n.header != nil {
		_ = c.in.push(chunk{data: first, fin: n.head.Fin}) // unpack has seen that it fits
	}
	c.tell(n)
}

var errPartOver = errors.New("an answer after a refusal or a failure")

// unpack reads and checks the head of an answer to a request that is to become
// upgrade, if that is anything.
func (n *news) unpack(body []byte, upgrade string) (first []byte, err error) {
	*n.head = answerHead{}
	if first, err = unpackMessage(body, n.head); err != nil {
		return nil, err
	}
	switch status := n.head.Status; {
	case status == http.StatusSwitchingProtocols && upgrade != "":
		if n.head.Fin || n.head.Length >= 0 || len(first) > 0 || len(n.head.Trailer) > 0 {
			return nil, errors.New("a websocket that has a body")
		}
	case status < 200 || status > 999:
		return nil, fmt.Errorf("status %d is no final one", status)
	}
	if n.head.Length < -1 || len(first) > maxChunk {
		return nil, fmt.Errorf("%d bytes of a body of length %d", len(first), n.head.Length)
	}
	if err := checkTrailers(n.head.Trailer); err != nil {
		return nil, err
	}
	n.header, err = headerOf(n.head.Fields)
	return first, err
}

func (b *Balancer) onAnswerBody(e *channel.Event) {
	c := b.calls.hear(e.Re, e.ID.Source)
	if c == nil {
		return
	}
	if err := c.in.pushEvent(e); err != nil {
		b.malformed(c, e, err)
	}
}

func (b *Balancer) onFailed(e *channel.Event) {
	c := b.calls.hear(e.Re, e.ID.Source)
	if c == nil {
		return
	}
	b.endPart(c, news{typ: typeFailed, from: e.ID.Source, reason: unpackReason(e.Body)})
}

// malformed ends a peer's part in a call after an event that makes no sense.
func (b *Balancer) malformed(c *call, e *channel.Event, err error) {
	b.count.malformed.Add(1)
	b.lines.malformed.log(b.log, slog.LevelWarn, "a peer sent an event that makes no sense; its part in the call is over", "type", e.Type, "peer", e.ID.Source, "err", err)
	b.dropPart(c, news{typ: typeFailed, from: e.ID.Source, reason: err.Error()})
}

// endPart ends a peer's part in a call, as it said: its answer breaks off, or
// there will be none.
func (b *Balancer) endPart(c *call, n news) {
	if b.calls.over(c, n.from) {
		b.partOver(c, n)
	}
}

// dropPart ends a peer's part in a call although the peer goes on; whoever
// waits for the call sends it a cancel.
func (b *Balancer) dropPart(c *call, n news) {
	if b.calls.drop(c, n.from) {
		b.partOver(c, n)
	}
}

func (b *Balancer) partOver(c *call, n news) {
	if b.calls.isWinner(c, n.from) {
		c.in.fail(fmt.Errorf("%w: %s", errPeer, n.reason))
	} else {
		c.tell(n)
	}
}
