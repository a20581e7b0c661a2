package balancer

import "bytes"

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// place is where in a message the next byte stands.
type place uint8

const (
	atPreface     place = iota // at the connection's first bytes
	atStart                    // before a request line
	inMethod                   // of the request line
	inTarget                   //
	inVersion                  //
	atField                    // at a field line's first byte
	inName                     //
	inValue                    // of a field that does not frame
	inWatched                  // of a field that does
	inLength                   // a body of known length
	inChunkSize                //
	inChunkExt                 //
	inChunk                    // a chunk's data
	atChunkEnd                 // at the CR after it
	atLF                       // after a CR
	atBlankBefore              // only in framing.ending: the line before a request line
)

// framing follows the requests on a connection through reads of any size. It
// holds no byte longer than a field's name.
type framing struct {
	heads uint64 // requests begun
	fault *fault // the first; nothing is followed after it
	done  bool   // nothing is followed any more: a fault, or HTTP/2
	// broken: the fault is in a body, so its end is not known.
	broken bool

	place  place
	ending place // whose line the LF of atLF ends
	inBody bool  // the body or trailers of a request whose head was good
	blank  bool  // an empty line came before this request
	seen   int   // bytes of the preface
	line   int   // bytes of this line
	size   int   // bytes of this head or of these trailers
	fields int

	text    [20]byte // a name in lower case, the version, or a watched value
	textLen int      // may exceed len(text): the rest is not kept
	gap     bool     // space after a watched value's text

	old       bool // HTTP/1.0
	watched   byte // of inWatched: 'l' Content-Length, 't' Transfer-Encoding
	lengths   int  // how often each was there
	codings   int
	hosts     int
	remaining uint64 // of the body or the chunk
}

// follow takes the next bytes of a connection. It returns how many of them may
// be delivered: fewer than all only where a body breaks its framing.
func (f *framing) follow(p []byte) int {
	for i := 0; i < len(p) && !f.done; {
		n := f.step(p[i:])
		i += n
		if f.fault == nil {
			continue
		}
		f.done = true
		if f.inBody {
			f.broken = true
			return i
		}
	}
	return len(p)
}

// step takes at least one byte, or none and sets fault.
func (f *framing) step(p []byte) (n int) {
	switch f.place {
	case atPreface:
		return f.takePreface(p)
	case inLength, inChunk:
		n = int(min(f.remaining, uint64(len(p))))
		f.remaining -= uint64(n)
		if f.remaining == 0 {
			f.bodyPartOver()
		}
		return n
	case inChunkSize, inChunkExt, atChunkEnd:
		n = f.takeChunkLine(p)
	case atLF:
		n = f.takeLF(p[0])
	case atStart:
		n = f.takeStart(p[0])
	case inMethod, inTarget, inVersion:
		n = f.takeRequestLine(p)
	case atField:
		n = f.takeFieldStart(p[0])
	case inName:
		n = f.takeName(p)
	case inValue:
		n = f.takeValue(p)
	case inWatched:
		n = f.takeWatched(p)
	}
	f.count(n)
	return n
}

// count holds the limits on lines and heads.
func (f *framing) count(n int) {
	f.line += n
	f.size += n
	switch {
	case f.fault != nil:
	case f.place >= inLength && f.place <= atChunkEnd:
		if f.line > maxChunkLine {
			f.fault = faultChunkLine
		}
	case f.inBody:
		if f.size > maxTrailer {
			f.fault = faultTrailer
		}
	case f.line > maxHeadLine && f.place < atField:
		f.fault = faultLine
	case f.line > maxHeadLine:
		f.fault = faultField
	case f.size > maxRequestHead:
		f.fault = faultHead
	}
}

// takePreface waits until the first bytes are HTTP/2's preface, or are not.
func (f *framing) takePreface(p []byte) int {
	n := 0
	for n < len(p) && f.seen < len(preface) && p[n] == preface[f.seen] {
		n++
		f.seen++
	}
	switch {
	case f.seen == len(preface):
		f.done = true
	case n < len(p):
		f.place = atStart
		if f.seen > 0 {
			f.follow([]byte(preface[:f.seen]))
		}
	}
	return n
}

// takeStart takes the first byte of a request, or of the one empty line that
// may stand before it (RFC 9112 §2.2).
func (f *framing) takeStart(c byte) int {
	if !f.blank {
		*f = framing{heads: f.heads + 1, place: atStart}
	}
	switch {
	case c == '\r' && !f.blank:
		f.blank = true
		f.place, f.ending = atLF, atBlankBefore
		return 1
	case c == '\n':
		f.fault = faultBareLF
	case !tokenByte[c]:
		f.fault = faultStart
	default:
		f.place = inMethod
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
			f.place = inTarget
			f.remaining = 0
		case c == ' ' && f.place == inTarget && f.remaining > 0:
			f.place = inVersion
		case c <= ' ', c == 0x7f, f.place == inMethod && !tokenByte[c]:
			f.fault = faultStart
			return i
		case f.place == inTarget:
			f.remaining++ // of the target: it is not empty
		case f.place == inVersion:
			f.keep(c)
		}
	}
	return len(p)
}

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
	case f.fields == maxFields:
		f.fault = faultFields
	default:
		f.fields++
		f.textLen = 0
		f.place = inName
		return f.takeName([]byte{c})
	}
	return 0
}

func (f *framing) takeName(p []byte) int {
	for i, c := range p {
		switch {
		case c == ':':
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
	until := p
	if end >= 0 {
		until = p[:end]
	}
	cr := bytes.IndexByte(until, '\r')
	switch {
	case cr < 0 && end < 0:
		return len(p)
	case cr < 0:
		f.fault = faultBareLF
		return end
	}
	f.place, f.ending = atLF, inValue // atLF refuses whatever else follows
	return cr + 1
}

// takeWatched keeps the value without the space around it.
func (f *framing) takeWatched(p []byte) int {
	for i, c := range p {
		switch c {
		case '\r':
			f.place, f.ending = atLF, inWatched
			return i + 1
		case '\n':
			f.fault = faultBareLF
			return i
		case ' ', '\t':
			f.gap = f.textLen > 0
		default:
			if f.gap {
				f.keep(' ') // it makes the value none that is known
				f.gap = false
			}
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			f.keep(c)
		}
	}
	return len(p)
}

// takeLF ends the line that a CR announced.
func (f *framing) takeLF(c byte) int {
	if c != '\n' {
		f.fault = faultBareCR
		if f.ending == inChunk {
			f.fault = faultChunkEnd
		}
		return 0
	}
	f.line = -1 // count adds this byte
	switch f.ending {
	case atBlankBefore:
		f.place = atStart
	case inVersion:
		f.versionOver()
	case inValue:
		f.place = atField
	case inWatched:
		f.watchedOver()
	case atField:
		f.headOver()
	case inChunkSize:
		f.chunkLineOver()
	case inChunk:
		f.startChunk()
	}
	return 1
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

// watchedOver reads a Content-Length or Transfer-Encoding.
func (f *framing) watchedOver() {
	f.place = atField
	if f.watched == 't' {
		if !f.is("chunked") {
			f.fault = faultCoding
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

func (f *framing) nextRequest() { f.place, f.inBody, f.blank = atStart, false, false }
