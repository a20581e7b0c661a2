package balancer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
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

// respond writes a final answer to the client: header (end-to-end fields),
// the body as it comes, and then what trailer returns. Fields that are already
// in w.Header() are ours and stay (listFields says how). trailer and body may
// be nil; header["Trailer"] announces what trailer will return, as
// net/http.Response.Trailer's keys do.
//
// It returns when the body is at its end, or errCut wrapping what broke. An
// answer of unknown length is flushed after each read, so what the source has
// is with the client at once.
func respond(w http.ResponseWriter, status int, header http.Header, trailer func() http.Header, body io.Reader) error {
	if status < 200 || status > 999 {
		return fmt.Errorf("%w: status %d", errBadAnswer, status)
	}
	mergeHead(w.Header(), header)
	w.WriteHeader(status)
	if body != nil {
		_, sized := header["Content-Length"]
		if err := copyBody(w, body, !sized || streams(header)); err != nil {
			return fmt.Errorf("%w: %w", errCut, err)
		}
	}
	if trailer != nil {
		writeTrailer(w, trailer())
	}
	return nil
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

// copyBody copies body to w through one pooled buffer. The last piece is not
// flushed where the source tells that it is the last: the end of the handler
// does that with fewer writes.
func copyBody(w http.ResponseWriter, body io.Reader, flush bool) error {
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	var control *http.ResponseController
	if flush {
		control = http.NewResponseController(w)
	}
	for {
		n, err := body.Read(buf[:])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return fmt.Errorf("write to the client: %w", werr)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if flush {
			if ferr := control.Flush(); ferr != nil {
				return fmt.Errorf("write to the client: %w", ferr)
			}
		}
	}
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
// seconds, rounded up, if it is positive. 400, 414, 431 and 505 end the connection:
// after a malformed request nothing on it can be trusted.
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
	case http.StatusBadRequest, http.StatusRequestURITooLong,
		http.StatusRequestHeaderFieldsTooLarge, http.StatusHTTPVersionNotSupported:
		header.Set("Connection", "close")
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	text := "kecho: " + message + "\n"
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
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
	if status >= 500 {
		return "proxy_internal_error"
	}
	return "http_request_error"
}

// quoted is text as a structured field's string (RFC 9651 §3.3.3).
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~':
			b.WriteByte('?')
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
