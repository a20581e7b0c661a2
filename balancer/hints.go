package balancer

import (
	"errors"
	"fmt"
	"net/http"

	"kecho/channel"
)

// Hints are the informational answers (1xx) of a peer's web server on their way
// to the client.

// Bounds of the hints of one call.
const (
	maxHints = 16 // as many as a web server may give
	maxHint  = 16 << 10
)

// hintHead is what a hint event says.
type hintHead struct {
	Status int
	Fields []field
}

// hint is one that came, checked.
type hint struct {
	status int
	header http.Header
}

// sendHint tells the owner of an informational answer. What does not fit is left
// out, and so is what the link has no room for: nobody waits for it. The 100 of a
// web server that asks for the body is not sent: the body being asked for is.
func (b *Balancer) sendHint(x *exchange, status int, header http.Header) {
	if status == http.StatusContinue {
		return
	}
	inbound(header)
	fields, err := appendFields(nil, header)
	if err != nil {
		return
	}
	packed, err := channel.Pack(hintHead{Status: status, Fields: fields})
	if err == nil && len(packed) <= maxHint {
		b.submit(x.id, typeHint, packed)
	}
}

func (b *Balancer) onHint(e *channel.Event) {
	c := b.calls.hear(e.Re, e.ID.Source)
	if c == nil {
		return
	}
	h, err := unpackHint(e.Body)
	if err == nil {
		err = b.calls.hint(c, e.ID.Source, h)
	}
	if err != nil {
		b.malformed(c, e, err)
	}
}

func unpackHint(body []byte) (h hint, err error) {
	var head hintHead
	if len(body) > maxHint {
		return h, errHead
	}
	if err := channel.Unpack(body, &head); err != nil {
		return h, err
	}
	if head.Status < 102 || head.Status > 199 {
		return h, fmt.Errorf("status %d is no hint", head.Status)
	}
	h.status = head.Status
	h.header, err = headerOf(head.Fields)
	return h, err
}

var errHints = errors.New("too many hints")

// hint keeps a hint for the client, and has the request's goroutine take it.
// What comes after a peer's answer, or of who has no part in the call any more,
// is late.
func (cs *calls) hint(c *call, from channel.NodeID, h hint) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.winner != 0 || c.part(from).over {
		return nil
	}
	if c.hinted++; c.hinted > maxHints {
		return errHints
	}
	if c.hints = append(c.hints, h); len(c.hints) == 1 {
		c.tell(news{typ: typeHint, from: from})
	}
	return nil
}

// hints is what has come since it was asked last.
func (cs *calls) hints(c *call) []hint {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	all := c.hints
	c.hints = nil
	return all
}

// passHints writes hints to the client, unless it cannot hear them or several
// servers work on its request.
func (b *Balancer) passHints(j *job, c *call) {
	hints := &early{w: &j.w, mute: b.copies(j) || isMute(j.r)}
	for _, h := range b.calls.hints(c) {
		_ = hints.pass(h.status, h.header) // it has no error
	}
}
