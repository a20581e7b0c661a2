package link

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
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
		q.push(&bs, kindNormal, 0, 0, frame)
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

// A small last block goes with those before it.
func TestQueueLeavesNoSmallRest(t *testing.T) {
	for _, step := range []struct {
		last, blocks, want int
	}{{smallRest - headerSize, 2, 2}, {smallRest, 2, 1}, {10, 3, 1}, {10, 1, 1}, {smallRest, 1, 1}} {
		var bs blocks
		var q queue
		for range step.blocks - 1 {
			q.push(&bs, kindBulk, 0, 0, make([]byte, blockSize-headerSize))
		}
		q.push(&bs, kindBulk, 0, 0, make([]byte, step.last))
		popped := q.pop(nil, 1)
		if len(popped) != step.want || len(q.blocks) != step.blocks-step.want || q.frames != step.blocks-step.want {
			t.Errorf("of %d blocks, the last one with a frame of %d bytes, %d were popped and %d are left, with %d frames; want %d popped", step.blocks, step.last, len(popped), len(q.blocks), q.frames, step.want)
		}
	}
}

// A random history of frames that become late, against a list of them.
func TestQueueExpires(t *testing.T) {
	type frame struct {
		text  string
		due   int64
		share uint8
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	var bs blocks
	var q queue
	var want []frame
	check := func(step int) {
		t.Helper()
		var texts []string
		bytes, timed := 0, 0
		var of shares
		for _, f := range want {
			of.add(f.share, 1, headerSize+len(f.text))
			texts = append(texts, f.text)
			bytes += headerSize + len(f.text)
			if f.due != 0 {
				timed++
			}
		}
		var got []string
		for _, b := range q.blocks {
			for rest := b.buf; len(rest) > 0; {
				_, size, err := parseHeader(rest)
				if err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				got = append(got, string(rest[headerSize:headerSize+size]))
				rest = rest[headerSize+size:]
			}
		}
		if strings.Join(got, "|") != strings.Join(texts, "|") {
			t.Fatalf("step %d: %d frames are queued, want %d, or others", step, len(got), len(want))
		}
		if q.shares != of {
			t.Fatalf("step %d: the shares count %v, want %v", step, q.shares, of)
		}
		if q.frames != len(want) || q.bytes != bytes || q.timed != timed {
			t.Fatalf("step %d: the queue counts %d frames, %d bytes, %d timed; want %d, %d, %d", step, q.frames, q.bytes, q.timed, len(want), bytes, timed)
		}
	}
	for step := range 3000 {
		now := int64(step)
		switch rnd.IntN(8) {
		case 0:
			var left []frame
			late := 0
			for _, f := range want {
				if f.due != 0 && f.due <= now {
					late++
					continue
				}
				left = append(left, f)
			}
			want = left
			if n := q.expire(&bs, now); n != late {
				t.Fatalf("step %d: %d frames are late, want %d", step, n, late)
			}
		case 1:
			for _, b := range q.pop(nil, 1) {
				want = want[b.frames:]
				bs.put(b)
			}
		default:
			f := frame{text: fmt.Sprint(step, strings.Repeat("x", rnd.IntN(5000))), share: uint8(rnd.IntN(3) * 31)}
			if rnd.IntN(3) > 0 {
				f.due = now + 1 + rnd.Int64N(60)
			}
			q.push(&bs, kindNormal, f.share, f.due, []byte(f.text))
			want = append(want, f)
		}
		check(step)
	}
}

// A full queue of what is late has room, and a turn writes none of it.
func TestLateFramesMakeRoom(t *testing.T) {
	l, _ := idleLink(t, Config{QueueFrames: 4})
	l.tracks[0].busy = true
	past := l.peer.now()
	for range 4 {
		if err := l.send(t.Context(), order{ln: normal, due: past}, []byte("late")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.send(t.Context(), order{ln: normal}, []byte("good")); err != nil {
		t.Errorf("a queue of late frames: %v", err)
	}
	l.send(t.Context(), order{ln: urgent, due: past}, []byte("late"))
	var turn turn
	l.takeLocked(l.tracks[0], &turn)
	if got := bytes.Join(turn.buffers, nil); string(got) != "\x00\x00\x00\x04\x09good" {
		t.Errorf("the turn writes %q", got)
	}
	counts := &l.peer.counts
	if counts[normal].flow().Late != 4 || counts[urgent].flow().Late != 1 {
		t.Errorf("%d normal and %d urgent ones are counted, want 4 and 1", counts[normal].flow().Late, counts[urgent].flow().Late)
	}
	l.send(t.Context(), order{ln: bulk, due: past}, []byte("late"))
	if l.takeLocked(l.tracks[0], &turn) {
		t.Error("there is a turn of nothing but late frames")
	}
}
