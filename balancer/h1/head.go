package h1

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
)

// Bounds of what a server may send.
const (
	maxHead      = 64 << 10
	maxTrailer   = 8 << 10
	maxChunkLine = 256
	maxEarly     = 16 // informational answers before the final one
)

// head is the head of an answer.
type head struct {
	status  int
	old     bool // HTTP/1.0
	header  http.Header
	length  int64 // -1: not said
	chunked bool
}

// parseHead reads a whole head: its lines, the empty one at the end excluded.
// The strings in it are parts of text.
func parseHead(text string) (h head, err error) {
	line, rest := cutLine(text)
	if err := h.parseStatus(line); err != nil {
		return h, err
	}
	if h.header, err = parseFields(rest); err != nil {
		return h, err
	}
	return h, h.parseFraming()
}

// parseStatus reads a status line (RFC 9112 §4). The words after the code say
// nothing.
func (h *head) parseStatus(line string) error {
	if len(line) < 12 || line[:7] != "HTTP/1." || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return fmt.Errorf("%w: its first line is no status line", ErrMalformed)
	}
	h.old = line[7] == '0'
	if line[7] != '0' && line[7] != '1' {
		return fmt.Errorf("%w: its version is neither HTTP/1.1 nor HTTP/1.0", ErrMalformed)
	}
	for _, c := range []byte(line[9:12]) {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: its status is no number", ErrMalformed)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 || !fieldValue(line[12:]) {
		return fmt.Errorf("%w: its status line is malformed", ErrMalformed)
	}
	return nil
}

// parseFraming finds out where the body ends (RFC 9112 §6.3).
func (h *head) parseFraming() error {
	h.length = -1
	if codings, ok := h.header["Transfer-Encoding"]; ok {
		if len(codings) != 1 || !strings.EqualFold(codings[0], "chunked") || h.old {
			return fmt.Errorf("%w: its transfer coding is not chunked", ErrMalformed)
		}
		h.chunked = true
		delete(h.header, "Transfer-Encoding")
	}
	lengths := h.header["Content-Length"]
	if h.chunked && len(lengths) > 0 {
		return fmt.Errorf("%w: both Content-Length and Transfer-Encoding are there", ErrMalformed)
	}
	for i, text := range lengths {
		n, ok := parseLength(text)
		if !ok || i > 0 && n != h.length {
			return fmt.Errorf("%w: its Content-Length is not one number", ErrMalformed)
		}
		h.length = n
	}
	if len(lengths) > 1 {
		h.header["Content-Length"] = lengths[:1]
	}
	return nil
}

func parseLength(text string) (n int64, ok bool) {
	if text == "" || len(text) > 18 { // 18 digits are below 2^63
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// bodiless says whether no body follows whatever the fields say (RFC 9112 §6.3).
func (h *head) bodiless(method string) bool {
	return method == http.MethodHead || h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified
}

// persists says whether the connection can be used after this answer.
func (h *head) persists() bool {
	for _, line := range h.header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			switch option = textproto.TrimString(option); {
			case strings.EqualFold(option, "close"):
				return false
			case h.old && strings.EqualFold(option, "keep-alive"):
				return true
			}
		}
	}
	return !h.old
}

// parseFields reads field lines (RFC 9112 §5), of a head or of trailers.
func parseFields(text string) (http.Header, error) {
	n := strings.Count(text, "\n")
	header := make(http.Header, n)
	room := make([]string, n) // one allocation for the values of all
	for text != "" {
		var line string
		line, text = cutLine(text)
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			return nil, fmt.Errorf("%w: a line is no NAME: VALUE", ErrMalformed)
		}
		value = textproto.TrimString(value)
		if !fieldValue(value) {
			return nil, fmt.Errorf("%w: a control character in a value", ErrMalformed)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if before, repeated := header[name]; repeated {
			header[name] = append(before, value)
			continue
		}
		room[0] = value
		header[name] = room[:1:1]
		room = room[1:]
	}
	return header, nil
}

// cutLine takes the first line from text, without its end.
func cutLine(text string) (line, rest string) {
	i := strings.IndexByte(text, '\n')
	if i < 0 {
		return text, ""
	}
	line, rest = text[:i], text[i+1:]
	return strings.TrimSuffix(line, "\r"), rest
}

// announced are the names that Trailer says, as keys; the field is taken out.
func announced(header http.Header) http.Header {
	lines, ok := header["Trailer"]
	if !ok {
		return nil
	}
	delete(header, "Trailer")
	trailer := make(http.Header)
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)); isToken(name) && !framing(name) {
				trailer[name] = nil
			}
		}
	}
	return trailer
}
