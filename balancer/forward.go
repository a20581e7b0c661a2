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

	"kecho/channel"
)

// maxTries is how many peers in turn are asked before a request waits here
// (docs/design.md, "Limits": 2 beyond the first).
const maxTries = 3

// result is what came of asking peers once.
type result uint8

const (
	answered result = iota // the client has its answer
	nobody                 // no peer had room, by what they say
	refused                // those who were asked began nothing
	vanished               // it may have been begun, and there is no answer
	muted                  // nothing was heard, and it may be repeated
	ended                  // the client is gone, or the time is over
)

// forward has a peer answer. It reports false when none did and the request
// can still be answered otherwise.
func (b *Balancer) forward(j *job) bool {
	if err := j.keep(); err != nil {
		b.giveUp(j, err)
		return true
	}
	ctx, cancel := j.waiting()
	defer cancel()
	b.count.overflow(j)
	j.avoid = nil // who was busy a while ago need not be now
	for range maxTries {
		res, err := b.ask(ctx, j)
		j.trouble = errorText(err)
		switch res {
		case answered:
			return true
		case ended:
			b.giveUp(j, err)
			return true
		case nobody:
			b.count.unwanted(j)
			if !b.upstream.up() && b.peers() == 0 {
				j.ticket.Movable = false // there is nobody to wait for
			}
			return false
		case refused:
			if !j.payload.fresh() {
				b.fail(j)
				return true
			}
		case vanished:
			j.lost = true
			if !b.mayRepeat(j) {
				b.fail(j)
				return true
			}
		case muted:
			j.lost = true
		}
	}
	b.count.unwanted(j)
	return false
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// ask gives the request to the peers that the OUT-filter picks, and has the
// first answer written.
func (b *Balancer) ask(ctx context.Context, j *job) (result, error) {
	c := b.newCall(j)
	if !b.calls.open(c) {
		return nobody, errStopped
	}
	b.first.Open(c.id)
	defer b.closeCall(c)
	if res, err := b.submitRequest(ctx, j, c); res != answered {
		return res, err
	}
	b.gate.peerRoom() // where there was room for one there may be for another
	silence := time.NewTimer(b.cfg.Silence)
	defer silence.Stop()
	upload := newUpload(j.payload.rest, j.payload.length, j.r)
	defer b.endUpload(j, c, upload)
	none, err := refused, errBusy // what it was if nobody answers
	for left := b.calls.asked(c); left > 0; {
		select {
		case n := <-c.news:
			switch n.typ {
			case typeTaken:
				silence.Stop()
				if sending := b.startUpload(c, upload, n, j); sending != nil {
					ctx = sending // it takes as long as it takes; then the peer's web server has its time to answer
				}
				continue
			case typeAnswer:
				b.gate.peerRoom() // the place that it had is free now, or soon
				b.answer(j, c, upload, n)
				return answered, nil
			case typeBroken:
				return ended, upload.blame(errUpload)
			case typeStopped:
				return ended, errStopped
			case typeBusy:
				b.count.copies.busy.Add(1)
			default:
				b.sayCancel(c, b.calls.dropped(c))
				none, err = vanished, b.lostPeer(j, n)
			}
			left--
			j.avoid = append(j.avoid, n.from)
		case <-silence.C:
			b.silent(j, c)
			if b.mayRepeat(j) {
				b.cancel(c)
				return muted, errSilent
			}
		case <-ctx.Done():
			b.cancel(c)
			b.endUpload(j, c, upload) // a body that breaks ends r's context before it can be blamed
			return ended, upload.blame(context.Cause(ctx))
		}
	}
	return none, err
}

var (
	errSilent = errors.New("the peer said nothing about the request")
	errBusy   = errors.New("the peers that were asked are busy")
	errPeer   = errors.New("the peer failed")
)

// newCall makes the call for one try.
func (b *Balancer) newCall(j *job) *call {
	c := &call{id: b.data.NextID(), copies: 1, out: newOutflow(0), avoid: j.avoid}
	if extra := b.cfg.Copies - 1; extra > 0 && j.repeatable && j.payload.fits() && b.spend(extra) {
		c.copies += extra
	}
	c.in = newInflow(windowFor(b.calls.len()), func(n int) {
		_ = b.give(j.r.Context(), channel.Event{Type: typeCredit, Re: c.id, Body: packAmount(n)}) // else the peer is out of reach
	})
	return c
}

// submitRequest sends the request's event; answered means that somebody got
// it.
func (b *Balancer) submitRequest(ctx context.Context, j *job, c *call) (result, error) {
	head := requestHead{
		Method: j.r.Method, Target: j.target, Host: j.r.Host,
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
	switch err = b.submitCopies(ctx, j, c, e); {
	case err == nil:
		return answered, nil
	case ctx.Err() != nil:
		return ended, context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return ended, errTimeout
	case errors.Is(err, channel.ErrNoSink):
		return nobody, err
	}
	return refused, err
}

// submitCopies submits e once for each peer that may be asked, so that it is
// known whose link took it; the OUT-filter picks another one each time. The
// error is nil when at least one link took it, else the first.
func (b *Balancer) submitCopies(ctx context.Context, j *job, c *call, e channel.Event) (first error) {
	sent := false
	for range c.copies {
		noted := b.calls.asked(c)
		_, err := b.data.Submit(ctx, e)
		if err == nil {
			sent = true
			b.count.copies.sent.Add(1)
			continue
		}
		if first == nil {
			first = err
		}
		if b.calls.asked(c) == noted {
			break // there is nobody else
		}
		j.avoid = append(j.avoid, b.calls.untaken(c)) // its link is full or just gone
	}
	if sent {
		return nil
	}
	return first
}

// startUpload sends the request's body to the peer that took it, unless it has
// it. The context is nil when nothing is sent; it ends with the sending, and
// with errTimeout when the peer's web server does not read on.
func (b *Balancer) startUpload(c *call, body *upload, n news, j *job) context.Context {
	c.out.add(n.window)
	if c.uploading || j.payload.fits() {
		return nil
	}
	c.uploading = true
	if j.payload.kept() {
		body.body = j.payload.reader()
	} else {
		j.payload.begun = true
	}
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
	return ctx
}

// endUpload returns when nothing reads the client's body any more.
func (b *Balancer) endUpload(j *job, c *call, body *upload) {
	if !c.uploading {
		if !j.payload.kept() && j.w.status != 0 {
			body.end(&j.w) // the answer came first
		}
		return
	}
	c.endUpload()
	c.out.fail(errCanceled)
	body.end(&j.w)
	c.uploads.Wait()
}

// answer writes the winner's answer to the client and cancels the others.
func (b *Balancer) answer(j *job, c *call, body *upload, n news) {
	j.route = RouteForwarded
	b.calls.answered(n.from)
	b.sayCancel(c, b.calls.losers(c))
	stop := context.AfterFunc(j.r.Context(), func() { c.in.fail(context.Cause(j.r.Context())) })
	defer stop()
	b.describeAnswer(j, n)
	if c.uploading || !j.payload.kept() {
		body.answered(&j.w, j.r, n.header)
	}
	if err := respond(&j.w, n.head.Status, n.header, c.in.trailers, body.beside(c.in)); err != nil {
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
	ours := j.w.Header()
	ours["Proxy-Status"] = []string{pseudonym(b.cfg.Name) + "; next-hop=" + quoted(cmp.Or(n.peer, "peer")) + "; details=\"overflow\""}
	ours["Server-Timing"] = with(ours["Server-Timing"], timing("peer", time.Since(j.start)))
}

// silent has peers left alone that have not even said that they have the
// request.
func (b *Balancer) silent(j *job, c *call) {
	b.count.copies.silent.Add(1)
	for _, node := range b.calls.pendingOf(c) {
		b.calls.failed(b.gate.now(), node, b.peers())
		j.avoid = append(j.avoid, node)
	}
}

// lostPeer notes that a peer may have begun a request and has no answer, and
// says why.
func (b *Balancer) lostPeer(j *job, n news) error {
	b.count.copies.lost.Add(1)
	err := errLost
	if n.typ != typeGone {
		// Not a reason to leave the peer alone: it is there and says so, and one
		// request that its web server drops must not take it from all others.
		err = fmt.Errorf("%w: %s", errPeer, n.reason)
	}
	b.lines.lost.log(b.log, slog.LevelInfo, "a forwarded request was lost", "method", j.r.Method, "peer", n.from, "err", err)
	return err
}

// peers is how many nodes have the data channel open.
func (b *Balancer) peers() (n int) {
	for range b.data.Sinks() {
		n++
	}
	return n
}

// closeCall ends a call: what comes for it from now on is late.
func (b *Balancer) closeCall(c *call) {
	c.in.fail(errCanceled)
	c.out.fail(errCanceled)
	b.sayCancel(c, b.calls.dropped(c)) // a winner, say
	c.cancelling.Wait()
	b.calls.close(c)
	b.first.Close(c.id)
	b.chosen.Forget(c.id)
}

// submit sends a small event about a call or an exchange. A link that does not
// take it is full or gone; then the other side learns by its deadline, or by
// the link.
func (b *Balancer) submit(re channel.ID, typ channel.Type, body []byte) {
	e := channel.Event{Type: typ, Priority: channel.Urgent, Re: re, Body: body}
	if _, err := b.data.Submit(context.Background(), e); err != nil { // it does not wait
		b.count.unsent.Add(1)
	}
}

// give sends an urgent event that the other side waits for without end: where
// the urgent queue of the link is full it takes its turn with the bulk. It
// blocks then, until ctx is done.
func (b *Balancer) give(ctx context.Context, e channel.Event) error {
	e.Priority = channel.Urgent
	_, err := b.data.Submit(ctx, e)
	if errors.Is(err, channel.ErrQueueFull) {
		e.Priority = channel.Bulk
		_, err = b.data.Submit(ctx, e)
	}
	if err != nil {
		b.count.unsent.Add(1)
	}
	return err
}
