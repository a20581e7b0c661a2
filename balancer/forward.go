package balancer

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"kecho/channel"
	"kecho/filters"
)

// maxTries is how many peers in turn are asked before a request waits here
// (DESIGN section 10: 2 tries beyond the first).
const maxTries = 3

// result is what came of asking peers once.
type result uint8

const (
	answered result = iota // the client has its answer
	nobody                 // no peer had room, by what they say
	refused                // those who were asked began nothing
	vanished               // it may have been begun, and there is no answer
	ended                  // the client is gone, or the time is over
)

// forward has a peer answer. It reports false when none did and the request
// can still be answered otherwise.
func (b *Balancer) forward(j *job) bool {
	ctx, cancel := j.waiting()
	defer cancel()
	if err := j.payload.keep(); err != nil {
		b.giveUp(j, err)
		return true
	}
	for range maxTries {
		switch res, err := b.ask(ctx, j); res {
		case answered:
			return true
		case ended:
			b.giveUp(j, err)
			return true
		case nobody:
			b.count.noPeer.Add(1)
			return false
		case refused:
			if !j.payload.fresh() {
				return !b.fail(j)
			}
		case vanished:
			j.lost = true
			j.trouble = err.Error()
			if !b.mayRepeat(j) {
				return !b.fail(j)
			}
			b.count.retries.Add(1)
		}
	}
	return false
}

// ask gives the request to the peers that the OUT-filter picks, and has the
// first answer written.
func (b *Balancer) ask(ctx context.Context, j *job) (result, error) {
	c := b.newCall(j)
	b.calls.open(c)
	b.first.Open(c.id)
	defer b.closeCall(c)
	if !j.payload.fits() {
		ctx = j.r.Context() // an upload takes as long as it takes; the peer's web server has a time to answer in then
	}
	if res, err := b.submitRequest(ctx, j, c); res != answered {
		return res, err
	}
	silence := time.NewTimer(b.cfg.Silence)
	defer silence.Stop()
	upload := newUpload(j.payload.rest, j.r)
	defer b.endUpload(j, c, upload)
	for {
		select {
		case n := <-c.news:
			switch n.typ {
			case typeTaken:
				silence.Stop()
				b.startUpload(c, upload, n, j)
				continue
			case typeAnswer:
				b.answer(j, c, n)
				return answered, nil
			case typeBroken:
				return ended, errUpload
			}
			left := b.calls.done(c, n.from)
			if n.typ != typeBusy {
				b.lostPeer(j, n)
			} else {
				b.count.copies.busy.Add(1)
			}
			j.avoid = append(j.avoid, n.from)
			if left > 0 {
				continue
			}
			if n.typ == typeBusy {
				return refused, nil
			}
			return vanished, lostError(n)
		case <-silence.C:
			if j.repeatable && j.payload.kept() {
				b.silent(j, c)
				return vanished, errSilent
			}
		case <-ctx.Done():
			b.cancel(c)
			return ended, context.Cause(ctx)
		}
	}
}

var (
	errSilent = errors.New("the peer said nothing about the request")
	errPeer   = errors.New("the peer failed")
)

func lostError(n news) error {
	if n.typ == typeGone {
		return errLost
	}
	return errors.Join(errPeer, errors.New(n.reason))
}

// newCall makes the call for one try.
func (b *Balancer) newCall(j *job) *call {
	c := &call{id: b.data.NextID(), copies: 1, out: newOutflow(0), news: make(chan news, maxNews), avoid: j.avoid}
	if extra := b.cfg.Copies - 1; extra > 0 && j.repeatable && j.payload.fits() {
		b.budgetMu.Lock()
		if b.budget.Spend(b.gate.now(), extra) {
			c.copies += extra
		}
		b.budgetMu.Unlock()
	}
	c.in = newInflow(windowFor(b.calls.len()), func(n int) {
		b.submit(c.id, typeCredit, packAmount(n))
	})
	return c
}

// submitRequest sends the request's event; answered means that somebody got
// it.
func (b *Balancer) submitRequest(ctx context.Context, j *job, c *call) (result, error) {
	head := requestHead{
		Method: j.r.Method, Target: targetOf(j.r), Host: j.r.Host,
		Length: j.payload.length, Window: int64(c.in.window),
	}
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
	var err error
	if head.Fields, err = appendFields(nil, j.header); err != nil {
		j.ticket.Movable = false
		return nobody, err
	}
	body, err := packMessage(head, first)
	if err != nil {
		j.ticket.Movable = false
		return nobody, err
	}
	e := channel.Event{ID: c.id, Type: typeRequest, Body: body}
	if head.Fin {
		e.Deadline = j.deadline
	}
	_, err = b.data.Submit(ctx, e)
	switch {
	case err == nil:
		b.count.copies.sent.Add(uint64(len(b.calls.pendingOf(c))))
		return answered, nil
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return ended, errTimeout
	case errors.Is(err, channel.ErrNoSink):
		return nobody, err
	}
	j.avoid = append(j.avoid, b.calls.pendingOf(c)...) // their links are full or just gone
	return refused, err
}

// startUpload sends the rest of the request's body to the peer that took it.
func (b *Balancer) startUpload(c *call, body *upload, n news, j *job) {
	c.out.add(n.window)
	if c.uploading || j.payload.fits() {
		return
	}
	c.uploading = true
	if j.payload.kept() {
		body.body = j.payload.reader()
	} else {
		j.payload.begun = true
	}
	ctx, cancel := context.WithCancel(j.r.Context())
	c.endUpload = cancel
	c.uploads.Go(func() {
		trailer := func() http.Header { return body.trailer }
		err := sendBody(body, c.out, trailer, func(chunk []byte) error {
			_, err := b.data.Submit(ctx, channel.Event{Type: typeRequestBody, Priority: channel.Bulk, Re: c.id, Body: chunk})
			return err
		})
		if errors.Is(err, errSource) && !errors.Is(err, http.ErrBodyReadAfterClose) {
			b.cancel(c)
			c.tell(news{typ: typeBroken})
		}
	})
}

// endUpload returns when nothing reads the client's body any more.
func (b *Balancer) endUpload(j *job, c *call, body *upload) {
	if !c.uploading {
		return
	}
	c.out.fail(errCanceled)
	c.endUpload()
	body.end(&j.w)
	c.uploads.Wait()
}

// answer writes the winner's answer to the client and cancels the others.
func (b *Balancer) answer(j *job, c *call, n news) {
	j.route = RouteForwarded
	b.calls.answered(n.from)
	if b.calls.losers(c) {
		b.count.cancels.Add(1)
		b.submit(c.id, typeCancel, nil)
	}
	stop := context.AfterFunc(j.r.Context(), func() { c.in.fail(context.Cause(j.r.Context())) })
	defer stop()
	b.describeAnswer(j, n)
	if c.uploading {
		_ = http.NewResponseController(&j.w).EnableFullDuplex() // HTTP/2 needs none
	}
	if err := respond(&j.w, n.head.Status, n.header, c.in.trailers, c.in); err != nil {
		b.cancel(c)
		b.broken(j, "answer of a peer", err)
	}
	b.count.copies.answered.Add(1)
}

// describeAnswer adds what this node says about a peer's answer.
func (b *Balancer) describeAnswer(j *job, n news) {
	if n.head.Length >= 0 {
		n.header["Content-Length"] = []string{strconv.FormatInt(n.head.Length, 10)}
	}
	if len(n.head.Trailer) > 0 {
		n.header["Trailer"] = slices.Clone(n.head.Trailer)
	}
	peer, ok := filters.Name.In(n.attrs)
	if !ok {
		peer = "peer"
	}
	ours := j.w.Header()
	ours["Proxy-Status"] = []string{pseudonym(b.cfg.Name) + "; next-hop=" + quoted(peer) + "; details=\"overflow\""}
	ours["Server-Timing"] = with(ours["Server-Timing"], timing("peer", time.Since(j.start)))
}

// silent gives up on peers that have not even said that they have the request.
func (b *Balancer) silent(j *job, c *call) {
	b.count.copies.silent.Add(1)
	for _, node := range b.calls.pendingOf(c) {
		b.calls.failed(b.gate.now(), node, b.peers())
		j.avoid = append(j.avoid, node)
	}
	b.cancel(c)
}

// lostPeer notes that a peer began a request and has no answer.
func (b *Balancer) lostPeer(j *job, n news) {
	b.count.copies.lost.Add(1)
	if n.from != 0 {
		b.calls.failed(b.gate.now(), n.from, b.peers())
	}
	b.log.Info("a forwarded request was lost", "method", j.r.Method, "peer", n.from, "err", lostError(n))
}

// peers is how many nodes have the data channel open.
func (b *Balancer) peers() (n int) {
	for range b.data.Sinks() {
		n++
	}
	return n
}

// cancel tells everybody who may still work on the call that nobody waits.
func (b *Balancer) cancel(c *call) {
	if b.calls.everybody(c) {
		b.count.cancels.Add(1)
		b.submit(c.id, typeCancel, nil)
	}
	c.in.fail(errCanceled)
	c.out.fail(errCanceled)
}

// closeCall ends a call: what comes for it from now on is late.
func (b *Balancer) closeCall(c *call) {
	c.in.fail(errCanceled)
	c.out.fail(errCanceled)
	b.calls.close(c)
	b.first.Close(c.id)
	b.chosen.Forget(c.id)
}

// submit sends a small event about a call or an exchange. A link that does not
// take it is full or gone; then the other side learns by its deadline, or by
// the link.
func (b *Balancer) submit(re channel.ID, typ channel.Type, body []byte) {
	e := channel.Event{Type: typ, Priority: channel.Urgent, Re: re, Body: body}
	if typ == typeCancel {
		e.Priority = channel.Normal // so that it does not overtake its request
	}
	if _, err := b.data.Submit(b.base, e); err != nil {
		b.count.unsent.Add(1)
	}
}
