//go:build !race

package link

import (
	"context"
	"testing"

	"kecho/channel"
)

// The race detector makes sync.Pool forget, so this is not for it.

// Sending on an idle link and receiving allocate nothing.
func TestSendAllocates(t *testing.T) {
	tn := newTown(t)
	a, b := tn.add(Config{Listener: loopback(t)}), tn.add(Config{Listener: loopback(t)})
	arrived := make(chan struct{}, 16)
	near, far := &bench{up: make(chan struct{}, 1), arrived: arrived}, &bench{up: make(chan struct{}, 1), arrived: arrived}
	serve(t, a, near)
	serve(t, b, far)
	tn.introduce(0, 1)
	<-near.up
	<-far.up
	ctx, to := context.Background(), tn.peers[1].ID
	for _, size := range []int{0, 100, 1000, channel.MaxChunk} {
		frame := make([]byte, size)
		for _, p := range []channel.Priority{channel.Urgent, channel.Normal, channel.Bulk} {
			allocs := testing.AllocsPerRun(500, func() {
				if err := a.Send(ctx, to, p, frame); err != nil {
					t.Fatal(err)
				}
				<-arrived
			})
			if allocs != 0 {
				t.Errorf("%v frame of %d bytes: %v allocations, want 0", p, size, allocs)
			}
		}
	}
}
