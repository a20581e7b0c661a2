package channeltest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// The hub keeps the same contract as the links that it stands for.
func TestHubLinks(t *testing.T) {
	channeltest.TestLinks(t, func(t *testing.T, test func(*testing.T)) { synctest.Test(t, test) }, onHub)
}

// onHub is a channeltest.MakeLinks: pairs are down until they are introduced.
// Who is mute has lost its link at once: a hub has no silence.
func onHub(_ testing.TB, n int, _ time.Duration) *channeltest.LinksNet {
	hub, net := channeltest.NewHub(), new(channeltest.LinksNet)
	for range n {
		id := channel.NewNodeID()
		for _, other := range net.IDs {
			hub.Down(id, other)
		}
		net.IDs, net.Links = append(net.IDs, id), append(net.Links, hub.Links(id))
	}
	var stalled []func()
	net.Introduce = func(a, b int) { hub.Up(net.IDs[a], net.IDs[b]) }
	net.Break = func(a, b int) {
		hub.Down(net.IDs[a], net.IDs[b])
		hub.Up(net.IDs[a], net.IDs[b])
	}
	net.Stall = func(a, b int) {
		hub.Down(net.IDs[a], net.IDs[b])
		stalled = append(stalled, func() { hub.Up(net.IDs[a], net.IDs[b]) })
	}
	net.Heal = func() {
		for _, heal := range stalled {
			heal()
		}
	}
	return net
}
