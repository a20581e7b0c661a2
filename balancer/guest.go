package balancer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"kecho/balancer/h1"
	"kecho/channel"
)

// A peer's request that is whole in its event goes to the web server as bytes, as
// the lane's do: what is checked is the same as on the other way, which all that
// is unusual goes, and so what is malformed.

// guestRoom is what the bytes of a request have beyond those of its event.
const guestRoom = 128

// unpackBytes reads a request's head as what the web server is sent, which is
// x.text then. It reports false where it is not to go as bytes.
func (b *Balancer) unpackBytes(x *exchange, body []byte) bool {
	packed, first, err := cutMessage(body)
	if b.bytes == nil || err != nil || len(first) > straightBody {
		return false
	}
	u := channel.NewUnpacker(packed)
	method, target, host := u.Text(), u.Text(), u.Text()
	x.head.Method = methodOf(method)
	p := make([]byte, 0, len(body)+len(b.upstream.origin.Prefix)+guestRoom)
	p = append(append(p, method...), ' ')
	p = append(append(p, b.upstream.origin.Prefix...), target...)
	p = append(append(p, " HTTP/1.1\r\nHost: "...), host...)
	p = append(p, "\r\n"...)
	for range u.List() {
		u.Struct(2)
		name, value := u.Text(), u.Text()
		if !b.goesAsBytes(name, value) {
			return false
		}
		p = appendField(p, name, value)
	}
	x.head.readRest(&u)
	h := &x.head
	switch {
	case u.End() != nil, !h.Fin, h.Length != int64(len(first)), len(h.Trailer) > 0, h.Upgrade != "":
		return false
	case !isToken(method) || h.Method == http.MethodConnect:
		return false
	case len(target) == 0 || target[0] != '/' || outside(target, &targetByte) >= 0 || len(host) == 0 || outside(host, &hostByte) >= 0:
		return false
	}
	p = h1.AppendLength(p, h.Method, h.Length)
	x.text = append(append(p, "\r\n"...), first...)
	return true
}

// goesAsBytes says whether a field of a peer's is sound, and is passed on as it
// is.
func (b *Balancer) goesAsBytes(name, value []byte) bool {
	switch kindOfName(name) {
	case ofHop, ofConnection, asksMore, announces, codes, sizes, hosts, expects:
		return false
	}
	return isToken(name) && isFieldValue(value) && !b.deadlines.heeds(name)
}

func isToken(p []byte) bool { return len(p) > 0 && outside(p, &tokenByte) < 0 }

// guestWork is what a peer's request takes while it is served as bytes.
type guestWork struct {
	b        *Balancer
	x        *exchange
	raw      h1.Raw
	exchange h1.Exchange
	out      []byte // the answer's event
}

// guestWorks are free.
var guestWorks = sync.Pool{New: func() any {
	w := new(guestWork)
	w.raw.Waiting, w.raw.Early = w.wait, w.early
	return w
}}

// wait says why not to wait for the web server any longer.
func (w *guestWork) wait() error { return w.x.ending.why() }

func (w *guestWork) early(x *h1.Exchange) error {
	w.b.sendHint(w.x, x.Status(), x.Header(nil))
	return nil
}

// serveBytes has the web server answer a request that is bytes, and sends the
// answer. status is the answer's.
func (b *Balancer) serveBytes(x *exchange) (status int, err error) {
	w := guestWorks.Get().(*guestWork)
	w.b, w.x = b, x
	defer func() {
		w.b, w.x, w.raw.Message, w.raw.Nudge = nil, nil, nil, nil
		if cap(w.out) > maxRoom {
			w.out = nil
		}
		guestWorks.Put(w)
	}()
	r := &w.raw
	r.Method, r.Message, r.Body, r.AnswerBy, r.Nudge = x.head.Method, x.text, x.head.Length > 0, x.due, &x.ending.nudge
	if x.due.IsZero() {
		r.AnswerBy = x.began.Add(b.cfg.Timeout)
	}
	status = http.StatusBadGateway
	if err = b.bytes.Exchange(x.ctx, r, &w.exchange); err == nil && w.exchange.Status() == http.StatusSwitchingProtocols {
		w.exchange.Close()
		err = fmt.Errorf("%w: status 101 and no websocket was asked for", errBadAnswer)
	}
	if err != nil {
		if cause := x.ending.why(); cause != nil && !errors.Is(err, errUpstreamDown) {
			err = cause
		}
		err = named(err)
		x.result = failureOf(x, err)
		return status, err
	}
	defer w.exchange.Close()
	status = w.exchange.Status()
	x.took, x.result = time.Since(x.began), resultOf(status)
	if n := w.exchange.Length(); w.exchange.HasBody() && (n < 0 || n >= copySize) || b.saysLoad(&w.exchange) {
		defer x.watch()()
		return status, b.sendAnswer(x, w.exchange.Response())
	}
	return status, w.sendWhole()
}

// saysLoad says whether an answer has what Config.Load reads.
func (b *Balancer) saysLoad(e *h1.Exchange) bool {
	if b.cfg.Load == nil {
		return false
	}
	for i := range e.Fields() {
		if name, _ := e.Field(i); isNamed(name, b.cfg.LoadHeader) {
			return true
		}
	}
	return false
}

// sendWhole sends an answer of which the body goes with the head.
func (w *guestWork) sendWhole() error {
	b, x := w.b, w.x
	p, err := w.packHead()
	if err != nil {
		return err
	}
	if p, err = w.appendBody(p); err != nil {
		return err
	}
	x.said.Stop() // not before: the body may have taken long
	b.leave(x, x.result)
	return b.give(x.ctx, channel.Event{Type: typeAnswer, Re: x.id, Body: p})
}

// packHead begins the event with the head of the answer. Its memory is w.out.
func (w *guestWork) packHead() ([]byte, error) {
	e := &w.exchange
	hop := connectionNames(e)
	fields := 0
	for i := range e.Fields() {
		if name, _ := e.Field(i); passesToOwner(name, hop) {
			fields++
		}
	}
	if fields > maxEventFields {
		return nil, errHead
	}
	head := answerHead{Status: e.Status(), Length: e.Length(), Fin: true}
	if e.Status() == http.StatusNoContent {
		head.Length = -1 // RFC 9110 §8.6
	}
	p := head.begin(append(w.out[:0], 0, 0, 0), fields) // messageRoom
	for i := range e.Fields() {
		if name, value := e.Field(i); passesToOwner(name, hop) {
			p = appendPair(p, name, value)
		}
	}
	w.out = head.appendRest(p)
	if e.HasBody() {
		w.out = slices.Grow(w.out, int(e.Length()))
	}
	return finishMessage(w.out, nil)
}

// passesToOwner says whether a field of an answer is an end-to-end one, without
// its length. hop are those that Connection names.
func passesToOwner(name []byte, hop map[string]bool) bool {
	switch kindOfName(name) {
	case ofHop, ofConnection, asksMore, announces, codes, sizes:
		return false
	}
	return hop == nil || !hop[http.CanonicalHeaderKey(string(name))]
}

// appendBody reads the body behind the head p, where there is room for it.
func (w *guestWork) appendBody(p []byte) ([]byte, error) {
	e := &w.exchange
	if !e.HasBody() {
		return p, nil
	}
	want := len(p) + int(e.Length())
	for len(p) < want {
		n, err := e.Read(p[len(p):want])
		p = p[:len(p)+n]
		switch {
		case len(p) == want:
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
	}
	return p, nil
}
