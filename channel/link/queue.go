package link

import (
	"math"
	"sync"
)

// blockSize is how much is queued contiguously, and how much bulk one turn of
// the writer takes: at 1 Gbit/s an urgent frame waits half a millisecond for
// such a block.
const blockSize = 64 << 10

// block is whole frames back to back; buf[:off] is written already.
type block struct {
	buf    []byte
	off    int
	frames int
	timed  []timed // those frames that become late, in order
	first  int64   // the earliest of their times
	share  uint8   // of all frames, unless they are mixed
	mixed  bool
	shares shares // where they are mixed
}

// timed is where a frame lies in its block and when it becomes late.
type timed struct {
	start, end int
	share      uint8
	due        int64
}

// belongs notes that a frame of that share and size is about to be appended. In most
// blocks all are of one share, and there is nothing to count.
func (b *block) belongs(share uint8, size int) {
	switch {
	case b.frames == 0:
		b.share = share
	case !b.mixed && share != b.share:
		b.mixed = true
		b.shares.add(b.share, b.frames, len(b.buf))
	}
	if b.mixed {
		b.shares.add(share, 1, size)
	}
}

// leaves takes what is in the block out of the shares of its queue.
func (b *block) leaves(of *shares) {
	if b.mixed {
		of.take(&b.shares)
	} else {
		of.add(b.share, -b.frames, -len(b.buf))
	}
}

func (b *block) append(kind byte, frame []byte) {
	b.buf = appendFrame(b.buf, kind, frame)
	b.frames++
}

func (b *block) appendTimed(kind byte, share uint8, due int64, frame []byte) {
	start := len(b.buf)
	b.append(kind, frame)
	if len(b.timed) == 0 || due < b.first {
		b.first = due
	}
	b.timed = append(b.timed, timed{start, len(b.buf), share, due})
}

// expire takes out the frames that are late, from the queue's shares too, and
// says how many these are. Where none is, it costs one comparison.
func (b *block) expire(now int64, of *shares) (late int) {
	if len(b.timed) == 0 || b.first > now {
		return 0
	}
	kept, read, write := b.timed[:0], 0, 0
	b.first = math.MaxInt64
	for _, f := range b.timed {
		if f.due > now {
			gone := read - write
			kept = append(kept, timed{f.start - gone, f.end - gone, f.share, f.due})
			b.first = min(b.first, f.due)
			continue
		}
		if b.mixed {
			b.shares.add(f.share, -1, f.start-f.end)
		}
		of.add(f.share, -1, f.start-f.end)
		write += copy(b.buf[write:], b.buf[read:f.start])
		read = f.end
		late++
	}
	write += copy(b.buf[write:], b.buf[read:])
	b.buf, b.timed = b.buf[:write], kept
	b.frames -= late
	return late
}

// blocks lends blocks to all links of a pool, so that a link on which nothing
// waits holds none.
type blocks struct{ pool sync.Pool }

// get is an empty block with room for size bytes.
func (bs *blocks) get(size int) *block {
	if size > blockSize {
		return &block{buf: make([]byte, 0, size)}
	}
	if b, _ := bs.pool.Get().(*block); b != nil {
		return b
	}
	return &block{buf: make([]byte, 0, blockSize)}
}

// put takes back what get gave.
func (bs *blocks) put(b *block) {
	if cap(b.buf) != blockSize {
		return
	}
	b.buf, b.off, b.frames, b.timed = b.buf[:0], 0, 0, b.timed[:0]
	b.mixed = false
	b.shares.clear()
	bs.pool.Put(b)
}

// queue is what waits at one priority of one link.
type queue struct {
	blocks []*block
	frames int
	bytes  int // with headers
	timed  int // frames that become late
	shares shares
}

// push copies frame to the end. It is late from due on; zero: never.
func (q *queue) push(bs *blocks, kind byte, share uint8, due int64, frame []byte) {
	size := headerSize + len(frame)
	var last *block
	if n := len(q.blocks); n > 0 {
		last = q.blocks[n-1]
	}
	if last == nil || cap(last.buf)-len(last.buf) < size {
		last = bs.get(size)
		q.blocks = append(q.blocks, last)
	}
	last.belongs(share, size)
	if due == 0 {
		last.append(kind, frame)
	} else {
		last.appendTimed(kind, share, due, frame)
		q.timed++
	}
	q.shares.add(share, 1, size)
	q.frames++
	q.bytes += size
}

// expire drops the frames that are late and says how many these were.
func (q *queue) expire(bs *blocks, now int64) (late int) {
	left := q.blocks[:0]
	for _, b := range q.blocks {
		size := len(b.buf)
		n := b.expire(now, &q.shares)
		q.bytes -= size - len(b.buf)
		late += n
		if b.frames == 0 {
			bs.put(b)
			continue
		}
		left = append(left, b)
	}
	clear(q.blocks[len(left):])
	q.blocks = left
	q.frames -= late
	q.timed -= late
	return late
}

// smallRest is what a turn takes beyond its blocks: who submits as fast as the queue
// takes it waits while the queue is full, and a turn of its own for the little
// behind its last whole block would wake the other end as much as that did.
const smallRest = blockSize / 4

// pop moves at most n blocks from the front to the end of to, and the last one of
// all where it is next and small.
func (q *queue) pop(to []*block, n int) []*block {
	n = min(n, len(q.blocks))
	if rest := q.blocks[n:]; len(rest) == 1 && len(rest[0].buf) <= smallRest {
		n++
	}
	for _, b := range q.blocks[:n] {
		q.frames -= b.frames
		q.bytes -= len(b.buf)
		q.timed -= len(b.timed)
		b.leaves(&q.shares)
	}
	to = append(to, q.blocks[:n]...)
	rest := copy(q.blocks, q.blocks[n:])
	clear(q.blocks[rest:])
	q.blocks = q.blocks[:rest]
	return to
}
