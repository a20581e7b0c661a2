package agent

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"kecho/agent/channels"
	"kecho/channel"
	"kecho/channel/channeltest"
)

// The event of a threshold goes to whoever has its channel open and subscribes.
func TestEventChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 2)
		channeltest.Open(t, "data", nodes...)
		e := eventChannels{channels.New(channels.Config{Own: []string{"data"}, Node: func() *channel.Node { return nodes[0] }})}
		if err := e.Open("data"); err == nil {
			t.Error("a channel of the agent's own was opened")
		}
		for range 2 {
			if err := e.Open("alerts"); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Submit(t.Context(), "alerts", "high", []byte("nobody")); err != nil {
			t.Errorf("while nobody listens: %v", err)
		}
		there, err := nodes[1].Open("alerts")
		if err != nil {
			t.Fatal(err)
		}
		got := channeltest.Record(t, there, channel.Match{Type: "high"})
		alerts := slices.IndexFunc(nodes[0].Channels(), func(c *channel.Channel) bool { return c.Name() == "alerts" })
		channeltest.AwaitSinks(t, nodes[0].Channels()[alerts], 1)
		if err := e.Submit(t.Context(), "alerts", "high", []byte("too high")); err != nil {
			t.Fatal(err)
		}
		if events := got.Wait(t, 1); string(events[0].Body) != "too high" {
			t.Errorf("got %q", events[0].Body)
		}
		if err := e.Close("alerts"); !errors.Is(err, channels.ErrHeld) {
			t.Errorf("closed under the threshold: %v", err)
		}
	})
}
