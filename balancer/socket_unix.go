//go:build unix

package balancer

import (
	"cmp"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"kecho/channel/nonblock"
)

// socket is a connection of the system's that is read into a buffer which is
// there only while there is something to read: one that is idle costs none.
type socket struct {
	raw   syscall.RawConn // nil: there is none
	owner *laneConn
	try   func(fd uintptr) bool
	waits bool // for something to read
	n     int
	err   error
}

func (s *socket) init(owner *laneConn, conn net.Conn) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return // it is closed, which a read will say
	}
	s.raw, s.owner, s.try = raw, owner, s.attempt
	owner.pace.out = newSocketWriter(raw)
}

// attempt reads once; it reports false where that is to be done again when
// there is something.
func (s *socket) attempt(fd uintptr) bool {
	s.n, s.err = nonblock.Read(fd, s.owner.room())
	if !errors.Is(s.err, syscall.EAGAIN) {
		return true
	}
	if s.n, s.err = -1, nil; s.owner.r == s.owner.w {
		s.owner.release()
	}
	return !s.waits
}

// read reads into its owner's room. Where wait is false and nothing is there it
// returns 0 and no error.
func (s *socket) read(wait bool) (int, error) {
	s.waits, s.n, s.err = wait, -1, nil
	err := s.raw.Read(s.try)
	switch {
	case err != nil:
		return 0, err
	case s.err != nil:
		return 0, s.err
	case s.n == 0:
		return 0, io.EOF
	}
	return max(s.n, 0), nil
}

// socketWriter writes to a connection of the system's.
type socketWriter struct {
	raw syscall.RawConn
	try func(fd uintptr) bool

	mu   sync.Mutex // of a write
	rest []byte
	err  error
}

func newSocketWriter(raw syscall.RawConn) *socketWriter {
	w := &socketWriter{raw: raw}
	w.try = w.attempt
	return w
}

// Write writes all of p. Until the write deadline it waits for room.
func (w *socketWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest, w.err = p, nil
	err := w.raw.Write(w.try)
	n := len(p) - len(w.rest)
	w.rest = nil
	return n, cmp.Or(err, w.err)
}

// attempt writes what there is room for; it reports false where the rest is to be
// written when there is more.
func (w *socketWriter) attempt(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, err := nonblock.Write(fd, w.rest)
		if w.rest = w.rest[n:]; errors.Is(err, syscall.EAGAIN) {
			return false
		} else if err != nil {
			w.err = err
			return true
		}
	}
	return true
}
