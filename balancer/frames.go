package balancer

import "encoding/binary"

// The types of HTTP/2 frames that matter here (RFC 9113 §6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameGoAway       = 0x7
	frameContinuation = 0x9
)

const (
	frameHead = 9   // bytes of a frame's head
	resetCode = 4   // bytes of frameReset's payload
	endStream = 0x1 // flag of frameData and frameHeaders
)

// The error codes that matter here (RFC 9113 §7).
const (
	codeProtocol     = 0x1
	codeFlowControl  = 0x3
	codeStreamClosed = 0x5
	codeCalm         = 0xb // ENHANCE_YOUR_CALM
)

// frame is the head of a frame.
type frame struct {
	length uint32 // of what follows it
	kind   byte
	flags  byte
	stream uint32
	code   uint32 // of frameReset, which is whole
}

// frames follows HTTP/2's frames through pieces of any size, in one direction
// of a connection. It keeps no more than a head and the code of a reset.
type frames struct {
	head [frameHead + resetCode]byte
	have int    // bytes of head
	left uint32 // of the frame's payload
}

// next takes bytes of p until a head, or a reset, is whole, and returns what is
// left of p; none: p was used up before.
func (f *frames) next(p []byte) (rest []byte, h frame, whole bool) {
	n := min(uint64(f.left), uint64(len(p)))
	f.left -= uint32(n)
	if p, whole = f.fill(p[n:], frameHead); !whole {
		return nil, frame{}, false
	}
	first := binary.BigEndian.Uint32(f.head[:])
	h = frame{
		length: first >> 8, kind: f.head[3], flags: f.head[4],
		stream: binary.BigEndian.Uint32(f.head[5:]) &^ (1 << 31),
	}
	if h.kind == frameReset && h.length == resetCode {
		p, whole = f.fill(p, frameHead+resetCode)
		h.code = binary.BigEndian.Uint32(f.head[frameHead:])
	} else {
		f.left = h.length
	}
	if !whole {
		return nil, frame{}, false
	}
	f.have = 0
	return p, h, true
}

// fill takes bytes of p until head has n of them.
func (f *frames) fill(p []byte, n int) (rest []byte, whole bool) {
	if f.have < n {
		got := copy(f.head[f.have:n], p)
		p = p[got:]
		f.have += got
	}
	return p, f.have >= n
}

// between says whether a frame has ended and none has begun.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// goAway is a frame that ends a connection as its client sends too much that
// is of no use: ENHANCE_YOUR_CALM. Streams after last were not looked at.
func goAway(last uint32, why string) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(8+len(why))<<8|frameGoAway)
	p = append(p, 0, 0, 0, 0, 0) // flags, and the connection's own stream
	p = binary.BigEndian.AppendUint32(p, last)
	p = binary.BigEndian.AppendUint32(p, codeCalm)
	return append(p, why...)
}
