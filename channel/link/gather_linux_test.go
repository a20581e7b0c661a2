package link

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// Turns of any pieces arrive whole, also when the socket takes less than all at
// once, and the last one ends when the connection is closed.
func TestGather(t *testing.T) {
	near, far := dialed(t)
	d := newDirect(near)
	rnd := rand.New(rand.NewPCG(1, 2))
	var turns []net.Buffers
	var want []byte
	for range 50 {
		var bs net.Buffers
		for range 1 + rnd.IntN(6) {
			b := make([]byte, rnd.IntN(2*blockSize))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			bs = append(bs, b)
			want = append(want, b...)
		}
		turns = append(turns, bs)
	}
	wrote := make(chan error, 1)
	go func() {
		for _, bs := range turns {
			if err := d.WriteAll(bs); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v, or other bytes came than were written", err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if err := d.WriteAll(net.Buffers{nil, []byte{}}); err != nil {
		t.Errorf("nothing was written: %v", err)
	}
	go func() { wrote <- d.WriteAll(net.Buffers{make([]byte, 64<<20)}) }()
	if _, err := io.ReadFull(far, got[:1]); err != nil { // it writes
		t.Fatal(err)
	}
	near.Close()
	if err := <-wrote; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write that Close ends: %v", err)
	}
}
