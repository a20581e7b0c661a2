package balancer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// What the goroutine of a request does while peers have it.

// forEver is a deadline that nothing lives to see.
const forEver = 1000 * time.Hour

var errPeer = errors.New("the peer failed")

// push sends the request to the peers that the OUT-filter picks for an order.
func (b *Balancer) push(j *job, order policy.Effect) {
	c, e, ok := b.openCall(j, &order.Message)
	if !ok {
		b.desk.nobody(order)
		return
	}
	e.Deadline = time.Now().Add(order.Message.Left)
	picked, err := b.desk.submit(c.id, order, func() error {
		_, err := b.data.Submit(context.Background(), e) // it does not wait
		return err
	})
	for _, node := range picked {
		b.sent(j, node, err)
	}
}

// grant sends the request to the peer that claimed it.
func (b *Balancer) grant(j *job, order policy.Effect) {
	to := channel.NodeID(order.To)
	c, e, ok := b.openCall(j, &order.Message)
	if !ok {
		b.desk.unsent(j, to, c == nil)
		return
	}
	e.Priority, e.Deadline = channel.Urgent, time.Now().Add(order.Message.Left)
	b.calls.address(c.id, []channel.NodeID{to})
	_, err := b.data.Submit(context.Background(), e) // it does not wait
	b.calls.unaddress(c.id)
	b.sent(j, to, err)
}

// sent notes whether the link to a peer took the request.
func (b *Balancer) sent(j *job, to channel.NodeID, err error) {
	if err != nil {
		b.calls.untaken(j.call, to)
		b.desk.unsent(j, to, true)
		return
	}
	b.count.moved.sent.Add(1)
}

// openCall is the call of a try, which is a new one or goes on, with the event
// that has the request. It reports false when no peer can have it; there is no
// call when there are no calls any more.
func (b *Balancer) openCall(j *job, m *policy.Message) (*call, channel.Event, bool) {
	b.endOther(j, m.Epoch)
	if j.call == nil {
		c := &call{id: b.data.NextID(), number: m.ID, epoch: m.Epoch}
		if c.light = j.lane != nil; c.light {
			c.bare = j.lane.work.head.method == http.MethodHead
		} else {
			c.upload, c.upgrade = newUpload(j.payload.rest, j.payload.length, j.r), upgradeOf(j.r)
		}
		c.in, c.out = &c.flows.in, &c.flows.out
		c.in.open(windowFor(b.calls.len()), func(n int) {
			_ = b.give(j.r.Context(), channel.Event{Type: typeCredit, Re: c.id, Body: packAmount(n)}) // else the peer is out of reach
		})
		c.out.open(0)
		if c.most = maxParts; b.cfg.Policy.Mode > policy.Stay {
			c.most = moreParts
		}
		if !b.calls.add(c) {
			return nil, channel.Event{}, false
		}
		b.first.Open(c.id)
		j.call = c
	}
	body, err := b.requestBody(j, m)
	if err != nil {
		j.trouble = err.Error()
		return j.call, channel.Event{}, false
	}
	return j.call, channel.Event{ID: j.call.id, Type: typeRequest, Re: b.requestID(m.ID), Body: body}, true
}

// requestBody packs the request as an event's body.
func (b *Balancer) requestBody(j *job, m *policy.Message) ([]byte, error) {
	if j.lane != nil {
		return j.lane.packRequest(headFor(j, m))
	}
	head := headFor(j, m)
	head.Method, head.Target, head.Host = j.r.Method, j.target, j.r.Host
	for name := range j.r.Trailer {
		if trailerField(name) {
			head.Trailer = append(head.Trailer, name)
		}
	}
	first := j.payload.whole
	if head.Fin = j.payload.fits(); !head.Fin {
		first = nil // sent when it is known that the peer takes it
	}
	if j.header == nil {
		j.header = b.rewriter.outbound(j.r)
	}
	b.tellTimeLeft(j, j.header)
	var err error
	if head.Fields, err = appendFields(nil, j.header); err != nil {
		return nil, err
	}
	return packMessage(&head, first)
}

// headFor is what the head of a request says of the try.
func headFor(j *job, m *policy.Message) requestHead {
	return requestHead{
		Length: j.payload.length, Window: int64(j.call.in.window),
		Epoch: int64(m.Epoch), Age: m.Age.Microseconds(), MaxWait: m.MaxWait.Microseconds(),
		Claimed: m.Kind == policy.Grant, Class: int64(m.Class), Offered: m.Kind == policy.Offer, Tied: m.Tied,
		Upgrade: j.call.upgrade,
	}
}

// hear takes what is new of the peers that have the request.
func (b *Balancer) hear(j *job, n news) {
	c := j.call
	switch n.typ {
	case typeTaken:
		b.startUpload(c, n, j)
	case typeHint:
		b.passHints(j, c)
	case typeAnswer:
		if b.desk.answered(j, n.from, c.epoch) {
			b.stopHere(j)
			b.answer(j, c, n)
		} // else it is recalled: that order is on its way
	case typeBroken:
		b.endUpload(j, c)
		b.giveUp(j, c.upload.blame(errUpload))
	case typeStopped:
		b.giveUp(j, errStopped)
	case typeBusy:
		b.count.moved.busy.Add(1)
		b.desk.refused(j, n.from, c.epoch)
	default:
		b.sayCancel(c, b.calls.dropped(c))
		j.trouble, j.lost = b.lostPeer(j, n).Error(), true
		b.desk.unanswered(j, n.from, c.epoch)
	}
}

// recall ends the part of a peer that has the request: the core does not want
// it there any more.
func (b *Balancer) recall(j *job, order policy.Effect) {
	c, node := j.call, channel.NodeID(order.To)
	if c == nil || c.epoch != order.Message.Epoch || !b.calls.asks(c, node) || !b.calls.over(c, node) {
		return
	}
	j.lost = true
	b.count.moved.recalled.Add(1)
	b.sayCancel(c, []channel.NodeID{node})
}

// startUpload sends the request's body to the peer that took it, unless it has
// it. While it is sent the request has no deadline: it takes as long as it
// takes, unless the client says how long it waits or the peer's web server does
// not read on, and then the peer's web server has its time to answer.
func (b *Balancer) startUpload(c *call, n news, j *job) {
	if c.uploading || j.payload.fits() {
		return
	}
	c.out.add(n.window)
	body := c.upload
	c.uploading = true
	if j.payload.kept() {
		body.body = j.payload.reader()
	} else {
		j.payload.begun = true
	}
	left := forEver
	if !j.promised.IsZero() {
		left = time.Until(j.promised)
	}
	b.desk.extend(j, left)
	ctx, cancel := context.WithCancelCause(j.r.Context())
	c.endUpload = func() { cancel(nil) }
	body.watch(b.cfg.Timeout, false, func() {
		cancel(errTimeout)
		c.in.fail(errTimeout) // where the answer has begun
	})
	c.uploads.Go(func() {
		trailer := func() http.Header { return body.trailer }
		err := sendBody(body, c.out, trailer, func(chunk []byte) error {
			_, err := b.data.Submit(ctx, channel.Event{Type: typeRequestBody, Priority: channel.Bulk, Re: c.id, Body: chunk})
			return err
		})
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, errSource):
			b.cancel(c)
			c.tell(news{typ: typeBroken})
		default:
			b.dropPart(c, news{typ: typeFailed, from: n.from, reason: err.Error()})
		}
	})
	j.await(ctx, func() { cancel(nil) })
}

// endUpload returns when nothing reads the client's body any more.
func (b *Balancer) endUpload(j *job, c *call) {
	if !c.uploading {
		if !j.payload.kept() && j.w.status != 0 {
			c.upload.end(&j.w) // the answer came first
		}
		return
	}
	c.endUpload()
	c.out.fail(errCanceled)
	c.upload.end(&j.w)
	c.uploads.Wait()
}

// answer writes the first answer to the client.
func (b *Balancer) answer(j *job, c *call, n news) {
	j.route, j.over = RouteForwarded, true
	b.sayCancel(c, b.calls.losers(c))
	if n.header == nil {
		n.unfold(c)
	}
	stop := context.AfterFunc(j.r.Context(), func() { c.in.fail(context.Cause(j.r.Context())) })
	defer stop()
	b.describeAnswer(j, n)
	if n.head.Status == http.StatusSwitchingProtocols {
		b.socket(j, c, n)
		return
	}
	if c.uploading || !j.payload.kept() {
		c.upload.answered(&j.w, j.r, n.header)
	}
	if err := respond(&j.w, n.head.Status, n.header, c.in.trailers, c.upload.beside(c.in)); err != nil {
		b.cancel(c)
		b.broken(j, "answer of a peer", err)
	}
	c.answered = true
	b.count.moved.answered.Add(1)
}

// describeAnswer adds what this node says about a peer's answer.
func (b *Balancer) describeAnswer(j *job, n news) {
	if n.head.Length >= 0 {
		n.header["Content-Length"] = []string{strconv.FormatInt(n.head.Length, 10)}
	}
	if len(n.head.Trailer) > 0 {
		n.header["Trailer"] = slices.Clone(n.head.Trailer)
	}
	ours := j.w.Header()
	ours["Proxy-Status"] = []string{string(b.appendOverflowed(nil, n.peer))}
	ours["Server-Timing"] = with(ours["Server-Timing"], timing("peer", time.Since(j.start)))
}

// appendOverflowed appends Proxy-Status of what a peer has answered.
func (b *Balancer) appendOverflowed(p []byte, peer string) []byte {
	p = append(append(p, b.rewriter.by...), "; next-hop="...)
	p = appendQuoted(p, cmp.Or(peer, "peer"))
	return append(p, "; details=\"overflow\""...)
}

// lostPeer notes that a peer may have begun a request and has no answer, and
// says why.
func (b *Balancer) lostPeer(j *job, n news) error {
	b.count.moved.lost.Add(1)
	err := errLost
	if n.typ != typeGone {
		err = fmt.Errorf("%w: %s", errPeer, n.reason)
	}
	b.lines.lost.log(b.log, slog.LevelInfo, "a forwarded request was lost", "method", j.r.Method, "peer", b.calls.nameOf(j.call, n.from), "id", n.from, "err", err)
	return err
}

// endOther ends the try that peers have if it is not of that epoch.
func (b *Balancer) endOther(j *job, epoch uint32) {
	if j.call != nil && j.call.epoch != epoch {
		b.endCall(j)
	}
}

// endCall ends the try that peers have, if there is one: what comes for it from
// now on is late.
func (b *Balancer) endCall(j *job) {
	c := j.call
	if c == nil {
		return
	}
	j.call = nil
	if !c.answered {
		b.sayCancel(c, append(b.calls.end(c), b.calls.dropped(c)...))
	}
	b.endUpload(j, c)
	c.in.fail(errCanceled)
	c.out.fail(errCanceled)
	b.sayCancel(c, b.calls.dropped(c)) // a winner, say
	c.cancelling.Wait()
	b.calls.close(c)
	b.first.Close(c.id)
	b.chosen.Forget(c.id)
	if c.uploading && !j.over { // another try: its time counts from the arrival again
		j.awaitNothing()
		b.desk.extend(j, time.Until(j.deadline))
	}
}
