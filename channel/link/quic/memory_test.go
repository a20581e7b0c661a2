package quic

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel/channeltest"
	"kecho/channel/link"
	"kecho/channel/memnet"
)

// TestLinksInMemory runs the suite in fake time, over a network that loses one
// packet in fifty, brings as many twice, and one in twenty late.
func TestLinksInMemory(t *testing.T) {
	network := memnet.Config{Seed: 1, Delay: time.Millisecond, Loss: 0.02, Twice: 0.02, Late: 0.05}
	channeltest.TestLinks(t, func(t *testing.T, test func(*testing.T)) { synctest.Test(t, test) }, inMemory(network))
}

// inMemory is a channeltest.MakeLinks over memnet.
func inMemory(cfg memnet.Config) channeltest.MakeLinks {
	return func(t testing.TB, n int, deadAfter time.Duration) *channeltest.LinksNet {
		fabric, town := memnet.New(cfg), &town{t: t}
		ip := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, 1+i%250) }
		world := &channeltest.LinksNet{
			Introduce: town.introduce, Break: town.breakUp, Heal: fabric.Heal,
			Stall: func(a, b int) { fabric.Cut(ip(a), ip(b)) },
		}
		for i := range n {
			packets, err := fabric.Host(ip(i)).ListenPacket(":7947")
			if err != nil {
				t.Fatal(err)
			}
			tr, err := New(Config{Packets: packets})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { tr.Close() })
			town.settle(world, tr, link.Config{
				DialTimeout: DialTimeout, FlushTimeout: 20 * time.Second, DeadAfter: deadAfter, PingInterval: deadAfter / 4,
			})
		}
		return world
	}
}
