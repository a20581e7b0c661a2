package balancer

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
// keeps no more of a head than one name, and no byte of a body.
type framing struct {
	heads  uint64 // requests begun
	fault  *fault // the first; nothing is followed after it
	done   bool   // nothing is followed any more: a fault, or HTTP/2
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

	form      byte // the target's first byte
	tunnel    bool // the method is CONNECT
	query     bool // of the target
	escape    byte // hexadecimal digits that must follow in the target
	old       bool // HTTP/1.0
	watched   byte // of inWatched: 'l' Content-Length, 't' Transfer-Encoding, 'h' Host beside an absolute target
	lengths   int  // how often each was there
	codings   int
	hosts     int
	remaining uint64 // of the body or the chunk
	excess    int64  // bytes of chunks that are more than their data accounts for
	authority []byte // an absolute target, then what Host must still hold of its host
	differs   bool   // Host holds something else

	marks *marks // where the parts of a head are noted; nil: nowhere
}

// follow takes the next bytes of a connection. It returns how many of them come
// before a fault.
func (f *framing) follow(p []byte) int {
	for i := 0; i < len(p) && !f.done; {
		n := f.step(p[i:])
		i += n
		if f.fault == nil {
			continue
		}
		f.done = true
		return i
	}
	return len(p)
}

// followHead is follow up to the end of a head; it reports whether that is
// there.
func (f *framing) followHead(p []byte) (n int, whole bool) {
	for n < len(p) && f.fault == nil {
		n += f.step(p[n:])
		if f.inBody || f.place == atStart && !f.blank {
			return n, f.fault == nil
		}
	}
	return n, false
}

// faulty says whether the body that begins with p is at fault there already, if
// it comes in chunks.
func (f *framing) faulty(p []byte) bool {
	if f.codings == 0 {
		return false
	}
	ahead := *f
	ahead.marks = nil
	ahead.follow(p)
	return ahead.fault != nil && ahead.heads == f.heads
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
	case f.inBody:
		if f.size > maxTrailer {
			f.fault = faultTrailer
		}
	case f.line > maxHeadLine && (f.place < atField || f.place == atLF && f.ending == inVersion):
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

// unfinished is how many of the bytes followed so far belong to a head that is
// not whole.
func (f *framing) unfinished() int {
	switch {
	case f.done || f.inBody || f.place == atStart || f.place == atLF && f.ending == atBlankBefore:
		return 0
	case f.place == atPreface:
		return f.seen
	}
	return f.size
}

// headStart is where in what was followed since the last whole head the head
// at fault begins, good bytes of which come before the fault.
func (f *framing) headStart(good int) int {
	if f.heads == 1 && !f.blank {
		return 0 // size does not count what was taken for a preface
	}
	return good - f.size
}

func (f *framing) nextRequest() { f.place, f.inBody, f.blank = atStart, false, false }
