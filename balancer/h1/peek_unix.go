//go:build unix

package h1

import (
	"errors"
	"net"
	"syscall"
)

// looker looks at what a connection would read next. It is made once for each.
type looker struct {
	raw  syscall.RawConn // nil: it cannot be looked into
	look func(fd uintptr) bool
	n    int
	err  error
	b    [1]byte
}

func (l *looker) init(nc net.Conn) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	l.raw, _ = sc.SyscallConn() // it fails for what is closed, and is nil then
	l.look = func(fd uintptr) bool {
		l.n, _, l.err = syscall.Recvfrom(int(fd), l.b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	}
}

// peek does not wait and takes nothing.
func (l *looker) peek() (closed, spoken, known bool) {
	if l.raw == nil {
		return false, false, false
	}
	err := l.raw.Read(l.look)
	switch {
	case err != nil:
		return true, false, true
	case errors.Is(l.err, syscall.EAGAIN):
		return false, false, true
	}
	return l.err != nil || l.n == 0, l.n > 0, true
}
