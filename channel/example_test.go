package channel_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// Two nodes meet on a channel. The links are in memory here; package link has
// those over a network.
func Example() {
	const load = channel.Key[float64]("load")
	ctx, cancel := context.WithCancel(context.Background())
	hub := channeltest.NewHub()
	var running sync.WaitGroup
	start := func(id channel.NodeID) (*channel.Node, *channel.Channel) {
		node, err := channel.New(channel.Config{ID: id, Links: hub.Links(id)})
		if err != nil {
			panic(err)
		}
		running.Go(func() { node.Run(ctx) })
		work, err := node.Open("work")
		if err != nil {
			panic(err)
		}
		return node, work
	}
	_, here := start(1)
	peer, there := start(2)

	// The sink handles jobs and answers them.
	peer.Describe(load.Of(0.4))
	there.Subscribe(channel.Match{Type: "job"}, func(e *channel.Event) {
		there.Submit(ctx, channel.Event{Type: "done", Re: e.ID, Body: slices.Concat([]byte("did "), e.Body)})
	})

	// The source waits until somebody is there.
	arrived := make(chan struct{})
	stop := here.Watch(func(_ channel.Sink, present bool) {
		if present {
			close(arrived)
		}
	})
	<-arrived
	stop()
	answers := make(chan string)
	here.Subscribe(channel.Match{Type: "done"}, func(e *channel.Event) {
		l, _ := load.In(e.From)
		answers <- fmt.Sprintf("%s, load %v", e.Body, l)
	})
	here.Submit(ctx, channel.Event{Type: "job", Body: []byte("one")})
	fmt.Println(<-answers)

	// The answer has told us the sink's load: a filter can go by it.
	here.SetOut(func(_ *channel.Event, sinks []channel.Sink) []channel.Sink {
		return slices.DeleteFunc(sinks, func(s channel.Sink) bool {
			l, ok := load.In(s.Attrs)
			return !ok || l > 0.3
		})
	})
	_, err := here.Submit(ctx, channel.Event{Type: "job", Body: []byte("two")})
	fmt.Println(err)

	cancel()
	running.Wait()
	// Output:
	// did one, load 0.4
	// submit on channel "work": no sink for the event
}

func ExampleKey() {
	const zone = channel.Key[string]("zone")
	attrs := channel.Attrs{zone.Of("north")}
	z, ok := zone.In(attrs)
	fmt.Println(z, ok)
	_, ok = channel.Key[int64]("zone").In(attrs)
	fmt.Println(ok)
	// Output:
	// north true
	// false
}
