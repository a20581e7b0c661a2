package balancer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errCut says that an answer broke off after its head had been written: all
// that is left to do is to end the connection (panic(http.ErrAbortHandler)).
// An error that is not errCut came before the client saw anything.
var errCut = errors.New("the answer broke off after its head")

// errBadAnswer says that an answer cannot be passed on, whoever sent it.
var errBadAnswer = errors.New("the answer is not valid HTTP")

// copySize is how much of a body is held at a time.
const copySize = 32 << 10

// buffers are free copy buffers; a buffer belongs to whoever took it.
var buffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// listFields are the fields of an answer in which our own values follow those
// of the web server; in every other field ours stand alone.
var listFields = map[string]bool{"Via": true, "Proxy-Status": true, "Server-Timing": true}

// headAfter is how long the head of an answer of unknown length waits for the
// first of its body, which it shares a write with, and what was written of
// another for what follows it.
const headAfter = time.Millisecond

// respond writes a final answer to the client: header (end-to-end fields),
// the body as it comes, and then what trailer returns. Fields that are already
// in w.Header() are ours and stay (listFields says how). trailer and body may
// be nil; header["Trailer"] announces what trailer will return, as
// net/http.Response.Trailer's keys do.
//
// It returns when the body is at its end. An error that is errCut came after
// the head; with any other, nothing was written and w.Header() is as it was.
// An answer of unknown length is flushed after each read, so what the source
// has is with the client at once; another where its source pauses.
func respond(w http.ResponseWriter, status int, header http.Header, trailer func() http.Header, body io.Reader) error {
	if status < 200 || status > 999 {
		return fmt.Errorf("%w: status %d", errBadAnswer, status)
	}
	a := &answer{w: w, status: status, header: header}
	a.watch = watchWrites(w)
	if body == nil {
		a.start()
	} else if err := a.copy(body); err != nil {
		return err
	}
	if trailer != nil {
		writeTrailer(w, trailer())
	}
	lastWords(w)
	return nil
}

// answer is a final answer that is being written.
type answer struct {
	w      http.ResponseWriter
	status int
	header http.Header
	watch  *watch // over writes

	mu      sync.Mutex // between copy and lull
	begun   bool       // the head was written
	reading bool       // lull may write; guarded by mu
	failed  error      // what it met
	timer   *time.Timer
}

// start writes the head.
func (a *answer) start() {
	a.begun = true
	mergeHead(a.w.Header(), a.header)
	if a.status == http.StatusNoContent {
		delete(a.w.Header(), "Content-Length") // RFC 9110 §8.6
	}
	a.w.WriteHeader(a.status)
}

// copy writes the head and the body, through one pooled buffer. The head waits
// for the first read: where that fails the client has seen nothing yet, and
// can be answered by another. The last piece is not flushed where the source
// tells that it is the last: the handler's end does that with fewer writes. Nor
// are those of an answer of known length, unless the source pauses.
func (a *answer) copy(body io.Reader) error {
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	_, sized := a.header["Content-Length"]
	flush := !sized || streams(a.header)
	n, err := a.read(body, buf[:], flush)
	if err != nil && err != io.EOF && n == 0 && !a.begun {
		return fmt.Errorf("read the answer: %w", err)
	}
	if !a.begun {
		a.start()
	}
	for {
		werr := a.failed
		if werr == nil {
			werr = a.write(buf[:n], err != io.EOF && (flush || err != nil))
		}
		if werr != nil {
			return fmt.Errorf("%w: write to the client: %w", errCut, errors.Join(err, werr))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errCut, err)
		}
		n, err = a.read(body, buf[:], !flush)
	}
}

// write writes a piece of the body, while the client takes it.
func (a *answer) write(p []byte, flush bool) error {
	a.watch.begin()
	var err error
	if len(p) > 0 {
		_, err = a.w.Write(p)
	}
	if flush && err == nil {
		err = http.NewResponseController(a.w).Flush()
		if errors.Is(err, http.ErrNotSupported) {
			err = nil // such a writer keeps nothing back, or cannot be helped
		}
	}
	if a.watch.end() {
		err = cmp.Or(err, os.ErrDeadlineExceeded)
	}
	return err
}

// read reads the body. Where lacks is true the client has not got all that there
// is for it, and gets it while there is nothing to read: the head of an answer of
// unknown length, or what was written of another.
func (a *answer) read(body io.Reader, buf []byte, lacks bool) (int, error) {
	if !lacks {
		return body.Read(buf)
	}
	a.mu.Lock()
	a.reading = true
	a.mu.Unlock()
	if a.timer == nil {
		a.timer = time.AfterFunc(headAfter, a.lull)
	} else {
		a.timer.Reset(headAfter)
	}
	n, err := body.Read(buf)
	a.timer.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reading = false
	return n, err
}

// lull has the client get what there is, once in a read.
func (a *answer) lull() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.reading {
		return
	}
	a.reading = false
	if !a.begun {
		a.start()
	}
	a.failed = a.write(nil, true)
}

// mergeHead puts the fields of an answer beside those that are ours.
func mergeHead(ours, header http.Header) {
	for name, values := range header {
		have, set := ours[name]
		switch {
		case !set:
			ours[name] = values
		case listFields[name]:
			ours[name] = append(values[:len(values):len(values)], have...)
		}
	}
	if _, set := ours["Content-Type"]; !set {
		ours["Content-Type"] = nil // else net/http guesses one
	}
}

// streams says whether an answer is read as it grows, whatever its length.
func streams(header http.Header) bool {
	kind := header["Content-Type"]
	return len(kind) > 0 && strings.HasPrefix(kind[0], "text/event-stream")
}

// writeTrailer hands the trailers to net/http. Those that the head announced
// go by their name, others with net/http's prefix.
func writeTrailer(w http.ResponseWriter, trailer http.Header) {
	if len(trailer) == 0 {
		return
	}
	// A head still unwritten would be sent with a length and without trailers.
	// An error means that the client is gone, which the server sees too.
	_ = http.NewResponseController(w).Flush()
	header := w.Header()
	for name, values := range trailer {
		if !trailerField(name) {
			continue
		}
		if !listHas(header["Trailer"], name) {
			name = http.TrailerPrefix + name
		}
		header[name] = values
	}
}

// trailerField says whether a field may stand after a body: not what frames,
// routes or belongs to one connection (RFC 9110 §6.5.1).
func trailerField(name string) bool {
	return !hopByHop[name] && name != "Content-Length" && name != "Host"
}

// refuse answers in this node's own words. message says what is wrong and what
// to do, in one line without what the client sent; retryAfter is sent in whole
// seconds, rounded up, if it is positive. 400, 408, 414, 431 and 505 end the connection:
// after such a request nothing on it can be trusted.
func refuse(w http.ResponseWriter, status int, retryAfter time.Duration, message string) {
	header := w.Header()
	if _, set := header["Proxy-Status"]; !set {
		header.Set("Proxy-Status", "kecho; error="+proxyError(status)+"; details="+quoted(message))
	}
	if retryAfter > 0 {
		seconds := (retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	switch status {
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestURITooLong,
		http.StatusRequestHeaderFieldsTooLarge, http.StatusHTTPVersionNotSupported:
		header.Set("Connection", "close")
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	text := "kecho: " + message + "\n"
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	lastWords(w)
	// An error means that the client is gone: nobody is left to be told.
	_, _ = io.WriteString(w, text)
}

// proxyError is the error type of RFC 9209 §2.3 that tells most of status.
func proxyError(status int) string {
	switch status {
	case http.StatusBadGateway:
		return "destination_unavailable"
	case http.StatusServiceUnavailable:
		return "connection_limit_reached"
	case http.StatusGatewayTimeout:
		return "connection_timeout"
	}
	if status < 500 || status == http.StatusHTTPVersionNotSupported {
		return "http_request_error"
	}
	return "proxy_internal_error"
}

// quoted is text as a structured field's string (RFC 9651 §3.3.3).
func quoted(text string) string { return string(appendQuoted(nil, text)) }

func appendQuoted(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~':
			b = append(b, '?')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
