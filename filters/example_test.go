package filters_test

import (
	"fmt"

	"kecho/channel"
	"kecho/filters"
)

// The load balancer of the KECho paper (sections 2.3 and 4): a request goes to
// the two least loaded of the other servers, the first answer is kept, and the
// other server is told to stop.
func Example() {
	chosen := filters.NewChosen(filters.ChosenConfig{})
	first := filters.NewFirstAnswer(filters.FirstAnswerConfig{Heads: []channel.Type{"answer"}})
	out := filters.ByType(map[channel.Type]channel.Filter{
		"request": filters.Chain(filters.RemoteOnly, filters.Taking,
			filters.LeastLoaded(filters.LeastLoadedConfig{N: 2}), chosen.Record),
		"answer": filters.ToOrigin,
		"cancel": filters.Chain(chosen.To, first.Losers),
	}, nil)
	in := filters.Chain(chosen.From, first.Filter)

	// The channel has four more servers than this one, node 1.
	describe := func(name string, load float64) channel.Attrs {
		return channel.Attrs{filters.Name.Of(name), filters.Load.Of(load), filters.Capacity.Of(4)}
	}
	members := func() []channel.Sink {
		return []channel.Sink{
			{Node: 1, Attrs: describe("web1", 1.5), Local: true},
			{Node: 2, Attrs: describe("web2", 0.9)},
			{Node: 3, Attrs: describe("web3", 0.1)},
			{Node: 4, Attrs: describe("web4", 0.4)},
			{Node: 5, Attrs: describe("web5", 0).With(filters.Draining.Of(true))},
		}
	}

	request := channel.ID{Source: 1, Seq: 1}
	first.Open(request)
	show("request to", out(&channel.Event{Type: "request", ID: request}, members()))

	self := []channel.Sink{{Node: 1, Local: true, Attrs: describe("web1", 1.5)}}
	for _, peer := range []channel.NodeID{4, 3} {
		answer := &channel.Event{Type: "answer", ID: channel.ID{Source: peer, Seq: 1}, Re: request}
		fmt.Printf("answer of node %d let in: %v\n", peer, len(in(answer, self)) > 0)
	}
	cancel := &channel.Event{Type: "cancel", ID: channel.ID{Source: 1, Seq: 2}, Re: request}
	show("cancel to", out(cancel, members()))

	first.Close(request)
	chosen.Forget(request)

	// Output:
	// request to: web3 web4
	// answer of node 4 let in: true
	// answer of node 3 let in: false
	// cancel to: web3
}

func show(what string, sinks []channel.Sink) {
	fmt.Print(what + ":")
	for _, s := range sinks {
		name, _ := filters.Name.In(s.Attrs)
		fmt.Print(" " + name)
	}
	fmt.Println()
}
