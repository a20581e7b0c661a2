package balancer

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"

	"kecho/balancer/h1"
)

// lane says who serves a request.
type lane uint8

const (
	straightLane lane = iota // it, as bytes
	requestLane              // it, by way of ServeHTTP
	serverLane               // net/http, and all that follows on the connection
)

// straightBody is how long a body may be that goes with its head in one write.
const straightBody = 16 << 10

// laneHead is the head of a request as it stands in a connection's buffer.
type laneHead struct {
	marks  marks
	text   []byte // the head, valid while nothing more is read
	method string
	length int64 // of the body; -1: chunked
	closes bool  // the client wants the connection to end

	has      [opens + 1]bool // kinds of fields that are there
	id       span            // of the only X-Request-Id; zero: there is none, or more
	ids      int
	host     span
	unusual  bool // it asks what only net/http's lane gives, or is at fault in a way that it refuses
	involved bool // it says what the core must know
}

// part is the bytes of s.
func (h *laneHead) part(s span) []byte { return h.text[s.from:s.to] }

// read finds out what the head says, which framing has followed to its end.
func (h *laneHead) read(text []byte, f *framing, b *Balancer) {
	*h = laneHead{marks: h.marks, text: text, method: methodOf(text[:h.marks.method.to])}
	h.unusual = f.old || f.form != '/' || f.tunnel || bytes.IndexByte(h.part(h.marks.target), '#') >= 0
	switch {
	case f.codings > 0:
		h.length = -1
	case f.inBody:
		h.length = int64(f.remaining)
	}
	for i := range h.marks.fields {
		h.readField(&h.marks.fields[i], b)
	}
}

// readField takes the space off a field's value and notes what it says.
func (h *laneHead) readField(m *mark, b *Balancer) {
	for m.value.from < m.value.to && blank(h.text[m.value.from]) {
		m.value.from++
	}
	for m.value.from < m.value.to && blank(h.text[m.value.to-1]) {
		m.value.to--
	}
	value := h.part(m.value)
	if !isFieldValue(value) {
		h.unusual = true
	}
	switch m.kind {
	case endToEnd:
		h.involved = h.involved || b.deadlines.heeds(h.part(m.name))
	case ofConnection:
		h.readConnection(value)
	case asksMore, announces, expects:
		h.unusual = true
	case hosts:
		h.host = m.value
		h.unusual = h.unusual || !isPlainHost(value)
	case passedBy:
		h.involved = h.involved || bytes.Contains(value, []byte(b.rewriter.by))
	case identifies:
		if h.ids++; h.ids == 1 && saneID(string(value)) {
			h.id = m.value
		} else {
			h.id = span{}
		}
	case repeats:
		if h.has[repeats] || len(value) == 0 { // the first counts
			return
		}
	}
	h.has[m.kind] = true
}

// readConnection reads a line of Connection.
func (h *laneHead) readConnection(line []byte) {
	for len(line) > 0 {
		option, rest, _ := bytes.Cut(line, []byte(","))
		switch option = textproto.TrimBytes(option); {
		case h1.Folds(option, "close"):
			h.closes = true
		case len(option) > 0 && !h1.Folds(option, "keep-alive"):
			h.unusual = true
		}
		line = rest
	}
}

// lane is who is to serve the request.
func (h *laneHead) lane() lane {
	switch {
	case h.unusual:
		return serverLane
	case h.involved || h.length < 0 || h.length > straightBody:
		return requestLane
	}
	return straightLane
}

// repeatable is isRepeatable.
func (h *laneHead) repeatable() bool { return idempotent(h.method) || h.has[repeats] }

// values are those of the fields of a kind.
func (h *laneHead) values(k fieldKind) (all []string) {
	for i := range h.marks.fields {
		if m := &h.marks.fields[i]; m.kind == k {
			all = append(all, string(h.part(m.value)))
		}
	}
	return all
}

// header is the head's fields as net/http gives them to a handler.
func (h *laneHead) header() http.Header {
	header := make(http.Header, len(h.marks.fields))
	for i := range h.marks.fields {
		m := &h.marks.fields[i]
		switch m.kind {
		case hosts, codes:
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(string(h.part(m.name)))
		header[name] = append(header[name], string(h.part(m.value)))
	}
	return header
}

// methodOf is a method as a string, without a copy where it is a usual one.
func methodOf(p []byte) string {
	switch string(p) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodOptions:
		return http.MethodOptions
	}
	return string(p)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// isFieldValue says whether p may be a field's value (RFC 9110 §5.5).
func isFieldValue(p []byte) bool {
	for _, c := range p {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isPlainHost says whether p is a name or address with or without a port, which
// is all that a web server's clients send; net/http judges the rest.
func isPlainHost(p []byte) bool {
	for _, c := range p {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', strings.IndexByte(".-_:[]", c) >= 0:
		default:
			return false
		}
	}
	return len(p) > 0
}
