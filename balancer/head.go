package balancer

import (
	"bytes"
	"strings"
)

// The part of framing that follows heads (RFC 9112 §3, §5) and trailers.

// takeStart takes the first byte of a request, or of the one empty line that
// may stand before it (RFC 9112 §2.2).
func (f *framing) takeStart(c byte) int {
	if !f.blank {
		*f = framing{heads: f.heads + 1, place: atStart, marks: f.marks}
	}
	if c == '\r' && !f.blank {
		f.blank = true
		f.place, f.ending = atLF, atBlankBefore
		return 1
	}
	f.size = 0 // the empty line is not of the head
	switch {
	case c == '\n':
		f.fault = faultBareLF
	case c == 0x16: // the type of a handshake's record
		f.fault = faultTLS
	case !tokenByte[c]:
		f.fault = faultStart
	default:
		f.place, f.textLen = inMethod, 0
		f.keep(c)
		return 1
	}
	return 0
}

func (f *framing) takeRequestLine(p []byte) int {
	for i, c := range p {
		switch {
		case c == '\r' && f.place == inVersion:
			f.place, f.ending = atLF, inVersion
			return i + 1
		case c == '\n':
			f.fault = faultBareLF
			return i
		case c == ' ' && f.place == inMethod:
			f.place, f.form, f.tunnel = inTarget, 0, f.is("CONNECT")
			f.textLen = 0
			if f.marks != nil {
				f.marks.method.to, f.marks.target.from = int32(f.size+i), int32(f.size+i+1)
			}
		case c == ' ' && f.place == inTarget && f.form != 0:
			if !f.isTarget() {
				f.fault = faultTarget
				return i
			}
			f.place, f.textLen = inVersion, 0
			f.targetOver()
			if f.marks != nil {
				f.marks.target.to = int32(f.size + i)
			}
		case c <= ' ', c == 0x7f, f.place == inMethod && !tokenByte[c]:
			f.fault = faultStart
			return i
		case f.place == inTarget:
			if !f.takeTarget(c) {
				f.fault = faultTarget
				return i
			}
		default:
			f.keep(c)
		}
	}
	return len(p)
}

// takeTarget reports false where net/http would not take the target: a path
// has whole escapes (RFC 3986 §2.1); a query may hold anything.
func (f *framing) takeTarget(c byte) bool {
	if f.form == 0 {
		f.form = c
	}
	if f.form != '/' {
		f.keep(c)
		if !f.tunnel {
			f.authority = append(f.authority, c)
		}
	}
	switch {
	case f.escape > 0:
		f.escape--
		return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
	case c == '?':
		f.query = true
	case c == '%' && !f.query:
		f.escape = 2
	}
	return true
}

// isTarget says whether a target that is whole has one of the forms of
// RFC 9112 §3.2.
func (f *framing) isTarget() bool {
	switch {
	case f.escape > 0:
		return false
	case f.form == '/' || f.tunnel:
		return true
	case f.form == '*':
		return f.textLen == 1
	}
	scheme, _, absolute := strings.Cut(string(f.text[:min(f.textLen, len(f.text))]), "://")
	return absolute && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// targetOver leaves of an absolute target the host that Host must name too.
func (f *framing) targetOver() {
	if !f.absolute() {
		return
	}
	_, host, _ := bytes.Cut(f.authority, []byte("://"))
	if end := bytes.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	f.authority = host
}

func (f *framing) absolute() bool { return f.form != '/' && f.form != '*' && !f.tunnel }

// keep appends to text, and counts what has no room.
func (f *framing) keep(c byte) {
	if f.textLen < len(f.text) {
		f.text[f.textLen] = c
	}
	f.textLen++
}

// is says whether text is s, which must fit.
func (f *framing) is(s string) bool {
	return f.textLen == len(s) && string(f.text[:f.textLen]) == s
}

func (f *framing) takeFieldStart(c byte) int {
	switch {
	case c == '\r':
		f.place, f.ending = atLF, atField
		return 1
	case c == '\n':
		f.fault = faultBareLF
	case c == ' ' || c == '\t':
		f.fault = faultFold
	case f.fields == maxHeadFields:
		f.fault = faultHeadFields
	default:
		f.fields++
		f.textLen = 0
		f.place = inName
		f.noteField()
		return f.takeName([]byte{c})
	}
	return 0
}

func (f *framing) takeName(p []byte) int {
	for i, c := range p {
		switch {
		case c == ':':
			f.noteName(i)
			f.nameOver()
			return i + 1
		case tokenByte[c]:
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			f.keep(c)
			continue
		case c == ' ' || c == '\t':
			f.fault = faultSpace
		case c == '\n':
			f.fault = faultBareLF
		default:
			f.fault = faultName
		}
		return i
	}
	return len(p)
}

// nameOver decides what the field's value is to the framing.
func (f *framing) nameOver() {
	f.place = inValue
	switch {
	case f.textLen == 0:
		f.fault = faultName
		return
	case f.is("content-length"):
		f.place, f.watched = inWatched, 'l'
		if f.lengths++; f.lengths > 1 {
			f.fault = faultTwoLengths
		}
	case f.is("transfer-encoding"):
		f.place, f.watched = inWatched, 't'
		if f.codings++; f.codings > 1 {
			f.fault = faultCoding
		}
	case f.is("host"):
		if f.hosts++; f.hosts > 1 {
			f.fault = faultTwoHosts
		}
		if f.absolute() {
			f.place, f.watched = inWatched, 'h'
		}
	default:
		return
	}
	if f.inBody {
		f.fault = faultTrailerName
	}
	f.textLen, f.gap = 0, false
}

// takeValue skips to the line's end.
func (f *framing) takeValue(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	value := p
	if end >= 0 {
		value = p[:end]
	}
	cr := bytes.IndexByte(value, '\r')
	if cr >= 0 {
		value = value[:cr]
	}
	switch {
	case !f.isValue(value):
		f.fault = faultValue
	case cr < 0 && end >= 0:
		f.fault = faultBareLF
	case cr >= 0:
		f.noteValue(cr)
		f.place, f.ending = atLF, inValue // atLF refuses whatever else follows
		return cr + 1
	}
	return len(value)
}

// isValue says whether p may be in a field's value. Of a head whose parts are
// noted their reader says so.
func (f *framing) isValue(p []byte) bool {
	return f.marks != nil && !f.inBody || isFieldValue(p)
}

// takeWatched keeps the value without the space around it.
func (f *framing) takeWatched(p []byte) int {
	for i, c := range p {
		switch c {
		case '\r':
			f.noteValue(i)
			f.place, f.ending = atLF, inWatched
			return i + 1
		case '\n':
			f.fault = faultBareLF
			return i
		case ' ', '\t':
			f.gap = f.textLen > 0
		default:
			if f.gap {
				f.keepWatched(' ') // it makes the value none that is known
				f.gap = false
			}
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			f.keepWatched(c)
		}
	}
	return len(p)
}

// keepWatched appends to text, or compares with the target's host.
func (f *framing) keepWatched(c byte) {
	f.keep(c)
	if f.watched != 'h' {
		return
	}
	if len(f.authority) == 0 || lower(f.authority[0]) != c {
		f.differs = true
		return
	}
	f.authority = f.authority[1:]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func (f *framing) versionOver() {
	f.place = atField
	switch {
	case f.is("HTTP/1.1"):
	case f.is("HTTP/1.0"):
		f.old = true
	default:
		f.fault = faultVersion
	}
}

// watchedOver reads a Content-Length, Transfer-Encoding or Host.
func (f *framing) watchedOver() {
	f.place = atField
	switch f.watched {
	case 't':
		if !f.is("chunked") {
			f.fault = faultCoding
		}
		return
	case 'h':
		if f.differs || len(f.authority) > 0 {
			f.fault = faultAuthority
		}
		return
	}
	if f.textLen == 0 || f.textLen > 18 { // 18 digits are below 2^63
		f.fault = faultLength
		return
	}
	f.remaining = 0
	for _, c := range f.text[:f.textLen] {
		if c < '0' || c > '9' {
			f.fault = faultLength
			return
		}
		f.remaining = f.remaining*10 + uint64(c-'0')
	}
}

// headOver decides what follows a head, or what follows the trailers.
func (f *framing) headOver() {
	switch {
	case f.inBody:
		f.nextRequest()
	case f.lengths > 0 && f.codings > 0:
		f.fault = faultBoth
	case f.codings > 0 && f.old:
		f.fault = faultOldCoding
	case f.hosts == 0 && !f.old:
		f.fault = faultNoHost
	case f.codings > 0:
		f.inBody = true
		f.startChunk()
	case f.lengths > 0 && f.remaining > 0:
		f.inBody = true
		f.place = inLength
	default:
		f.nextRequest()
	}
}
