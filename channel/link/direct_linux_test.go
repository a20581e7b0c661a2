package link

import (
	"net"
	"testing"
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
		n, err := d.write(chunk)
		if err != nil || i > 10_000 {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
		if n == 0 {
			break
		}
	}
	conn.Close()
	if n, err := d.write(chunk); n != 0 || err == nil {
		t.Errorf("write to a closed socket: %d, %v, want an error", n, err)
	}
	if newDirect(&net.UnixConn{}) != nil {
		t.Error("a direct writer for something else than TCP")
	}
}
