package balancer

// The part of framing that follows chunked bodies (RFC 9112 §7.1).

// startChunk begins a chunk's first line.
func (f *framing) startChunk() {
	f.place, f.remaining, f.textLen, f.size = inChunkSize, 0, 0, 0
}

func (f *framing) takeChunkLine(p []byte) int {
	if f.place == atChunkEnd {
		if p[0] != '\r' {
			f.fault = faultChunkEnd
			return 0
		}
		f.place, f.ending = atLF, inChunk
		return 1
	}
	for i, c := range p {
		switch {
		case c == '\r':
			f.place, f.ending = atLF, inChunkSize
			if f.textLen == 0 {
				f.fault = faultChunkSize
			}
			return i + 1
		case c == '\n':
			f.fault = faultBareLF
			return i
		case f.place == inChunkExt:
			if c < ' ' && c != '\t' || c == 0x7f {
				f.fault = faultChunkLine
				return i
			}
		case c == ';' && f.textLen > 0:
			f.place = inChunkExt
		case !f.takeDigit(c):
			f.fault = faultChunkSize
			return i
		}
		if f.line+i >= maxChunkLine {
			f.fault = faultChunkLine
			return i
		}
	}
	return len(p)
}

// takeDigit adds a digit to the chunk's size; false if it is none or too many.
func (f *framing) takeDigit(c byte) bool {
	digit := uint64(0)
	switch {
	case '0' <= c && c <= '9':
		digit = uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		digit = uint64(c|0x20-'a') + 10
	default:
		return false
	}
	f.textLen++
	f.remaining = f.remaining<<4 | digit
	return f.textLen <= maxChunkDigits
}

// chunkLineOver begins the chunk's data, or the trailers after the last chunk.
// A chunk may have 16 bytes beside its data and twice that, and all together
// maxChunkExcess more: as net/http counts, so that both lanes take the same.
func (f *framing) chunkLineOver() {
	f.excess = max(0, f.excess+int64(f.size)+2-16-2*int64(f.remaining))
	if f.excess > maxChunkExcess {
		f.fault = faultChunkExcess
		return
	}
	if f.remaining > 0 {
		f.place = inChunk
		return
	}
	f.place, f.fields, f.size = atField, 0, -1 // count adds this byte
}

// bodyPartOver ends a body of known length, or a chunk's data.
func (f *framing) bodyPartOver() {
	if f.place == inChunk {
		f.place, f.line = atChunkEnd, 0
		return
	}
	f.nextRequest()
}
