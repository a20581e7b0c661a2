package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
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
	upgrade := isWebsocket(r)
	if upgrade && u.origin.HTTP2 {
		return fmt.Errorf("%w: a websocket, and the web server speaks HTTP/2", errBadTarget)
	}
	if upgrade {
		out.header["Connection"] = []string{"Upgrade"}
		out.header["Upgrade"] = []string{"websocket"}
	}
	var sent *upload
	if out.body == nil || out.length == 0 {
		out.body = nil
	} else {
		sent = newUpload(out.body, out.length, r)
		out.body, out.trailer = sent, sent.trailer
		defer sent.end(w)
	}
	hints := &early{w: w, mute: out.wins != nil || !r.ProtoAtLeast(1, 1) || r.Header["Expect"] != nil}
	out.early = hints.pass
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
	res.Header["Server-Timing"] = with(res.Header["Server-Timing"], timing("upstream", out.took))
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		inbound(res.Header)
		if u.load != nil {
			u.load(res.Header)
		}
		sent.answered(w, r, res.Header)
		return sent.blame(passOn(w, res, sent.beside(res.Body)))
	case !upgrade || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket"):
		return fmt.Errorf("%w: status 101 and no websocket was asked for", errBadAnswer)
	}
	return u.websockets.take(w, r, res)
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

// passOn passes on a final answer whose fields are end-to-end only; body is
// its body.
func passOn(w http.ResponseWriter, res *http.Response, body io.Reader) error {
	for name := range res.Trailer {
		if trailerField(name) {
			res.Header.Add("Trailer", name)
		}
	}
	return respond(w, res.StatusCode, res.Header, func() http.Header { return res.Trailer }, body)
}

// timing is one entry of Server-Timing.
func timing(name string, took time.Duration) string {
	b := make([]byte, 0, 32)
	b = append(append(b, name...), ";dur="...)
	return string(strconv.AppendFloat(b, float64(took)/float64(time.Millisecond), 'f', 1, 64))
}
