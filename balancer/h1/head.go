package h1

import (
	"bytes"
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

// head is the head of an answer: what it says of itself, and where its fields
// are in its text.
type head struct {
	status   int
	old      bool  // HTTP/1.0
	length   int64 // -1: not said
	chunked  bool
	persists bool // the connection can be used after this answer
	keep     keep // how long, and how often
	fields   []place
}

// place is where a field is in a text.
type place struct{ name, nameEnd, value, valueEnd int32 }

// scanHead reads a whole head: its lines, the empty one at the end excluded.
// room is for the places of its fields.
func scanHead(p []byte, room []place) (h head, err error) {
	line, next := cutLine(p, 0)
	if err := h.scanStatus(line); err != nil {
		return h, err
	}
	if h.fields, err = scanFields(p, next, room); err != nil {
		return h, err
	}
	return h, h.frame(p)
}

// scanStatus reads a status line (RFC 9112 §4). The words after the code say
// nothing.
func (h *head) scanStatus(line []byte) error {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return fmt.Errorf("%w: its first line is no status line", ErrMalformed)
	}
	h.old = line[7] == '0'
	if line[7] != '0' && line[7] != '1' {
		return fmt.Errorf("%w: its version is neither HTTP/1.1 nor HTTP/1.0", ErrMalformed)
	}
	for _, c := range line[9:12] {
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

// frame finds out where the body ends (RFC 9112 §6.3), and whether the
// connection goes on.
func (h *head) frame(p []byte) error {
	h.length, h.persists, h.keep = -1, !h.old, keepAll
	lengths, codings, closes := 0, 0, false
	for i := range h.fields {
		f := &h.fields[i]
		name, value := p[f.name:f.nameEnd], p[f.value:f.valueEnd]
		switch {
		case Folds(name, "content-length"):
			n, ok := parseLength(value)
			if lengths++; !ok || lengths > 1 && n != h.length {
				return fmt.Errorf("%w: its Content-Length is not one number", ErrMalformed)
			}
			h.length = n
		case Folds(name, "transfer-encoding"):
			if codings++; codings > 1 || !Folds(value, "chunked") || h.old {
				return fmt.Errorf("%w: its transfer coding is not chunked", ErrMalformed)
			}
			h.chunked = true
		case Folds(name, "connection"):
			closes = h.options(value) || closes
		case Folds(name, "keep-alive"):
			h.keep.read(value)
		}
	}
	if h.chunked && lengths > 0 {
		return fmt.Errorf("%w: both Content-Length and Transfer-Encoding are there", ErrMalformed)
	}
	h.persists = h.persists && !closes
	return nil
}

// options reads a line of Connection; it reports whether the server closes.
func (h *head) options(line []byte) bool {
	for len(line) > 0 {
		option, rest, _ := bytes.Cut(line, []byte(","))
		switch option = textproto.TrimBytes(option); {
		case Folds(option, "close"):
			return true
		case h.old && Folds(option, "keep-alive"):
			h.persists = true
		}
		line = rest
	}
	return false
}

// Folds says whether p is lower, which is in lower case, in any case.
func Folds(p []byte, lower string) bool {
	if len(p) != len(lower) {
		return false
	}
	for i, c := range p {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func parseLength(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 18 { // 18 digits are below 2^63
		return 0, false
	}
	for _, c := range text {
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

// lengthless says whether the length of a body may not be said (RFC 9110 §8.6).
func (h *head) lengthless() bool { return h.status < 200 || h.status == http.StatusNoContent }

// final says whether no other head follows.
func (h *head) final() bool {
	return h.status >= 200 || h.status == http.StatusSwitchingProtocols
}

// header is the fields of h, whose text is p, without those that only frame, in
// the empty map room if that is not nil.
func (h *head) header(p []byte, room http.Header) http.Header {
	header := headerOf(string(p), h.fields, room)
	delete(header, "Transfer-Encoding")
	if h.lengthless() {
		delete(header, "Content-Length")
	} else if lengths := header["Content-Length"]; len(lengths) > 1 {
		header["Content-Length"] = lengths[:1]
	}
	return header
}

// scanFields reads field lines (RFC 9112 §5), of a head or of trailers, from
// the byte from on.
func scanFields(p []byte, from int, room []place) ([]place, error) {
	fields := room[:0]
	for from < len(p) {
		start := from
		var line []byte
		line, from = cutLine(p, from)
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || !isToken(line[:colon]) {
			return fields, fmt.Errorf("%w: a line is no NAME: VALUE", ErrMalformed)
		}
		first, last := colon+1, len(line)
		for first < last && blank(line[first]) {
			first++
		}
		for first < last && blank(line[last-1]) {
			last--
		}
		if !fieldValue(line[first:last]) {
			return fields, fmt.Errorf("%w: a control character in a value", ErrMalformed)
		}
		fields = append(fields, place{int32(start), int32(start + colon), int32(start + first), int32(start + last)})
	}
	return fields, nil
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// headerOf is fields of text as a map; the strings in it are parts of text.
func headerOf(text string, fields []place, header http.Header) http.Header {
	if header == nil {
		header = make(http.Header, len(fields))
	}
	room := make([]string, len(fields)) // one allocation for the values of all
	for i := range fields {
		f := &fields[i]
		name, value := textproto.CanonicalMIMEHeaderKey(text[f.name:f.nameEnd]), text[f.value:f.valueEnd]
		if before, repeated := header[name]; repeated {
			header[name] = append(before, value)
			continue
		}
		room[0] = value
		header[name] = room[:1:1]
		room = room[1:]
	}
	return header
}

// parseFields is the fields of a text that has nothing else.
func parseFields(p []byte) (http.Header, error) {
	fields, err := scanFields(p, 0, nil)
	if err != nil {
		return nil, err
	}
	return headerOf(string(p), fields, nil), nil
}

// cutLine is the line that begins at from, without its end, and where the next
// begins.
func cutLine(p []byte, from int) (line []byte, next int) {
	i := bytes.IndexByte(p[from:], '\n')
	if i < 0 {
		return p[from:], len(p)
	}
	return bytes.TrimSuffix(p[from:from+i], []byte("\r")), from + i + 1
}

// Announced are the names that Trailer says, as keys; the field is taken out.
func Announced(header http.Header) http.Header {
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
