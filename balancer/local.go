package balancer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// serve has the web server answer r, and writes the answer to w as it comes:
// informational answers, an upgrade to websocket, the final head, the body and
// the trailers. out has the header from rewriter.outbound, which is serve's
// from then on, and r's body with its length, or what stands for them (nil:
// none); the rest of out is filled in.
//
// It blocks until the answer is written and nothing reads body any more. An
// error that is errCut came after the head; with any other the client has seen
// no final head, and the caller may answer in another way. Neither happens
// when the client goes: then r's context ends the request to the web server.
func (u *upstream) serve(w http.ResponseWriter, r *http.Request, out *outgoing) error {
	out.method, out.target, out.host = r.Method, targetOf(r), r.Host
	out.upgrade = upgradeOf(r)
	p := plains.Get().(*plain)
	if p.r, p.request = r, u.request(out); u.isPlain(p, out) {
		defer p.give()
		return u.servePlain(w, p, out)
	}
	p.give()
	return u.serveWatched(w, r, out)
}

// serveWatched is serve for what has a body that is read meanwhile, or becomes
// something else, or may be ended from elsewhere.
func (u *upstream) serveWatched(w http.ResponseWriter, r *http.Request, out *outgoing) error {
	var sent *upload
	if out.body == nil || out.length == 0 {
		out.body = nil
	} else {
		sent = newUpload(out.body, out.length, r)
		out.body, out.trailer = sent, sent.trailer
		defer sent.end(w)
	}
	out.early = (&early{w: w, mute: out.wins != nil || isMute(r)}).pass
	ctx, cancel := u.watched(r.Context(), sent, out)
	defer cancel(nil)
	start := time.Now()
	res, err := u.roundTrip(ctx, out)
	if err != nil {
		if errors.Is(context.Cause(ctx), errUpstreamTimeout) && !errors.Is(err, errUpstreamDown) {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		if sent != nil {
			sent.end(w) // a body that breaks ends r's context before it can be blamed
		}
		return sent.blame(err)
	}
	defer func() {
		if sent != nil {
			sent.end(w) // HTTP/2's Close waits for a read that only this breaks off
		}
		_ = res.Body.Close() // it ends what is left of the exchange
	}()
	out.took = time.Since(start)
	if out.wins != nil && !out.wins() {
		return errBeaten
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		timed(res.Header, out.took)
		return u.socket(w, r, res)
	}
	u.arrived(res.Header, out.took)
	sent.answered(w, r, res.Header)
	announce(res.Header, res.Trailer)
	return sent.blame(respond(w, res.StatusCode, res.Header, func() http.Header { return res.Trailer }, sent.beside(res.Body)))
}

// arrived makes of the header of a final answer what goes on to the client.
func (u *upstream) arrived(header http.Header, took time.Duration) {
	timed(header, took)
	if u.load != nil {
		u.load(header)
	}
}

// timed leaves the end-to-end fields of an answer, and says how long it took.
func timed(header http.Header, took time.Duration) {
	header["Server-Timing"] = with(header["Server-Timing"], timing("upstream", took))
	inbound(header)
}

// watched is a context for the round trip that sends a body, if there is one.
// It ends with errUpstreamTimeout when the web server has read nothing of it
// for as long as it has for the head of an answer, which counts only from the
// body's end.
func (u *upstream) watched(parent context.Context, sent *upload, out *outgoing) (context.Context, context.CancelCauseFunc) {
	if sent == nil || sent.kept() { // of one in memory, answerBy is the bound
		return parent, func(error) {}
	}
	ctx, cancel := context.WithCancelCause(parent)
	out.wrote = sent.wrote
	sent.watch(u.patience, true, func() { cancel(errUpstreamTimeout) })
	return ctx, cancel
}

// announce has header say which trailers will come.
func announce(header, trailer http.Header) {
	for name := range trailer {
		if trailerField(name) {
			header.Add("Trailer", name)
		}
	}
}

// timing is one entry of Server-Timing.
func timing(name string, took time.Duration) string {
	return string(appendTiming(make([]byte, 0, 32), name, took))
}

func appendTiming(b []byte, name string, took time.Duration) []byte {
	b = append(append(b, name...), ";dur="...)
	return strconv.AppendFloat(b, float64(took)/float64(time.Millisecond), 'f', 1, 64)
}
