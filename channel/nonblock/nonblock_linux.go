package nonblock

import (
	"syscall"
	"unsafe"
)

// How much a call may move that the scheduler does not know of. A read copies: some
// 20 us for all this. A write over loopback does the other end's work too. Parts are
// what a stream writes, turn after turn of some 60 us: the monitor takes the processor
// from whoever is in a call that it knows of for 20 us, and would hand it to another
// thread each time.
const (
	quickRead  = 128 << 10
	quickWrite = 16 << 10
	quickParts = 128 << 10
)

// Read reads once into b from a socket that does not block. At the end of a stream
// it returns 0 and no error; its errors are errnos, EAGAIN where nothing is there.
func Read(fd uintptr, b []byte) (int, error) {
	return call(syscall.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b) <= quickRead)
}

// Write writes once what a socket that does not block has room for of b. Its errors
// are errnos, EAGAIN where there is no room.
func Write(fd uintptr, b []byte) (int, error) {
	return call(syscall.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b) <= quickWrite)
}

// WriteParts is Write of parts, which have size bytes in all. Only Linux has it.
func WriteParts(fd uintptr, parts []syscall.Iovec, size int) (int, error) {
	return call(syscall.SYS_WRITEV, fd, unsafe.Pointer(unsafe.SliceData(parts)), len(parts), size <= quickParts)
}

// call reads or writes once, unknown to the scheduler where it is quick.
func call(nr, fd uintptr, p unsafe.Pointer, size int, quick bool) (int, error) {
	for {
		var n uintptr
		var err syscall.Errno
		if quick {
			n, _, err = syscall.RawSyscall(nr, fd, uintptr(p), uintptr(size))
		} else { // others may want the processor while that is copied
			n, _, err = syscall.Syscall(nr, fd, uintptr(p), uintptr(size))
		}
		switch err {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
