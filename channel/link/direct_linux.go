package link

import (
	"io"
	"net"
	"syscall"

	"kecho/channel/nonblock"
)

// notSentLowat bounds what the kernel keeps unsent for one connection, because
// what is there can no longer be overtaken. Over loopback, where it matters
// most, chunks of 32 KiB one after the other take 15 % longer with it (13.9
// against 12.1 microseconds each) and the same CPU. Measured on loopback: BENCH.
const notSentLowat = 128 << 10

// tune sets notSentLowat on a TCP socket. Where it cannot, urgent frames come
// later and all else is as it was.
func tune(socket net.Conn) {
	tcp, ok := socket.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		const tcpNotSentLowat = 25 // linux/tcp.h; package syscall lacks it
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, notSentLowat)
	})
}

// direct writes to a TCP socket without waiting, and reads from it. The closures
// are made once, so that neither allocates.
type direct struct {
	conn    syscall.RawConn
	out, in attempt
	turns   gather
}

// attempt is a call of a direct: what is to be done when the socket is at hand,
// and what came of it.
type attempt struct {
	once func(fd uintptr) bool
	buf  []byte
	n    int
	err  error
}

// newDirect is nil for a connection that is no TCP socket: its writer
// goroutine writes everything.
func newDirect(c net.Conn) *direct {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{conn: raw}
	d.out.once = func(fd uintptr) bool {
		d.out.n, d.out.err = nonblock.Write(fd, d.out.buf)
		return true // never wait: the writer goroutine does
	}
	d.turns.once = d.turns.write
	d.in.once = func(fd uintptr) bool {
		d.in.n, d.in.err = nonblock.Read(fd, d.in.buf)
		return d.in.err != syscall.EAGAIN
	}
	return d
}

// TryWrite writes what the socket takes at once of b, which may be nothing.
func (d *direct) TryWrite(b []byte) (n int, err error) {
	n, err = d.out.do(d.conn.Write, b)
	if err == syscall.EAGAIN {
		err = nil
	}
	return n, err
}

// Read waits for something to read, as the connection's Read does.
func (d *direct) Read(b []byte) (n int, err error) {
	n, err = d.in.do(d.conn.Read, b)
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

// quiet is a TCP connection that is read by a direct: what TLS has under it.
type quiet struct {
	net.Conn
	read *direct
}

func (q quiet) Read(b []byte) (int, error) { return q.read.Read(b) }

// quietly is conn, read by a direct if it is a TCP socket.
func quietly(conn net.Conn) net.Conn {
	if d := newDirect(conn); d != nil {
		return quiet{conn, d}
	}
	return conn
}

func (a *attempt) do(atHand func(func(uintptr) bool) error, b []byte) (int, error) {
	a.buf, a.n, a.err = b, 0, nil
	err := atHand(a.once)
	a.buf = nil
	if err == nil && a.err != nil {
		err = a.err
	}
	return a.n, err
}
