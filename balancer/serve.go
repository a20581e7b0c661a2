package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"kecho/balancer/policy"
	"kecho/channel"
)

// takenAfter is how long a peer works on a request before it says so without
// being asked: most answers are there before and make it needless.
const takenAfter = 25 * time.Millisecond

// exchange is one request that is served here for its owner.
type exchange struct {
	id     channel.ID // of the request
	owner  channel.NodeID
	head   requestHead
	header http.Header
	text   []byte   // the whole request for the web server, and no header is there; nil: it does not go as bytes
	in     *inflow  // the request's body
	out    *outflow // credit for the answer's body
	flows  flows    // they
	ending ending
	ctx    context.Context // it
	came   time.Time
	due    time.Time   // for the head of the answer; zero: never
	said   *time.Timer // says that it is taken, of a whole request, or else begun; owned by serve
	// expects: its client sends the body when it is asked to; owned by serve.
	expects bool
	take    sync.Once // says that it is taken, of others

	number uint64          // of the request, at its owner
	epoch  uint32          // of the try
	known  bool            // the core has it, or has answered; guarded by desk.mu
	guest  *policy.Request // guarded by desk.mu until begin, then owned by serve
	placed bool            // it has a place; owned by serve
	result policy.Result   // how it went at the web server; owned by serve
	began  time.Time       // owned by serve
	took   time.Duration   // until the head of the answer; owned by serve
}

// onRequest has the core admit a peer's request or refuse it, before its body is
// read. It runs on a link's reader.
func (b *Balancer) onRequest(e *channel.Event) {
	x := &exchange{id: e.ID, owner: e.ID.Source, came: time.Now(), result: policy.Aborted}
	var first []byte
	var err error
	if !b.unpackBytes(x, e.Body) {
		first, err = x.unpack(e.Body)
	}
	if err != nil {
		b.count.malformed.Add(1)
		b.lines.malformed.log(b.log, slog.LevelWarn, "a peer's request makes no sense and is refused", "peer", e.ID.Source, "err", err)
		b.submit(e.ID, typeFailed, packReason("malformed: "+err.Error()))
		return
	}
	m := x.head.message(e)
	if m.Data, x.number, x.epoch = x, m.ID, m.Epoch; x.head.Fin {
		x.due = e.Deadline
	}
	x.ending.parent = b.base
	x.ctx = &x.ending
	var read func(n int) // of a body that is here nothing is said
	if !x.head.Fin || x.head.Upgrade != "" {
		read = func(n int) {
			_ = b.give(x.ctx, channel.Event{Type: typeRead, Re: x.id, Body: packAmount(n)}) // else the owner is out of reach
		}
	}
	x.in, x.out = &x.flows.in, &x.flows.out
	x.in.open(windowFor(b.exchanges.len()), read)
	x.out.open(int(min(max(x.head.Window, 0), maxWindow)))
	x.in.patience, x.out.patience = b.cfg.Stall, b.cfg.Stall
	if x.head.Upgrade == "" { // else what may come is no body of the request
		_ = x.in.push(chunk{data: first, fin: x.head.Fin}) // unpack has seen that it fits
	}
	if x.head.Upgrade != "" && b.upstream.origin.HTTP2 { // another peer's web server may do it
		b.turnAway(x, e)
		return
	}
	if !b.exchanges.add(x, b.cfg.PerPeer) {
		b.turnAway(x, e)
		return
	}
	if b.desk.receive(x.owner, e.From, m); !b.desk.has(x) {
		b.exchanges.remove(x)
		b.turnAway(x, e)
	}
}

// turnAway refuses a request that the core does not know of, or not as this
// one.
func (b *Balancer) turnAway(x *exchange, e *channel.Event) {
	x.cancel(errStopped)
	b.count.refused.Add(1)
	b.submit(x.id, typeBusy, nil)
	if x.head.Claimed { // what was kept for it is free
		b.desk.receive(x.owner, e.From, policy.Message{Kind: policy.Cancel, ID: x.number, Epoch: x.epoch})
	}
}

// begin serves a request that has a place.
func (b *Balancer) begin(x *exchange) {
	x.placed = true
	if !b.exchanges.begin(x, &b.wg) {
		b.leave(x, policy.Unreached) // its owner is told
	}
}

// dismiss has the core forget a request.
func (b *Balancer) dismiss(x *exchange) {
	x.cancel(errCanceled)
	b.desk.receive(x.owner, nil, policy.Message{Kind: policy.Cancel, ID: x.number, Epoch: x.epoch})
}

// sendHome has the core forget a request, and tells its owner if it was not
// begun: then it may go elsewhere, whatever it is.
func (b *Balancer) sendHome(x *exchange) {
	b.dismiss(x)
	if !b.desk.begun(x) {
		b.count.refused.Add(1)
		b.submit(x.id, typeBusy, nil)
	}
}

// cancel ends it. The first cause counts.
func (x *exchange) cancel(cause error) { x.ending.cancel(cause) }

// unpack reads and checks the head of a request, with the same rules as for a
// client's.
func (x *exchange) unpack(body []byte) (first []byte, err error) {
	x.head = requestHead{}
	if first, err = unpackMessage(body, &x.head); err != nil {
		return nil, err
	}
	if x.head.Length < -1 || len(first) > maxChunk {
		return nil, fmt.Errorf("a body of length %d", x.head.Length)
	}
	if x.head.Upgrade != "" && !x.head.Fin {
		return nil, errors.New("a websocket and a body")
	}
	if x.head.Fin && x.head.Length >= 0 && int64(len(first)) != x.head.Length {
		return nil, fmt.Errorf("%d bytes of a body of length %d", len(first), x.head.Length)
	}
	if err := checkTrailers(x.head.Trailer); err != nil {
		return nil, err
	}
	if x.header, err = headerOf(x.head.Fields); err != nil {
		return nil, err
	}
	if !httpguts.ValidHeaderFieldName(x.head.Method) { // both are tokens
		return nil, fmt.Errorf("method %.40q", x.head.Method)
	}
	return first, validRequestLine(x.outgoing())
}

// outgoing is the request as the web server gets it, without its body.
func (x *exchange) outgoing() *outgoing {
	return &outgoing{
		method: x.head.Method, target: x.head.Target, host: x.head.Host,
		header: x.header, length: x.head.Length, upgrade: x.head.Upgrade,
	}
}

func (b *Balancer) onRequestBody(e *channel.Event) {
	x := b.exchangeOf(e)
	if x == nil {
		return
	}
	if err := x.in.pushEvent(e); err != nil {
		b.count.malformed.Add(1)
		x.cancel(err)
	}
}

func (b *Balancer) onCredit(e *channel.Event) {
	x := b.exchangeOf(e)
	if x == nil {
		return
	}
	n, err := unpackAmount(e.Body)
	if err != nil {
		b.count.malformed.Add(1)
		x.cancel(err)
		return
	}
	x.out.add(n)
}

func (b *Balancer) onCancel(e *channel.Event) {
	if x := b.exchangeOf(e); x != nil {
		b.dismiss(x)
	}
}

// exchangeOf is the exchange that e is about, if it is its owner who speaks.
func (b *Balancer) exchangeOf(e *channel.Event) *exchange {
	if x := b.exchanges.get(e.Re); x != nil && x.owner == e.ID.Source {
		return x
	}
	return nil
}

// serve has the web server answer a peer's request. It owns the exchange and
// its place.
func (b *Balancer) serve(x *exchange) {
	x.began = time.Now()
	status := http.StatusBadGateway
	defer func() {
		x.cancel(nil)
		x.in.fail(errCanceled) // the web server may have answered before the end
		b.exchanges.remove(x)
		b.leave(x, x.result)
		if b.cfg.Observe != nil {
			b.cfg.Observe(RouteReceived, status, time.Since(x.began))
		}
		b.count.route(RouteReceived)
	}()
	if x.head.Fin {
		x.said = time.AfterFunc(takenAfter, func() { b.submit(x.id, typeTaken, packAmount(x.in.window)) })
		defer x.said.Stop()
	} else if x.expects = x.header["Expect"] != nil; x.expects {
		x.said = time.AfterFunc(takenAfter, func() { b.submit(x.id, typeBegun, nil) })
		defer x.said.Stop()
	}
	var err error
	if x.text != nil {
		status, err = b.serveBytes(x)
	} else {
		status, err = b.serveRequest(x)
	}
	if err != nil {
		b.serveFailed(x, err)
	}
}

// serveRequest has the web server answer a request that is more than bytes, and
// sends the answer. status is the answer's.
func (b *Balancer) serveRequest(x *exchange) (status int, err error) {
	defer x.watch()()
	res, err := b.upstreamAnswer(x)
	if err != nil {
		x.result = failureOf(x, err)
		return http.StatusBadGateway, err
	}
	defer func() {
		x.in.fail(errCanceled) // HTTP/2's Close waits for a read that this breaks off
		_ = res.Body.Close()   // it ends what is left at the web server
	}()
	x.took, x.result = time.Since(x.began), resultOf(res.StatusCode)
	if res.StatusCode == http.StatusSwitchingProtocols {
		return res.StatusCode, b.serveSocket(x, res)
	}
	return res.StatusCode, b.sendAnswer(x, res)
}

// watch has both bodies end with the exchange, until stop.
func (x *exchange) watch() (stop func() bool) {
	return context.AfterFunc(x.ctx, func() {
		x.in.fail(context.Cause(x.ctx))
		x.out.fail(context.Cause(x.ctx))
	})
}

// leave gives the exchange's place back, once. It is called before the last
// event of the answer: the load that this event carries must not count the
// request that it ends, or the owner takes this node for full until the next
// report.
func (b *Balancer) leave(x *exchange, res policy.Result) {
	if x.placed {
		x.placed = false
		b.desk.finish(x.guest, x.took, res)
	}
}

// upstreamAnswer is the head of the web server's answer, in the time that the
// owner gives it.
func (b *Balancer) upstreamAnswer(x *exchange) (*http.Response, error) {
	b.tellGuestsTimeLeft(x)
	out := x.outgoing()
	out.early = func(status int, header http.Header) error {
		b.sendHint(x, status, header)
		return nil
	}
	if x.head.Length != 0 {
		body := b.exchangeBody(x)
		out.body, out.trailer = body, body.trailer
	}
	if !x.due.IsZero() {
		timer := time.AfterFunc(time.Until(x.due), func() { x.cancel(errTimeout) })
		defer timer.Stop()
	}
	return b.upstream.roundTrip(x.ctx, out)
}

// sendAnswer sends the head of the web server's answer to the owner, with the
// body if it is small, and then the rest of the body.
func (b *Balancer) sendAnswer(x *exchange, res *http.Response) error {
	if b.cfg.Load != nil {
		b.cfg.Load(res.Header)
	}
	head, err := answerHeadOf(res)
	if err != nil {
		return err
	}
	var first []byte
	switch {
	case res.Body == http.NoBody || x.head.Method == http.MethodHead:
		head.Fin = true
	case res.ContentLength >= 0 && res.ContentLength < copySize:
		buf := buffers.Get().(*[copySize]byte)
		defer buffers.Put(buf)
		first = buf[:res.ContentLength]
		if _, err := io.ReadFull(res.Body, first); err != nil {
			return err
		}
		head.Fin = true
	}
	body, err := packMessage(&head, first)
	if err != nil {
		return err
	}
	if !x.expects { // else the web server did not ask for it
		b.take(x) // an answer may begin before the body is read, and need it later
	}
	if x.said != nil {
		x.said.Stop() // not before: the body that goes with the head may have taken long
	}
	e := channel.Event{Type: typeAnswer, Re: x.id, Body: body}
	if head.Fin {
		b.leave(x, x.result)
		return b.give(x.ctx, e)
	}
	e.Priority = channel.Bulk // an urgent head that waits could be overtaken by its body
	if _, err := b.data.Submit(x.ctx, e); err != nil {
		return err
	}
	return sendBody(res.Body, x.out, func() http.Header { return res.Trailer }, func(chunk []byte) error {
		if chunk[0] != moreFollows {
			b.leave(x, x.result)
		}
		_, err := b.data.Submit(x.ctx, channel.Event{Type: typeAnswerBody, Priority: channel.Bulk, Re: x.id, Body: chunk})
		return err
	})
}

// serveFailed tells the owner why there is no answer, or no more of it. That
// nothing was begun the core says.
func (b *Balancer) serveFailed(x *exchange, err error) {
	if x.ctx.Err() != nil {
		err = context.Cause(x.ctx)
	}
	switch {
	case errors.Is(err, errCanceled):
		b.count.waste(x)
		return // nobody listens
	case errors.Is(err, errLost):
		b.count.waste(x) // and it is said all the same: the link may be up again
	case errors.Is(err, errUpstreamDown):
		return
	}
	b.lines.unanswered.log(b.log, slog.LevelInfo, "a peer's request was not answered", "peer", x.owner, "method", x.head.Method, "err", err)
	b.submit(x.id, typeFailed, packReason(err.Error()))
}
