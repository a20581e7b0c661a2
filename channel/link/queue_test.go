package link

import (
	"bytes"
	"testing"

	"kecho/channel"
)

func TestQueue(t *testing.T) {
	var bs blocks
	var q queue
	var want []byte
	wantBytes := 0
	for i, n := range []int{0, 10, 60 << 10, 10, channel.MaxFrame, 30 << 10, 30 << 10, 30 << 10} {
		frame := bytes.Repeat([]byte{byte(i)}, n)
		q.push(&bs, kindNormal, frame)
		want = appendFrame(want, kindNormal, frame)
		wantBytes += headerSize + n
	}
	if q.frames != 8 || q.bytes != wantBytes {
		t.Errorf("the queue counts %d frames of %d bytes, want 8 of %d", q.frames, q.bytes, wantBytes)
	}
	var got []byte
	for len(q.blocks) > 0 {
		popped := q.pop(nil, 2)
		for _, b := range popped {
			if b.frames > 1 && len(b.buf) > blockSize {
				t.Errorf("a block has %d bytes", len(b.buf))
			}
			got = append(got, b.buf...)
			bs.put(b)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("what was popped is not what was pushed")
	}
	if q.frames != 0 || q.bytes != 0 {
		t.Errorf("the empty queue counts %d frames of %d bytes", q.frames, q.bytes)
	}
	if b := bs.get(1); len(b.buf) != 0 || b.frames != 0 || b.off != 0 {
		t.Errorf("a used block comes with %d bytes, %d frames, offset %d", len(b.buf), b.frames, b.off)
	}
}
