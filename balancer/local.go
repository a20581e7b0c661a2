package balancer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxEarly is how many informational answers may come before the final one.
const maxEarly = 16

// serve has the web server answer r, and writes the answer to w as it comes:
// informational answers, an upgrade to websocket, the final head, the body and
// the trailers. header is from rewriter.outbound and is serve's from then on;
// body and length are r's, or stand for them (nil: none).
//
// It blocks until the answer is written and nothing reads body any more. An
// error that is errCut came after the head; with any other the client has seen
// no final head, and the caller may answer in another way. Neither happens
// when the client goes: then r's context ends the request to the web server.
func (u *upstream) serve(w http.ResponseWriter, r *http.Request, header http.Header, body io.Reader, length int64) error {
	out := &outgoing{method: r.Method, target: targetOf(r), host: r.Host, header: header, length: length}
	upgrade := isWebsocket(r)
	if upgrade {
		header["Connection"] = []string{"Upgrade"}
		header["Upgrade"] = []string{"websocket"}
	}
	var upload *upload
	if body != nil && length != 0 {
		upload = newUpload(body, length, r)
		out.body, out.trailer = upload, upload.trailer
		defer upload.end(w)
	}
	early := &early{w: w, mute: !r.ProtoAtLeast(1, 1) || r.Header["Expect"] != nil}
	trace := &httptrace.ClientTrace{Got1xxResponse: early.pass}
	start := time.Now()
	res, err := u.roundTrip(httptrace.WithClientTrace(r.Context(), trace), out)
	early.stop()
	if err != nil {
		return upload.blame(err)
	}
	defer res.Body.Close()
	res.Header["Server-Timing"] = with(res.Header["Server-Timing"], timing("upstream", time.Since(start)))
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		inbound(res.Header)
		upload.answered(w, r, res.Header)
		return upload.blame(passOn(w, res))
	case !upgrade || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket"):
		return fmt.Errorf("%w: status 101 and no websocket was asked for", errBadAnswer)
	}
	return becomeWebsocket(w, r, res)
}

// passOn passes on a final answer whose fields are end-to-end only.
func passOn(w http.ResponseWriter, res *http.Response) error {
	for name := range res.Trailer {
		if trailerField(name) {
			res.Header.Add("Trailer", name)
		}
	}
	return respond(w, res.StatusCode, res.Header, func() http.Header { return res.Trailer }, res.Body)
}

// timing is one entry of Server-Timing.
func timing(name string, took time.Duration) string {
	b := make([]byte, 0, 32)
	b = append(append(b, name...), ";dur="...)
	return string(strconv.AppendFloat(b, float64(took)/float64(time.Millisecond), 'f', 1, 64))
}

// early passes informational answers on. net/http calls pass on a goroutine of
// its own, which may outlive the round trip.
type early struct {
	mu sync.Mutex
	w  http.ResponseWriter // under mu until stop
	n  int
	// mute: the client cannot hear them: it speaks HTTP/1.0, or waits for
	// 100-continue, which net/http writes without regard for others.
	mute bool
}

func (e *early) pass(status int, header textproto.MIMEHeader) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n++; e.n > maxEarly {
		return fmt.Errorf("%w: more than %d informational answers", errBadAnswer, maxEarly)
	}
	// 100 is written by net/http when the web server begins to read the body.
	if e.w == nil || e.mute || status == http.StatusContinue {
		return nil
	}
	inbound(http.Header(header))
	ours := e.w.Header()
	kept := maps.Clone(ours)
	clear(ours)
	maps.Copy(ours, header)
	e.w.WriteHeader(status)
	clear(ours)
	maps.Copy(ours, kept)
	return nil
}

// stop returns when no pass is running; later ones do nothing.
func (e *early) stop() {
	e.mu.Lock()
	e.w = nil
	e.mu.Unlock()
}

// becomeWebsocket hands both connections' bytes to each other until one ends
// or r's context is done.
func becomeWebsocket(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	server, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("%w: the upgraded connection cannot be written to", errBadAnswer)
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("take over the client's connection: %w", err)
	}
	defer client.Close()
	if g, ok := client.(*guarded); ok {
		g.release()
	}
	stop := context.AfterFunc(r.Context(), func() {
		_ = client.Close() // both closed only to end the copies below
		_ = server.Close()
	})
	defer stop()
	if err := writeSwitch(client, w.Header(), res.Header); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	var down sync.WaitGroup
	down.Go(func() {
		relay(client, server)
		_ = client.Close()
	})
	relay(server, io.MultiReader(rest(buffered), client))
	_ = server.Close()
	down.Wait()
	return nil
}

// writeSwitch writes the head that makes the client's connection a websocket.
func writeSwitch(client net.Conn, ours, header http.Header) error {
	inbound(header)
	mergeHead(ours, header)
	delete(ours, "Content-Length")
	ours["Connection"] = []string{"Upgrade"}
	ours["Upgrade"] = []string{"websocket"}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = ours.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	if err := client.SetDeadline(time.Time{}); err != nil {
		return err
	}
	_, err := client.Write(head.Bytes())
	return err
}

// rest is what was read from the client together with its request.
func rest(buffered *bufio.ReadWriter) io.Reader {
	return io.LimitReader(buffered.Reader, int64(buffered.Reader.Buffered()))
}

// relay copies until either side fails; how is of no interest, since both are
// closed then.
func relay(to io.Writer, from io.Reader) {
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, from, buf[:])
}
