package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// A direct write takes what fits and never waits, not even for a full socket.
func TestDirectWrite(t *testing.T) {
	ln := loopback(t)
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d := newDirect(conn)
	chunk := make([]byte, 64<<10)
	for i := 0; ; i++ {
		n, err := d.TryWrite(chunk)
		if err != nil || i > 10_000 {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
		if n == 0 {
			break
		}
	}
	conn.Close()
	if n, err := d.TryWrite(chunk); n != 0 || err == nil {
		t.Errorf("write to a closed socket: %d, %v, want an error", n, err)
	}
	if newDirect(&net.UnixConn{}) != nil {
		t.Error("a direct writer for something else than TCP")
	}
	if other := net.Conn(&net.UnixConn{}); quietly(other) != other {
		t.Error("something else than TCP is read by a direct")
	}
}

// A direct read is the connection's: it waits, ends with the stream, and by a
// deadline or Close.
func TestDirectRead(t *testing.T) {
	near, far := dialed(t)
	d := newDirect(near)
	got := make(chan error)
	buf := make([]byte, 2*largeBuffer)
	read := func(size int) {
		go func() {
			_, err := io.ReadFull(d, buf[:size])
			got <- err
		}()
	}
	for _, size := range []int{1, largeBuffer, 2 * largeBuffer} { // waiting or not, by both kinds of call
		want := bytes.Repeat([]byte{byte(size >> 10)}, size)
		read(size)
		if _, err := far.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil || !bytes.Equal(buf[:size], want) {
			t.Fatalf("%d bytes: %v, or they are others", size, err)
		}
	}
	near.SetReadDeadline(time.Unix(1, 0))
	if n, err := d.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	near.SetReadDeadline(time.Time{})
	far.Close()
	if n, err := d.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end of the stream: %d, %v, want EOF", n, err)
	}

	near, _ = dialed(t)
	d = newDirect(near)
	read(1)
	near.Close()
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read that Close ends: %v", err)
	}
}

// dialed is both ends of a TCP connection.
func dialed(t *testing.T) (near, far net.Conn) {
	ln := loopback(t)
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}
