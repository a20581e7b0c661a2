package link

import (
	"net"
	"syscall"
	"unsafe"

	"kecho/channel/nonblock"
)

// gather writes turns to a socket: what net.Buffers.WriteTo does, by calls that Go's
// scheduler does not know of where they are quick.
type gather struct {
	once func(fd uintptr) bool
	vecs []syscall.Iovec // what is left to write
	size int             // its bytes
	err  error
}

// WriteAll writes all of bs, and waits for the socket to take it.
func (d *direct) WriteAll(bs net.Buffers) error {
	g := &d.turns
	g.vecs, g.size, g.err = g.vecs[:0], 0, nil
	for _, b := range bs {
		v := syscall.Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b))
		g.vecs = append(g.vecs, v)
		g.size += len(b)
	}
	all := g.vecs
	err := d.conn.Write(g.once)
	clear(all) // the blocks are lent to others
	g.vecs = all
	if err == nil {
		err = g.err
	}
	return err
}

// write reports whether everything is written, or nothing more can be.
func (g *gather) write(fd uintptr) bool {
	for g.size > 0 {
		n, err := nonblock.WriteParts(fd, g.vecs, g.size)
		if err == syscall.EAGAIN {
			return false
		}
		if g.err = err; err != nil {
			return true
		}
		g.wrote(n)
	}
	return true
}

// wrote takes the first n bytes off what is left.
func (g *gather) wrote(n int) {
	g.size -= n
	for len(g.vecs) > 0 && n >= int(g.vecs[0].Len) {
		n -= int(g.vecs[0].Len)
		g.vecs = g.vecs[1:]
	}
	if n > 0 {
		v := &g.vecs[0]
		v.Base = (*byte)(unsafe.Add(unsafe.Pointer(v.Base), n))
		v.SetLen(int(v.Len) - n)
	}
}
