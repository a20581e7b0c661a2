package balancer

import (
	"context"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// errand is something that the core wants done which is not for the goroutine
// of a request of this node.
type errand struct {
	do     errandKind
	effect *policy.Effect   // offer
	to     []channel.NodeID // withdraw, claim
	number uint64           // withdraw, claim
	epoch  uint32           // withdraw, claim
	x      *exchange        // the others
}

type errandKind uint8

const (
	toOffer    errandKind = iota // offer a request to peers
	toWithdraw                   // take an offer back from some
	toClaim                      // claim what was offered
	toBegin                      // a peer's request has a place
	toQueue                      // it waits for one
	toRefuse                     // it has none
	toTake                       // it has begun, and its owner waits to hear that
	toAbort                      // it is not needed any more
	toForget                     // it was not begun, and will not be
)

// addErrand appends what an effect is, with the offers of one request that are
// taken back together as one.
func addErrand(left []errand, e *policy.Effect) []errand {
	switch e.Do {
	case policy.DoSubmit:
		effect := *e
		return append(left, errand{do: toOffer, effect: &effect})
	case policy.DoStart:
		x := e.Request.Data.(*exchange)
		x.guest, x.known = e.Request, true
		return append(left, errand{do: toBegin, x: x})
	case policy.DoAbort:
		return append(left, errand{do: toAbort, x: e.Request.Data.(*exchange)})
	case policy.DoForget:
		return append(left, errand{do: toForget, x: e.Message.Data.(*exchange)})
	}
	m := &e.Message
	word := errand{to: []channel.NodeID{channel.NodeID(e.To)}, number: m.ID, epoch: m.Epoch}
	switch m.Kind {
	case policy.Claim:
		word.do = toClaim
	case policy.Cancel, policy.Deny:
		if n := len(left) - 1; n >= 0 && left[n].do == toWithdraw && left[n].number == m.ID && left[n].epoch == m.Epoch {
			left[n].to = append(left[n].to, word.to...)
			return left
		}
		word.do = toWithdraw
	default:
		x, _ := m.Data.(*exchange)
		if x == nil {
			return left
		}
		x.known = true
		switch m.Kind {
		case policy.Queued:
			return append(left, errand{do: toQueue, x: x})
		case policy.Refuse:
			return append(left, errand{do: toRefuse, x: x})
		}
		if m.Tied {
			return append(left, errand{do: toTake, x: x})
		}
		return left // it has begun: it says so itself, or its answer does
	}
	return append(left, word)
}

// runErrands does them in their order. It may be any goroutine that calls, with
// no lock held, and it does not block.
func (b *Balancer) runErrands(all []errand) {
	for i := range all {
		switch e := &all[i]; e.do {
		case toOffer:
			b.offer(*e.effect)
		case toWithdraw:
			b.withdraw(e)
		case toClaim:
			b.claim(e)
		case toBegin:
			b.begin(e.x)
		case toQueue:
			b.submit(e.x.id, typeQueued, nil)
		case toRefuse:
			b.count.refused.Add(1)
			b.submit(e.x.id, typeBusy, nil)
		case toTake:
			b.submit(e.x.id, typeTaken, packAmount(e.x.in.window))
		case toAbort:
			e.x.cancel(errCanceled)
		case toForget:
			e.x.cancel(errCanceled)
			b.exchanges.remove(e.x)
		}
	}
}

// offer has a request that waits here offered to peers.
func (b *Balancer) offer(effect policy.Effect) {
	if b.data == nil || !b.calls.open() {
		b.desk.nobody(effect)
		return
	}
	m := &effect.Message
	e := channel.Event{
		ID: b.data.NextID(), Type: typeOffer, Priority: channel.Urgent, Re: b.requestID(m.ID),
		Deadline: time.Now().Add(m.Left), Body: packOffer(m),
	}
	_, _ = b.desk.submit(e.ID, effect, func() error {
		_, err := b.data.Submit(context.Background(), e) // it does not wait; who does not get it does not claim it
		return err
	})
}

// requestID is what one of this node's requests is called by everybody.
func (b *Balancer) requestID(number uint64) channel.ID {
	return channel.ID{Source: b.self, Seq: number}
}

// withdraw takes an offer back. It has the offer's priority, and so comes after
// it; a claim that crosses it finds nothing.
func (b *Balancer) withdraw(e *errand) {
	ev := channel.Event{ID: b.data.NextID(), Type: typeWithdraw, Priority: channel.Urgent, Re: b.requestID(e.number), Body: packEpoch(e.epoch)}
	b.calls.address(ev.ID, e.to)
	defer b.calls.unaddress(ev.ID)
	if _, err := b.data.Submit(context.Background(), ev); err != nil { // it does not wait
		b.count.unsent.Add(1)
	}
}

// claim says that there is a place here for what was offered.
func (b *Balancer) claim(e *errand) {
	b.count.claims.Add(1)
	b.submit(channel.ID{Source: e.to[0], Seq: e.number}, typeClaim, packEpoch(e.epoch))
}

// The handlers of what is said before a request moves. They run on the links'
// readers and do not block.

func (b *Balancer) onOffer(e *channel.Event) {
	m, err := unpackOffer(e.Body)
	if err != nil || e.Re.Source != e.ID.Source {
		b.count.malformed.Add(1)
		return
	}
	m.ID, m.Left = e.Re.Seq, timeLeft(e)
	b.desk.receive(e.ID.Source, e.From, m)
}

func (b *Balancer) onWithdraw(e *channel.Event) {
	epoch, err := unpackEpoch(e.Body)
	if err != nil || e.Re.Source != e.ID.Source {
		b.count.malformed.Add(1)
		return
	}
	b.desk.receive(e.ID.Source, e.From, policy.Message{Kind: policy.Cancel, ID: e.Re.Seq, Epoch: epoch})
}

func (b *Balancer) onClaim(e *channel.Event) {
	epoch, _ := unpackEpoch(e.Body) // the IN-filter has read it
	b.desk.receive(e.ID.Source, e.From, policy.Message{Kind: policy.Claim, ID: e.Re.Seq, Epoch: epoch})
}

// claimable is the IN-filter of claims: it drops, and counts, those that come
// too late.
func (b *Balancer) claimable(e *channel.Event, _ *channel.Sink) bool {
	epoch, err := unpackEpoch(e.Body)
	switch {
	case err != nil:
		b.count.malformed.Add(1)
		return false
	case e.Re.Source != b.self || !b.desk.wants(e.ID.Source, e.Re.Seq, epoch):
		b.count.lateClaims.Add(1)
		b.desk.hear(e.ID.Source, e.From)
		return false
	}
	return true
}

// maxLeft stands for the time of an event that has no deadline.
const maxLeft = time.Hour

// timeLeft is how long until an event's deadline.
func timeLeft(e *channel.Event) time.Duration {
	if e.Deadline.IsZero() {
		return maxLeft
	}
	return time.Until(e.Deadline)
}
