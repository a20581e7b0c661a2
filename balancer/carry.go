package balancer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"kecho/balancer/policy"
)

// carry has the core decide about a request, and sees it answered.
func (b *Balancer) carry(j *job) {
	defer b.finished(j)
	if b.copies(j) || !b.desk.startNow(j) {
		b.desk.arrive(j)
		b.follow(j, true)
		return
	}
	if b.start(j); j.over {
		j.brief = b.cfg.Handler == nil // which may keep its ResponseWriter
		return
	}
	b.follow(j, false)
}

// resume goes on with a request whose place here it has had in vain, for err.
func (b *Balancer) resume(j *job, out *outgoing, err error) {
	defer b.finished(j)
	j.route = RouteLocal
	b.served(j, out, err)
	b.follow(j, false)
}

// follow does what the core says of a request until it is answered; first says
// that it has said nothing yet.
func (b *Balancer) follow(j *job, first bool) {
	for ; !j.over; first = false {
		order, ok := b.desk.next(j)
		switch {
		case first && j.looped && order.Do != policy.DoStart:
			b.refuseLoop(j)
			return
		case ok:
			b.obey(j, order)
		default:
			b.listen(j)
		}
	}
}

// finished leaves nothing of a request behind.
func (b *Balancer) finished(j *job) {
	b.endCall(j)
	b.stopHere(j)
	if !j.settled {
		b.desk.quit(j)
	}
	j.awaitNothing()
}

// listen waits for the next order, or for something new of a peer.
func (b *Balancer) listen(j *job) {
	var fresh chan *news
	if j.call != nil {
		fresh = j.call.news
	}
	var served chan struct{}
	if j.here != nil {
		served = j.here.done
	}
	ctx := j.waiting()
	select {
	case <-j.told:
	case <-served:
		b.besideOver(j)
	case n := <-fresh:
		b.hear(j, *n)
	case <-ctx.Done():
		if j.here != nil && !b.desk.close(j) {
			<-served // its answer is being written
			b.besideOver(j)
			return
		}
		b.stopHere(j)
		err := context.Cause(ctx)
		if c := j.call; c != nil {
			b.cancel(c)
			b.endUpload(j, c) // a body that breaks ends r's context before it can be blamed
			err = c.upload.blame(err)
		}
		b.giveUp(j, err)
	}
}

// hearAll takes what is new of peers already.
func (b *Balancer) hearAll(j *job) {
	for j.call != nil && !j.over {
		select {
		case n := <-j.call.news:
			b.hear(j, *n)
		default:
			return
		}
	}
}

// obey does one thing that the core says.
func (b *Balancer) obey(j *job, order policy.Effect) {
	switch order.Do {
	case policy.DoStart:
		if b.copies(j) && b.again(j) {
			b.endOther(j, order.Message.Epoch)
			b.beside(j)
			return
		}
		b.endCall(j)
		b.start(j)
	case policy.DoSubmit:
		if b.again(j) {
			b.push(j, order)
		}
	case policy.DoSend:
		if order.Message.Kind == policy.Cancel {
			b.recall(j, order)
		} else if b.again(j) {
			b.grant(j, order)
		}
	case policy.DoAbort:
		b.stopHere(j)
	case policy.DoShed:
		j.over = true
		b.count.shed.Add(1)
		refuse(&j.w, http.StatusServiceUnavailable, b.retryAfter(order.Drain), "too many requests wait here and no peer has room; try again later")
	case policy.DoExpire:
		b.giveUp(j, errTimeout)
	default:
		if b.hearAll(j); !j.over { // it may say why
			b.fail(j)
		}
	}
}

// obeying is obey, for later.
func (b *Balancer) obeying(j *job, order policy.Effect) func() {
	return func() { b.obey(j, order) }
}

// start has a request served here that has a place.
func (b *Balancer) start(j *job) {
	if b.again(j) && b.cfg.Handler != nil {
		b.inside(j)
		return
	}
	b.local(j)
}

// again is called before a request is begun anywhere. It reports false, and the
// request is answered, when its body is used up: a peer took it and then
// refused the request.
func (b *Balancer) again(j *job) bool {
	if !j.payload.fresh() {
		b.fail(j)
		return false
	}
	if j.lost && !j.repeated {
		j.repeated = true
		b.lines.repeated.log(b.log, slog.LevelInfo, "a request that was lost is begun again", "method", j.r.Method, "why", j.trouble)
	}
	return true
}

// local has this node's web server answer, and gives the place back. The
// request is not over when it can still be answered: nothing was begun, or it
// may be begun again.
func (b *Balancer) local(j *job) {
	out := &outgoing{}
	res := policy.Aborted
	defer func() { b.placeBack(j, out, res) }()
	if j.over {
		return
	}
	j.route = RouteLocal
	out.header, out.body, out.length, out.answerBy = j.header, j.payload.reader(), j.payload.length, j.answerBy()
	if out.header == nil {
		out.header = b.rewriter.outbound(j.r)
	}
	j.header = nil
	b.tellTimeLeft(j, out.header)
	b.judge(j, b.upstream.serve(&j.w, j.r, out), &res)
}

// served gives the place of a request back of which the web server made err.
func (b *Balancer) served(j *job, out *outgoing, err error) {
	res := policy.Aborted
	defer func() { b.placeBack(j, out, res) }()
	b.judge(j, err, &res)
}

func (b *Balancer) placeBack(j *job, out *outgoing, res policy.Result) {
	b.desk.finish(&j.request, out.took, res)
	j.settled = j.over
}

// judge says what err makes of a request and, in res, of the web server.
func (b *Balancer) judge(j *job, err error, res *policy.Result) {
	switch {
	case err == nil:
		j.over, *res = true, resultOf(j.w.status)
	case errors.Is(err, errCut) || j.w.status >= 200:
		if j.over = true; j.r.Context().Err() == nil {
			*res = policy.Faulty
		}
		b.broken(j, "answer of the web server", err)
	case errors.Is(err, errUpload) || errors.Is(err, errStopped) || j.r.Context().Err() != nil:
		b.giveUp(j, err)
	case errors.Is(err, errUpstreamTimeout):
		*res = policy.Faulty
		b.giveUp(j, errTimeout)
	case errors.Is(err, errUpstreamDown):
		j.trouble, *res = err.Error(), policy.Unreached
		j.payload.begun = false // nothing was sent, so nothing was read
	default:
		j.trouble, j.lost, *res = err.Error(), true, policy.Broken
	}
}

// resultOf is what the status of an answer says of the server that gave it.
func resultOf(status int) policy.Result {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return policy.Faulty
	}
	return policy.Served
}

// failureOf is what the core is told of a request without an answer.
func failureOf(x *exchange, err error) policy.Result {
	cause := context.Cause(x.ctx)
	switch {
	case errors.Is(cause, errTimeout) || errors.Is(err, errUpstreamTimeout):
		return policy.Faulty
	case cause != nil:
		return policy.Aborted
	case errors.Is(err, errUpstreamDown):
		return policy.Unreached
	}
	return policy.Broken
}
