package balancer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"kecho/channel"
)

// A websocket that a peer's web server has: one exchange, of which both bodies
// are what either side says.

// socket joins a client with the peer's end of a websocket.
func (b *Balancer) socket(j *job, c *call, n news) {
	c.out.add(int(min(max(n.head.Window, 0), maxWindow)))
	server := b.eventsTo(j.r.Context(), typeRequestBody, c.id, c.in, c.out)
	defer server.stop()
	err := b.upstream.websockets.take(&j.w, j.r, n.header, server)
	if err == nil || errors.Is(err, errSocket) {
		b.count.moved.answered.Add(1)
	}
	switch {
	case err == nil:
		c.answered = true
	case errors.Is(err, errSocket):
		if errors.Is(err, errPeer) || errors.Is(err, errLost) { // else it was the client
			b.lines.broken.log(b.log, slog.LevelInfo, "a websocket at a peer broke off", "peer", n.peer, "id", n.from, "err", err)
		}
		b.cancel(c)
	case errors.Is(err, errCut):
		b.cancel(c)
		b.broken(j, "websocket at a peer", err)
	default:
		b.cancel(c)
		b.giveUp(j, err)
	}
}

// serveSocket joins the web server's end of a websocket with the owner's.
func (b *Balancer) serveSocket(x *exchange, res *http.Response) error {
	server, err := serverSide(res)
	if err != nil {
		return err
	}
	head, err := answerHeadOf(res)
	if err != nil {
		return err
	}
	x.said.Stop()
	head.Window, x.in.patience, x.out.patience = int64(x.in.window), 0, 0 // it may be quiet for any time
	body, err := packMessage(&head, nil)
	if err != nil {
		return err
	}
	if _, err := b.data.Submit(x.ctx, channel.Event{Type: typeAnswer, Priority: channel.Bulk, Re: x.id, Body: body}); err != nil {
		return err
	}
	err = join(x.ctx, b.eventsTo(x.ctx, typeAnswerBody, x.id, x.in, x.out), server)
	if errors.Is(err, errCanceled) {
		return nil // it was the client's to end, and nothing was in vain
	}
	return err
}

// eventsTo is the side that another node is connected to: bulk events about re.
func (b *Balancer) eventsTo(parent context.Context, typ channel.Type, re channel.ID, in *inflow, out *outflow) *eventSide {
	ctx, cancel := context.WithCancel(parent)
	return &eventSide{in: in, out: out, stop: cancel, send: func(chunk []byte) error {
		_, err := b.data.Submit(ctx, channel.Event{Type: typ, Priority: channel.Bulk, Re: re, Body: chunk})
		return err
	}}
}
