//go:build unix

package h1

import (
	"cmp"
	"errors"
	"net"
	"syscall"

	"kecho/channel/nonblock"
)

// looker looks at what a connection would read next. It is made once for each.
type looker struct {
	raw  syscall.RawConn // nil: it cannot be looked into
	look func(fd uintptr) bool
	n    int
	err  error
	b    [1]byte

	try     func(fd uintptr) bool // of ask
	out, in []byte
	asked   bool
	sent    int
	spoken  bool // what it would read next is not what nobody asked for
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
	l.try = l.attempt
}

// ask does what peek does, and if there is nothing writes out and waits for the
// first of what comes then, in one wait: a look, a write and a read would be one
// system call more. It says how much was written and read; sound is false where
// nothing was, because the server has closed the connection or spoken. The read
// deadline ends the wait.
func (l *looker) ask(out, in []byte) (sent, got int, sound bool, err error) {
	l.out, l.in, l.asked, l.sent, l.n, l.err, l.spoken = out, in, false, 0, 0, nil, false
	waited := l.raw.Read(l.try)
	l.out, l.in = nil, nil
	sound = l.asked && !l.spoken || !l.asked && isTimeout(waited) // its time was over before
	return l.sent, max(l.n, 0), sound, cmp.Or(l.err, waited)
}

// attempt is tried again when there is something to read, where it reports
// false.
func (l *looker) attempt(fd uintptr) bool {
	if !l.asked {
		l.asked = true
		if _, l.err = nonblock.Read(fd, l.in); !errors.Is(l.err, syscall.EAGAIN) {
			l.spoken = true
			return true
		}
		if l.n, l.err = nonblock.Write(fd, l.out); l.n > 0 {
			l.sent, l.n = l.n, 0
		}
		if errors.Is(l.err, syscall.EAGAIN) {
			l.err = nil
		}
		return l.sent < len(l.out) // the rest has to wait for room
	}
	l.n, l.err = nonblock.Read(fd, l.in)
	if errors.Is(l.err, syscall.EAGAIN) {
		l.err = nil
		return false
	}
	return true
}

// asks says whether ask can be called.
func (l *looker) asks() bool { return l.raw != nil }

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
