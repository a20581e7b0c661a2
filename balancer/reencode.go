package balancer

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"kecho/balancer/h1"
)

// What the lane writes: the bytes that rewriter.outbound, inbound and mergeHead
// with h1 and net/http would write, but for the order of the fields.

// appendRequest appends the head of the request as the web server gets it.
func (c *laneConn) appendRequest(p []byte) []byte {
	h, b := &c.work.head, c.lane.b
	p = append(p, h.method...)
	p = append(p, ' ')
	p = append(p, b.upstream.origin.Prefix...)
	p = append(p, h.part(h.marks.target)...)
	p = append(p, " HTTP/1.1\r\nHost: "...)
	p = append(p, h.part(h.host)...)
	p = append(p, "\r\n"...)
	p = c.appendFields(p)
	p = h1.AppendLength(p, h.method, h.length)
	return append(p, "\r\n"...)
}

// appendFields appends the fields that are sent on, but for Host and what frames.
func (c *laneConn) appendFields(p []byte) []byte {
	h, b := &c.work.head, c.lane.b
	for i := range h.marks.fields {
		if m := &h.marks.fields[i]; m.kind.travels() || c.believed && m.kind.speaks() {
			p = appendField(p, h.part(m.name), h.part(m.value))
		}
	}
	p = c.appendForwarded(p)
	p = append(p, "Via: "...)
	p = append(p, b.rewriter.via11...)
	p = append(p, "\r\nX-Request-Id: "...)
	p = append(p, c.work.requestID()...)
	return append(p, "\r\n"...)
}

// travels says whether a field is passed on as it is.
func (k fieldKind) travels() bool {
	switch k {
	case endToEnd, passedBy, passedHow, urges, repeats, dates, opens:
		return true
	}
	return false
}

// returns says whether a field of an answer is passed on.
func (k fieldKind) returns() bool {
	switch k {
	case ofHop, ofConnection, asksMore, announces, codes, sizes, identifies:
		return false
	}
	return true
}

// speaks says whether a field is passed on where its sender is believed;
// X-Forwarded-For grows.
func (k fieldKind) speaks() bool {
	return k == speaksFor || k == speaksOfHost || k == speaksOfProto
}

// appendForwarded appends for whom the request is sent on, as addForwarded does.
func (c *laneConn) appendForwarded(p []byte) []byte {
	h := &c.work.head
	if !c.believed || !h.has[speaksOfHost] {
		p = appendField(p, []byte("X-Forwarded-Host"), h.part(h.host))
	}
	if !c.believed || !h.has[speaksOfProto] {
		p = append(p, "X-Forwarded-Proto: http"...)
		if c.lane.tls != nil {
			p = append(p, 's')
		}
		p = append(p, "\r\n"...)
	}
	known := c.address != "" && c.address != "@"
	if !known && !(c.believed && h.has[speaksOfFor]) {
		return p
	}
	p = append(p, "X-Forwarded-For: "...)
	if c.believed && h.has[speaksOfFor] {
		p = append(p, strings.Join(h.values(speaksOfFor), ", ")...)
		if known {
			p = append(p, ", "...)
		}
	}
	if known {
		p = append(p, c.address...)
	}
	return append(p, "\r\n"...)
}

// requestID is the client's if it may be kept, else one of our own.
func (w *laneWork) requestID() []byte {
	if w.head.ids == 1 && w.head.id.to > 0 {
		return w.head.part(w.head.id)
	}
	if !w.named {
		w.id, w.named = newUUID(), true
	}
	return w.id[:]
}

// appendField appends a line; the name becomes canonical, as net/http's are.
func appendField(p, name, value []byte) []byte {
	upper := true
	for _, c := range name {
		switch {
		case upper && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case !upper && 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		p = append(p, c)
		upper = c == '-'
	}
	p = append(p, ": "...)
	p = append(p, value...)
	return append(p, "\r\n"...)
}

// appendStatus appends a status line.
func appendStatus(p []byte, status int) []byte {
	p = append(p, "HTTP/1.1 "...)
	p = strconv.AppendInt(p, int64(status), 10)
	p = append(p, ' ')
	if text := http.StatusText(status); text != "" {
		p = append(p, text...)
	} else {
		p = append(p, "status code "...)
		p = strconv.AppendInt(p, int64(status), 10)
	}
	return append(p, "\r\n"...)
}

// appendAnswer appends the head of the final answer, but for what says how long
// its body is, and the empty line.
func (c *laneConn) appendAnswer(p []byte, took time.Duration) []byte {
	b, w := c.lane.b, c.work
	p = appendStatus(p, w.exchange.Status())
	announced, values := b.announces()
	p, dated := c.appendTheirs(p, announced)
	p = c.appendOurs(p, took) // in lists it comes last
	for _, value := range values {
		p = appendField(p, []byte(announced), []byte(value))
	}
	if !dated {
		p = appendDate(p)
	}
	if c.closes {
		p = append(p, "Connection: close\r\n"...)
	}
	return p
}

// appendTheirs appends what the web server says to the client; dated says
// whether that is when. announced is a field that is ours alone.
func (c *laneConn) appendTheirs(p []byte, announced string) (_ []byte, dated bool) {
	b, x := c.lane.b, &c.work.exchange
	hop := connectionNames(x)
	var loads []string
	for i := range x.Fields() {
		name, value := x.Field(i)
		k := kindOfName(name)
		switch {
		case k == announces && x.Chunked():
			p = c.appendTrailerNames(p, value)
		case !k.returns():
		case hop != nil && hop[http.CanonicalHeaderKey(string(name))]:
		case b.cfg.Load != nil && isNamed(name, b.cfg.LoadHeader):
			loads = append(loads, string(value))
		case isNamed(name, announced):
		default:
			dated = dated || k == dates
			p = appendField(p, name, value)
		}
	}
	if loads != nil {
		header := http.Header{b.cfg.LoadHeader: loads}
		b.cfg.Load(header)
		if announced == b.cfg.LoadHeader {
			clear(header)
		}
		for _, value := range header[b.cfg.LoadHeader] {
			p = appendField(p, []byte(b.cfg.LoadHeader), []byte(value))
		}
	}
	return p, dated
}

// isNamed says whether a field's name is canonical, in any case; "" is none's.
func isNamed(name []byte, canonical string) bool {
	return len(name) == len(canonical) && strings.EqualFold(string(name), canonical)
}

// appendOurs appends what this node says of the answer.
func (c *laneConn) appendOurs(p []byte, took time.Duration) []byte {
	b := c.lane.b
	p = append(p, "Via: "...)
	p = append(p, b.rewriter.via11...)
	p = append(p, "\r\nX-Request-Id: "...)
	p = append(p, c.work.requestID()...)
	p = append(p, "\r\nServer-Timing: "...)
	p = appendTiming(p, "upstream", took)
	return append(p, "\r\n"...)
}

// kindOfName is what a field is.
func kindOfName(name []byte) fieldKind {
	var text [longestKind]byte
	for i, c := range name[:min(len(name), len(text))] {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		text[i] = c
	}
	return kindOf(text[:], len(name))
}

// connectionNames are the fields that Connection names, by their canonical
// names; nil: none.
func connectionNames(x *h1.Exchange) (named map[string]bool) {
	for i := range x.Fields() {
		name, line := x.Field(i)
		if !h1.Folds(name, "connection") {
			continue
		}
		for option := range bytes.SplitSeq(line, []byte(",")) {
			option = textproto.TrimBytes(option)
			if len(option) == 0 || h1.Folds(option, "close") || h1.Folds(option, "keep-alive") {
				continue
			}
			if named == nil {
				named = make(map[string]bool)
			}
			named[http.CanonicalHeaderKey(string(option))] = true
		}
	}
	return named
}

// appendTrailerNames appends which trailers will come.
func (c *laneConn) appendTrailerNames(p, line []byte) []byte {
	for name := range bytes.SplitSeq(line, []byte(",")) {
		name = textproto.TrimBytes(name)
		if len(name) > 0 && trailerField(http.CanonicalHeaderKey(string(name))) {
			c.work.trails = true
			p = appendField(p, []byte("Trailer"), []byte(http.CanonicalHeaderKey(string(name))))
		}
	}
	return p
}

// appendTrailer appends the trailers and the empty line after them.
func appendTrailer(p []byte, trailer http.Header) []byte {
	for name, values := range trailer {
		if !trailerField(name) {
			continue
		}
		for _, value := range values {
			p = appendField(p, []byte(name), []byte(value))
		}
	}
	return append(p, "\r\n"...)
}

// appendDate appends when the answer was made.
func appendDate(p []byte) []byte {
	p = append(p, "Date: "...)
	p = time.Now().UTC().AppendFormat(p, http.TimeFormat)
	return append(p, "\r\n"...)
}
