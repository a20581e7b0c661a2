package link

import "sync"

// blockSize is how much is queued contiguously, and how much bulk one turn of
// the writer takes: at 1 Gbit/s an urgent frame waits half a millisecond for
// such a block.
const blockSize = 64 << 10

// block is whole frames back to back; buf[:off] is written already.
type block struct {
	buf    []byte
	off    int
	frames int
}

func (b *block) append(kind byte, frame []byte) {
	b.buf = appendFrame(b.buf, kind, frame)
	b.frames++
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
	*b = block{buf: b.buf[:0]}
	bs.pool.Put(b)
}

// queue is what waits at one priority of one link.
type queue struct {
	blocks []*block
	frames int
	bytes  int // with headers
}

// push copies frame to the end.
func (q *queue) push(bs *blocks, kind byte, frame []byte) {
	size := headerSize + len(frame)
	var last *block
	if n := len(q.blocks); n > 0 {
		last = q.blocks[n-1]
	}
	if last == nil || cap(last.buf)-len(last.buf) < size {
		last = bs.get(size)
		q.blocks = append(q.blocks, last)
	}
	last.append(kind, frame)
	q.frames++
	q.bytes += size
}

// pop moves at most n blocks from the front to the end of to.
func (q *queue) pop(to []*block, n int) []*block {
	n = min(n, len(q.blocks))
	for _, b := range q.blocks[:n] {
		q.frames -= b.frames
		q.bytes -= len(b.buf)
	}
	to = append(to, q.blocks[:n]...)
	rest := copy(q.blocks, q.blocks[n:])
	clear(q.blocks[rest:])
	q.blocks = q.blocks[:rest]
	return to
}
