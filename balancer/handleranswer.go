package balancer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxHeld is how much of an answer is held back until the handler returns, so
// that its length goes before it.
const maxHeld = 16 << 10

// handlerAnswer is the ResponseWriter of a handler that is called without a
// connection. It is owned by the handler; its channels are read by
// handlerClient.await.
type handlerAnswer struct {
	request *http.Request
	cancel  context.CancelCauseFunc // ends request's context

	head  chan headOrError // room for one
	early chan earlyHead
	taken chan net.Conn // room for one

	header  http.Header
	status  int   // 0: not said yet
	length  int64 // as the header said; -1: it did not
	written int64
	held    []byte
	begun   bool // head was sent
	over    bool // the connection was taken over, or the handler returned
	res     *http.Response
	pipe    *io.PipeWriter
	trailer http.Header // set before pipe is closed
}

type headOrError struct {
	res *http.Response
	err error
}

// earlyHead is an informational answer.
type earlyHead struct {
	status int
	header http.Header
	passed chan struct{} // room for one: it was passed on
}

func newHandlerAnswer(r *http.Request, cancel context.CancelCauseFunc) *handlerAnswer {
	return &handlerAnswer{
		request: r, cancel: cancel, header: make(http.Header), length: -1,
		head: make(chan headOrError, 1), early: make(chan earlyHead), taken: make(chan net.Conn, 1),
	}
}

// Header implements http.ResponseWriter.
func (a *handlerAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *handlerAnswer) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %d", status)) // as net/http does
	case a.status != 0 || a.over || status == http.StatusContinue:
	case status < 200 && status != http.StatusSwitchingProtocols:
		a.inform(status)
	default:
		a.status = status
		if n, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
			a.length = n
		} else {
			delete(a.header, "Content-Length")
		}
		a.res = &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.endToEnd(), ContentLength: a.length, Request: a.request}
	}
}

// inform passes an informational answer on, unless nobody waits any more.
func (a *handlerAnswer) inform(status int) {
	e := earlyHead{status, maps.Clone(a.header), make(chan struct{}, 1)}
	select {
	case a.early <- e:
		<-e.passed
	case <-a.request.Context().Done():
	}
}

// endToEnd is the header as it is now, as net/http would write it: line ends in
// values are spaces. The fields that it announces as trailers are in none.
func (a *handlerAnswer) endToEnd() http.Header {
	header := make(http.Header, len(a.header))
	for name, values := range a.header {
		if values == nil || strings.HasPrefix(name, http.TrailerPrefix) || name == "Transfer-Encoding" {
			continue
		}
		for i, value := range values {
			if strings.ContainsAny(value, "\r\n") {
				values = append(append(values[:i:i], lineEnds.Replace(value)), values[i+1:]...)
			}
		}
		header[name] = values
	}
	for _, line := range a.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(header, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	return header
}

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// Write implements http.ResponseWriter.
func (a *handlerAnswer) Write(p []byte) (int, error) {
	if a.over {
		return 0, http.ErrHandlerTimeout
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.bodiless() && a.request.Method != http.MethodHead {
		return 0, http.ErrBodyNotAllowed
	}
	a.written += int64(len(p))
	switch {
	case a.length >= 0 && a.written > a.length:
		return 0, http.ErrContentLength
	case a.bodiless():
		return len(p), nil
	case !a.begun && len(a.held)+len(p) <= maxHeld:
		a.held = append(a.held, p...)
		return len(p), nil
	}
	if err := a.begin(p); err != nil {
		return 0, err
	}
	return a.pipe.Write(p)
}

// bodiless reports whether the answer has no body (RFC 9110 §6.4.1).
func (a *handlerAnswer) bodiless() bool {
	return a.request.Method == http.MethodHead || a.status < 200 || a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

// Flush implements http.Flusher.
func (a *handlerAnswer) Flush() { _ = a.FlushError() } // Write says it too

// FlushError is for http.ResponseController.
func (a *handlerAnswer) FlushError() error {
	if a.over {
		return http.ErrHandlerTimeout
	}
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.begin(nil)
}

// begin sends the head and what is held, once. next is what follows it.
func (a *handlerAnswer) begin(next []byte) error {
	if a.begun {
		return nil
	}
	a.begun = true
	a.guessType(next)
	if a.bodiless() {
		a.res.Body = http.NoBody
	} else {
		reader, writer := io.Pipe()
		a.res.Body, a.pipe = &handlerAnswerBody{reader, a}, writer
	}
	for _, line := range a.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if a.res.Trailer == nil {
				a.res.Trailer = make(http.Header)
			}
			a.res.Trailer[http.CanonicalHeaderKey(strings.TrimSpace(name))] = nil
		}
	}
	a.head <- headOrError{res: a.res}
	if a.pipe == nil || len(a.held) == 0 {
		return nil
	}
	_, err := a.pipe.Write(a.held)
	a.held = nil
	return err
}

// guessType says what a body is, of which nobody says it, as net/http does.
func (a *handlerAnswer) guessType(next []byte) {
	if _, said := a.header["Content-Type"]; said || a.header.Get("Content-Encoding") != "" {
		return
	}
	start := a.held
	if len(start) == 0 {
		start = next
	}
	if len(start) > 0 {
		a.res.Header["Content-Type"] = []string{http.DetectContentType(start)}
	}
}

// finish ends the answer: whole where err is nil and nothing is missing.
func (a *handlerAnswer) finish(err error) {
	if a.over {
		return
	}
	if err == nil && a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if err == nil && a.length >= 0 && a.written < a.length && !a.bodiless() {
		err = fmt.Errorf("%w: %d bytes of the body are missing", io.ErrUnexpectedEOF, a.length-a.written)
	}
	switch {
	case err != nil && !a.begun:
		a.head <- headOrError{err: err}
	case err != nil && a.pipe != nil:
		_ = a.pipe.CloseWithError(err) // it has none
	case !a.begun:
		a.finishHeld()
	case a.pipe != nil:
		a.trail()
		_ = a.pipe.Close() // it has none
	}
	a.over = true
}

// finishHeld sends an answer of which all is there.
func (a *handlerAnswer) finishHeld() {
	if a.trailers() {
		_ = a.begin(nil) // nobody reads any more: then nothing matters
		a.trail()
		_ = a.pipe.Close() // it has none
		return
	}
	a.begun = true
	a.guessType(nil)
	if a.length < 0 && a.status >= 200 && a.status != http.StatusNoContent && a.status != http.StatusNotModified &&
		!(a.request.Method == http.MethodHead && a.written == 0) {
		a.res.ContentLength = a.written
		a.res.Header["Content-Length"] = []string{strconv.FormatInt(a.written, 10)}
	}
	a.res.Body = http.NoBody
	if len(a.held) > 0 {
		a.res.Body = &heldBody{bytes.NewReader(a.held), a.cancel}
	}
	a.head <- headOrError{res: a.res}
}

// trailers reports whether something follows the body.
func (a *handlerAnswer) trailers() bool {
	if a.bodiless() {
		return false
	}
	for name := range a.header {
		if name == "Trailer" || strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// trail notes the trailers for who reads the body to its end.
func (a *handlerAnswer) trail() {
	a.trailer = make(http.Header)
	for name, values := range a.header {
		if plain, is := strings.CutPrefix(name, http.TrailerPrefix); is {
			a.trailer[plain] = values
		} else if listHas(a.header["Trailer"], name) {
			a.trailer[name] = values
		}
	}
}

// Hijack implements http.Hijacker.
func (a *handlerAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if a.over || a.begun {
		return nil, nil, errors.New("the answer has begun, or the connection is taken over")
	}
	ours, theirs := net.Pipe()
	a.over = true
	a.taken <- theirs
	return ours, bufio.NewReadWriter(bufio.NewReader(ours), bufio.NewWriter(ours)), nil
}

// EnableFullDuplex is for http.ResponseController: it is always so.
func (a *handlerAnswer) EnableFullDuplex() error { return nil }

// SetReadDeadline is for http.ResponseController. There are no deadlines but the
// requests' own.
func (a *handlerAnswer) SetReadDeadline(t time.Time) error { return noDeadline(t) }

// SetWriteDeadline is for http.ResponseController.
func (a *handlerAnswer) SetWriteDeadline(t time.Time) error { return noDeadline(t) }

func noDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return http.ErrNotSupported
}

// handlerAnswerBody is read while the handler writes. Its Close ends the handler's
// context.
type handlerAnswerBody struct {
	*io.PipeReader
	answer *handlerAnswer
}

// Read implements io.Reader. The trailers are there when it is at its end.
func (b *handlerAnswerBody) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if res := b.answer.res; err == io.EOF && len(b.answer.trailer) > 0 {
		if res.Trailer == nil {
			res.Trailer = make(http.Header)
		}
		maps.Copy(res.Trailer, b.answer.trailer)
	}
	return n, err
}

// Close implements io.Closer.
func (b *handlerAnswerBody) Close() error {
	b.answer.cancel(nil)
	return b.PipeReader.Close()
}

// heldBody is all of a body.
type heldBody struct {
	*bytes.Reader
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *heldBody) Close() error {
	b.cancel(nil)
	return nil
}
