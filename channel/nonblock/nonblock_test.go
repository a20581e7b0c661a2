//go:build unix

package nonblock

import (
	"bytes"
	"syscall"
	"testing"
)

// TestReadWrite moves little and much, and meets each end of a socket: nothing to
// read, no room, the other side gone.
func TestReadWrite(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	a, b := uintptr(fds[0]), uintptr(fds[1])
	defer syscall.Close(fds[0])
	if n, err := Read(b, make([]byte, 1)); n != 0 || err != syscall.EAGAIN {
		t.Errorf("a read of nothing: %d, %v", n, err)
	}
	for _, size := range []int{1, 16 << 10, 200 << 10} { // by both kinds of call
		sent := bytes.Repeat([]byte("kecho"), size/5+1)[:size]
		n, err := Write(a, sent)
		if n == 0 || err != nil {
			t.Fatalf("write of %d: %d, %v", size, n, err)
		}
		var got []byte
		for buf := make([]byte, size); len(got) < n; {
			m, err := Read(b, buf)
			if m == 0 || err != nil {
				t.Fatalf("read after %d of %d: %d, %v", len(got), n, m, err)
			}
			got = append(got, buf[:m]...)
		}
		if !bytes.Equal(got, sent[:n]) {
			t.Errorf("%d bytes came as others", size)
		}
	}
	for {
		if n, err := Write(a, make([]byte, 8<<10)); err == syscall.EAGAIN && n == 0 {
			break
		} else if err != nil {
			t.Fatalf("write until it is full: %d, %v", n, err)
		}
	}
	syscall.Close(fds[1])
	if n, err := Write(a, []byte("x")); n != 0 || err != syscall.EPIPE && err != syscall.ECONNRESET {
		t.Errorf("a write to who is gone: %d, %v", n, err)
	}
	if n, err := Read(a, make([]byte, 1)); n != 0 || err != nil && err != syscall.ECONNRESET {
		t.Errorf("a read of who is gone: %d, %v", n, err)
	}
}
