//go:build !race

package link

import (
	"time"

	"context"
	"sync"
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
				if err := a.Send(ctx, to, channel.Handling{Priority: p}, frame); err != nil {
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

// From Submit over a link to an inline handler, through native filters and
// with a deadline, nothing is allocated: for one event at a time, and for a
// stream, which the writer takes.
func TestSubmitToHandlerAllocates(t *testing.T) {
	tn := newTown(t)
	var chans []*channel.Channel
	for range 2 {
		pool := tn.add(Config{Listener: loopback(t)})
		node, err := channel.New(channel.Config{ID: tn.peers[len(chans)].ID, Links: pool})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { node.Run(t.Context()) })
		t.Cleanup(wg.Wait)
		c, err := node.Open("work")
		if err != nil {
			t.Fatal(err)
		}
		chans = append(chans, c)
	}
	arrived := make(chan struct{}, 50)
	if _, err := chans[1].SubscribeInline(channel.Match{Type: "job"}, func(*channel.Event) { arrived <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 2)
	stop := chans[0].Watch(func(channel.Sink, bool) { came <- struct{}{} })
	tn.introduce(0, 1)
	<-came
	stop()
	first := func(_ *channel.Event, sinks []channel.Sink) []channel.Sink { return sinks[:1] }
	chans[0].SetOut(first)
	chans[1].SetIn(first)
	ctx := context.Background()
	for _, size := range []int{0, 100, 1000, channel.MaxChunk} {
		body := make([]byte, size)
		for _, stream := range []int{1, 50} {
			allocs := testing.AllocsPerRun(200, func() {
				for range stream {
					e := channel.Event{Type: "job", Body: body, Deadline: time.Now().Add(time.Minute)}
					if _, err := chans[0].Submit(ctx, e); err != nil {
						t.Fatal(err)
					}
				}
				for range stream {
					<-arrived
				}
			})
			if allocs != 0 {
				t.Errorf("%d events of %d bytes allocate %v times, want 0", stream, size, allocs)
			}
		}
	}
}
