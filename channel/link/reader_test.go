package link

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"kecho/channel"
)

func TestFrameReader(t *testing.T) {
	sizes := []int{0, 1, 100, smallBuffer - headerSize, smallBuffer, 40 << 10, 3, channel.MaxFrame, 0, channel.MaxFrame, 7}
	var stream []byte
	for i, n := range sizes {
		stream = appendFrame(stream, kindBulk, bytes.Repeat([]byte{byte(i)}, n))
	}
	for name, src := range map[string]io.Reader{
		"whole":         bytes.NewReader(stream),
		"byte by byte":  iotest.OneByteReader(bytes.NewReader(stream)),
		"half of it":    iotest.HalfReader(bytes.NewReader(stream)),
		"data with EOF": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := frameReader{src: src, buf: make([]byte, smallBuffer)}
		for i, n := range sizes {
			kind, payload, err := r.next()
			if err != nil || kind != kindBulk || !bytes.Equal(payload, bytes.Repeat([]byte{byte(i)}, n)) {
				t.Fatalf("%s: frame %d: kind %d, %d bytes, %v, want %d bytes of %d", name, i, kind, len(payload), err, n, i)
			}
		}
		if _, _, err := r.next(); !errors.Is(err, ErrLost) || strings.Contains(err.Error(), "middle") {
			t.Errorf("%s: at the end: %v, want that the peer closed", name, err)
		}
	}
}

func TestFrameReaderErrors(t *testing.T) {
	frame := appendFrame(nil, kindNormal, []byte("hello"))
	for n := 1; n < len(frame); n++ {
		r := frameReader{src: bytes.NewReader(frame[:n]), buf: make([]byte, smallBuffer)}
		if _, _, err := r.next(); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "middle of a frame") {
			t.Errorf("cut to %d bytes: %v, want that it ended in the middle of a frame", n, err)
		}
	}
	for what, header := range map[string][]byte{
		"an event of 4 GiB":           {0xff, 0xff, 0xff, 0xff, kindBulk},
		"one byte more than MaxFrame": {0, 0x02, 0x80, 0x01, kindUrgent},
		"a large ping":                {0, 0, 0x40, 0, kindPing},
	} {
		r := frameReader{src: bytes.NewReader(header), buf: make([]byte, smallBuffer)}
		if _, _, err := r.next(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", what, err)
		}
		if len(r.buf) != smallBuffer {
			t.Errorf("%s: %d bytes were allocated for it", what, len(r.buf))
		}
	}
}

// A link that has had large frames gives the memory back, and one that has them
// all the time does not allocate for each.
func TestFrameReaderBuffer(t *testing.T) {
	var stream []byte
	large := appendFrame(nil, kindBulk, make([]byte, channel.MaxChunk))
	for range 300 {
		stream = append(stream, large...)
	}
	r := frameReader{src: iotest.HalfReader(bytes.NewReader(stream)), buf: make([]byte, smallBuffer)}
	r.next()
	first := &r.buf[0]
	for range 299 {
		r.next()
	}
	if &r.buf[0] != first || len(r.buf) != largeBuffer {
		t.Errorf("while chunks come the buffer became another, of %d bytes; want the same, of %d", len(r.buf), largeBuffer)
	}
	ping := appendFrame(nil, kindPing, make([]byte, 8))
	for range quietReads + 1 {
		r.src = bytes.NewReader(ping)
		if _, _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.buf) != smallBuffer {
		t.Errorf("after %d pings the buffer has %d bytes, want %d", quietReads+1, len(r.buf), smallBuffer)
	}
}

// A stream of small frames is read with the large buffer, while it lasts.
func TestFrameReaderStream(t *testing.T) {
	frame := appendFrame(nil, kindNormal, make([]byte, 100))
	src := bytes.NewReader(bytes.Repeat(frame, 5000))
	r := frameReader{src: src, buf: make([]byte, smallBuffer)}
	for i := range 5000 {
		if _, _, err := r.next(); err != nil {
			t.Fatal(err)
		}
		if want := i >= (fullReads+1)*smallBuffer/len(frame); want && len(r.buf) != largeBuffer {
			t.Fatalf("after %d frames the buffer has %d bytes", i, len(r.buf))
		}
	}
	for range quietReads + fullReads {
		r.src = bytes.NewReader(frame)
		r.next()
	}
	if len(r.buf) != smallBuffer {
		t.Errorf("after the stream the buffer has %d bytes, want %d", len(r.buf), smallBuffer)
	}
	if r = (frameReader{src: bytes.NewReader(bytes.Repeat(frame, 300)), buf: make([]byte, smallBuffer)}); true {
		for range 300 {
			r.next()
		}
		if len(r.buf) != smallBuffer {
			t.Errorf("for 300 frames the buffer has %d bytes, want %d", len(r.buf), smallBuffer)
		}
	}
}

// Whatever comes, in whatever pieces, is cut into the frames that a naive
// reader cuts it into, or refused where that one refuses it.
func FuzzFrameReader(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, kindPing, make([]byte, 8)), kindBulk, []byte("hello")), false)
	f.Add([]byte{0, 2, 0x80, 1, kindUrgent, 0}, true)
	f.Fuzz(func(t *testing.T, stream []byte, slow bool) {
		var src io.Reader = bytes.NewReader(stream)
		if slow {
			src = iotest.HalfReader(src)
		}
		r := frameReader{src: src, buf: make([]byte, smallBuffer)}
		for {
			more := r.more()
			kind, payload, err := r.next()
			if more && (err != nil || kind < kindUrgent || kind > kindBulk) {
				t.Fatalf("an event was promised, and there was a frame of kind %d, %v", kind, err)
			}
			if len(stream) < headerSize {
				if err == nil {
					t.Fatal("a frame from nothing")
				}
				return
			}
			wantKind, size, bad := parseHeader(stream)
			if bad != nil || len(stream) < headerSize+size {
				if err == nil {
					t.Fatal("a frame that is too long or truncated was read")
				}
				return
			}
			if err != nil || kind != wantKind || !bytes.Equal(payload, stream[headerSize:headerSize+size]) {
				t.Fatalf("kind %d with %d bytes, %v; want kind %d with %d", kind, len(payload), err, wantKind, size)
			}
			stream = stream[headerSize+size:]
		}
	})
}
