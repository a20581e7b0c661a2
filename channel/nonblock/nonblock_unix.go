//go:build unix && !linux

package nonblock

import "syscall"

// Read reads once into b from a socket that does not block. At the end of a stream
// it returns 0 and no error; its errors are errnos, EAGAIN where nothing is there.
func Read(fd uintptr, b []byte) (int, error) { return again(syscall.Read, fd, b) }

// Write writes once what a socket that does not block has room for of b. Its errors
// are errnos, EAGAIN where there is no room.
func Write(fd uintptr, b []byte) (int, error) { return again(syscall.Write, fd, b) }

// again ignores interrupts.
func again(call func(fd int, b []byte) (int, error), fd uintptr, b []byte) (int, error) {
	for {
		n, err := call(int(fd), b)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
