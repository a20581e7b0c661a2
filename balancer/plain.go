package balancer

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"kecho/balancer/h1"
)

// plain is what a request takes that is written at once and has no other beside
// it: it goes to the web server as bytes, and its answer comes so, as in the
// lane, with no context to watch and hardly anything to allocate.
type plain struct {
	r        *http.Request // the client's
	request  h1.Request
	raw      h1.Raw
	exchange h1.Exchange
	message  []byte
	header   http.Header // of an answer
	early    early
}

// plains are free; one belongs to whoever took it.
var plains = sync.Pool{New: func() any {
	p := &plain{header: make(http.Header)}
	p.raw.Waiting, p.raw.Early = p.waiting, p.hint
	return p
}}

// Bounds of what a plain keeps for the next.
const (
	plainMessage = 16 << 10
	plainFields  = 64
)

// give gives p back.
func (p *plain) give() {
	p.r, p.request, p.early, p.raw.Message = nil, h1.Request{}, early{}, nil
	if cap(p.message) > plainMessage || len(p.header) > plainFields {
		return
	}
	clear(p.header)
	plains.Put(p)
}

// waiting is asked now and then whether the client waits on.
func (p *plain) waiting() error { return context.Cause(p.r.Context()) }

func (p *plain) hint(x *h1.Exchange) error { return p.early.pass(x.Status(), x.Header(nil)) }

// isPlain says whether serve may have the request sent as bytes. One of HTTP/2 is
// not, nor one of several copies: those are often ended at once, from elsewhere,
// which a plain one notices only now and then.
func (u *upstream) isPlain(p *plain, out *outgoing) bool {
	return u.bytes != nil && p.r.ProtoMajor == 1 && out.upgrade == "" && out.wins == nil &&
		!out.answerBy.IsZero() && p.request.Whole()
}

// servePlain is serve for it. p.request is out.
func (u *upstream) servePlain(w http.ResponseWriter, p *plain, out *outgoing) (err error) {
	if err := validRequestLine(out); err != nil {
		return err
	}
	if p.message, err = p.request.AppendTo(p.message[:0]); err != nil {
		return named(err)
	}
	p.raw.Method, p.raw.Message, p.raw.Body, p.raw.AnswerBy = out.method, p.message, p.request.Body != nil, out.answerBy
	p.early = early{w: w, mute: isMute(p.r)}
	start := time.Now()
	ctx, x := p.r.Context(), &p.exchange
	if err := u.bytes.Exchange(ctx, &p.raw, x); err != nil {
		return u.failed(ctx, err)
	}
	defer x.Close()
	out.took = time.Since(start)
	if x.Status() == http.StatusSwitchingProtocols {
		return fmt.Errorf("%w: status 101 and no websocket was asked for", errBadAnswer)
	}
	header := x.Header(p.header)
	var announced http.Header
	if x.Chunked() {
		announced = h1.Announced(header)
	}
	u.arrived(header, out.took)
	announce(header, announced)
	if !x.HasBody() {
		return respond(w, x.Status(), header, nil, nil)
	}
	return respond(w, x.Status(), header, x.Trailer, x)
}
