package channeltest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// RegistryNode says which node the suite wants. The zero Key and Cluster are
// those of all others.
type RegistryNode struct {
	Name    string
	ID      channel.NodeID
	Host    int // one address; two nodes on a host one after the other have the same
	Seeds   []int
	Key     byte // another number, another key; zero: none
	Cluster string
}

// RegistryNet is a network of hosts, numbered from 0, and one implementation
// of channel.Registry on it.
type RegistryNet struct {
	// Make makes a node and what runs it: until ctx is done, then it leaves.
	Make func(n RegistryNode) (r channel.Registry, run func(ctx context.Context) error)
	// Crash takes a host away without a goodbye. It is up again when the next
	// node is made there and run.
	Crash func(host int)
	// Partition splits the network into the hosts named and the others, until
	// Heal.
	Partition func(hosts ...int)
	Heal      func()
}

// TestRegistry holds an implementation to the contract of channel.Registry and
// to what docs/design.md says of membership. Each test is one synctest bubble; make is
// called in it. So all limits are of the bubble's time.
func TestRegistry(t *testing.T, make func(t testing.TB) *RegistryNet) {
	for _, c := range []struct {
		name string
		test func(*registryTest)
	}{
		{"nodes find each other through one seed", registryJoin},
		{"announcements reach everybody", registryAnnounce},
		{"a long announcement is partial", registryPartial},
		{"who leaves goes at once", registryLeave},
		{"who crashes stays known", registryCrash},
		{"a node restarts", registryRestart},
		{"a node without seeds restarts before it is missed", registryRestartUnseen},
		{"a node without seeds restarts after it was missed", registryRestartLate},
		{"a dead node's name is used elsewhere", registryReclaim},
		{"a name is taken", registryNameTaken},
		{"the seed's own name is taken", registrySeedNameTaken},
		{"a wrong key is refused", registryWrongKey},
		{"another cluster stays apart", registryOtherCluster},
		{"a seed comes later", registryLateSeed},
		{"halves find each other", registryPartition},
		{"halves that forgot each other find each other by seeds", registryLongPartition},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.test(&registryTest{TB: t, RegistryNet: make(t)})
			})
		})
	}
}

func registryJoin(t *registryTest) {
	const n = 16
	nodes := []*registryNode{t.start(RegistryNode{Host: 0})}
	for i := 1; i < n; i++ {
		nodes = append(nodes, t.start(RegistryNode{Host: i, Seeds: []int{0}}))
	}
	t.agree(3*time.Second, nodes...)
}

func registryAnnounce(t *registryTest) {
	a := t.make(RegistryNode{Host: 0})
	a.announce(channel.Announcement{Version: 1, Channels: []string{"early"}})
	a.run()
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	t.agree(2*time.Second, a, b)
	b.await(time.Second, "what was announced before Run", func(ms []channel.Member) bool {
		return len(ms) == 1 && ms[0].Version == 1 && slices.Equal(ms[0].Channels, []string{"early"})
	})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	for v := range uint64(50) {
		a.announce(channel.Announcement{Version: 2 + v, Channels: []string{"work", fmt.Sprint("number", v)}})
	}
	for _, node := range []*registryNode{b, c} {
		node.await(2*time.Second, "the newest announcement", func(ms []channel.Member) bool {
			m, ok := find(ms, a.ID)
			return ok && m.Version == 51 && slices.Equal(m.Channels, []string{"work", "number49"}) && !m.Partial
		})
	}
	if err := a.r.Announce(channel.Announcement{Channels: []string{strings.Repeat("x", channel.MaxName+1)}}); err == nil {
		t.Error("a name that is too long was taken")
	}
}

func registryPartial(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	t.agree(2*time.Second, a, b)
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprintf("a channel with a long name, number %02d", i))
	}
	a.announce(channel.Announcement{Version: 7, Channels: all})
	b.await(2*time.Second, "part of the channels", func(ms []channel.Member) bool {
		return len(ms) == 1 && ms[0].Version == 7 && ms[0].Partial && len(ms[0].Channels) >= 5 &&
			slices.Equal(ms[0].Channels, all[:len(ms[0].Channels)])
	})
}

func registryLeave(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	start := time.Now()
	if err := a.stop(); err != nil {
		t.Errorf("Run, when it left: %v", err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("leaving took %v", took)
	}
	t.agree(0, b, c)
	time.Sleep(time.Minute)
	t.agree(0, b, c)
}

func registryCrash(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	t.Crash(2)
	time.Sleep(time.Minute) // long enough for any suspicion
	for _, node := range []*registryNode{a, b} {
		node.await(0, "the crashed node, which gossip alone must not take out", func(ms []channel.Member) bool {
			_, ok := find(ms, c.ID)
			return ok && len(ms) == 2
		})
	}
}

func registryRestart(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	for _, down := range []time.Duration{0, 3 * time.Second, time.Minute} {
		t.Crash(2)
		time.Sleep(down)
		c = t.start(RegistryNode{Name: c.Name, Host: 2, Seeds: []int{0}})
		t.agree(3*time.Second, a, b, c)
	}
	c.stop()
	c = t.start(RegistryNode{Name: c.Name, Host: 2, Seeds: []int{0}})
	t.agree(3*time.Second, a, b, c)
	time.Sleep(2 * time.Minute)
	t.agree(0, a, b, c)
}

func registryRestartUnseen(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	for _, wait := range []time.Duration{20 * time.Second, time.Second, 5 * time.Second} {
		time.Sleep(wait) // after 20 s nothing is on its way any more
		t.Crash(0)
		a = t.start(RegistryNode{Name: a.Name, Host: 0})
		t.agree(3*time.Second, a, b, c)
	}
}

func registryRestartLate(t *registryTest) {
	nodes := []*registryNode{t.start(RegistryNode{Host: 0})}
	for i := range 5 {
		nodes = append(nodes, t.start(RegistryNode{Host: 1 + i, Seeds: []int{0}}))
	}
	t.agree(2*time.Second, nodes...)
	for _, down := range []time.Duration{20 * time.Second, 5 * time.Minute} {
		t.Crash(0)
		time.Sleep(down)
		nodes[0] = t.start(RegistryNode{Name: nodes[0].Name, Host: 0})
		t.agree(3*time.Second, nodes...)
	}
}

func registryReclaim(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	t.Crash(2)
	c = t.start(RegistryNode{Name: c.Name, Host: 3, Seeds: []int{0}})
	t.agree(15*time.Second, a, b, c) // until the others have given it up
	t.Crash(3)
	time.Sleep(time.Minute)
	c = t.start(RegistryNode{Name: c.Name, Host: 4, Seeds: []int{0}})
	t.agree(4*time.Second, a, b, c)
	c.stop()
	c = t.start(RegistryNode{Name: c.Name, Host: 5, Seeds: []int{0}})
	t.agree(4*time.Second, a, b, c)
}

func registryNameTaken(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}})
	c := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b, c)
	second := t.start(RegistryNode{Name: c.Name, Host: 3, Seeds: []int{0, 1, 2}})
	err := second.ended(5 * time.Second)
	if err == nil || !strings.Contains(err.Error(), c.Name) {
		t.Errorf("a name that is taken: %v, want an error that names it", err)
	}
	calm(t, a, b, c)
}

func registrySeedNameTaken(t *registryTest) {
	a := t.start(RegistryNode{Host: 0}) // alone, and just started
	second := t.start(RegistryNode{Name: a.Name, Host: 1, Seeds: []int{0}})
	if err := second.ended(5 * time.Second); err == nil {
		t.Error("a name that is taken: no error")
	}
	b := t.start(RegistryNode{Host: 2, Seeds: []int{0}})
	t.agree(2*time.Second, a, b)
	calm(t, a, b)
}

func registryWrongKey(t *registryTest) {
	a := t.start(RegistryNode{Host: 0, Key: 1})
	b := t.start(RegistryNode{Host: 1, Key: 1, Seeds: []int{0}})
	t.agree(2*time.Second, a, b)
	for _, n := range []RegistryNode{
		{Host: 2, Key: 2, Seeds: []int{0}},
		{Host: 3, Key: 0, Seeds: []int{0}},
	} {
		if err := t.start(n).ended(5 * time.Second); err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("key %d in a cluster of key 1: %v, want an error about the key", n.Key, err)
		}
	}
	open := t.start(RegistryNode{Host: 4})
	if err := t.start(RegistryNode{Host: 5, Key: 1, Seeds: []int{4}}).ended(5 * time.Second); err == nil {
		t.Error("a key in a cluster without one: no error")
	}
	calm(t, a, b)
	t.agree(0, open)
}

func registryOtherCluster(t *registryTest) {
	a := t.start(RegistryNode{Host: 0})
	b := t.start(RegistryNode{Host: 1, Seeds: []int{0}, Cluster: "another"})
	time.Sleep(time.Minute)
	t.agree(0, a)
	t.agree(0, b)
}

func registryLateSeed(t *registryTest) {
	a := t.start(RegistryNode{Host: 0, Seeds: []int{1}})
	b := t.start(RegistryNode{Host: 2, Seeds: []int{0, 1, 2}})
	t.agree(5*time.Second, a, b)
	time.Sleep(10 * time.Minute)
	c := t.start(RegistryNode{Host: 1})
	t.agree(31*time.Second, a, b, c)
}

func registryPartition(t *registryTest) {
	var nodes []*registryNode
	for i := range 6 {
		nodes = append(nodes, t.start(RegistryNode{Host: i, Seeds: []int{0}}))
	}
	t.agree(3*time.Second, nodes...)
	for _, split := range []time.Duration{10 * time.Second, 40 * time.Second, 3 * time.Minute} {
		t.Partition(0, 1, 2)
		time.Sleep(split)
		t.agree(0, nodes...) // still known to each other
		nodes[0].announce(channel.Announcement{Version: uint64(split)})
		time.Sleep(time.Second)
		t.Heal()
		nodes[5].await(10*time.Second, "what was announced in the other half", func(ms []channel.Member) bool {
			m, _ := find(ms, nodes[0].ID)
			return m.Version == uint64(split)
		})
		t.agree(0, nodes...)
	}
}

func registryLongPartition(t *registryTest) {
	var nodes []*registryNode
	for i := range 4 {
		nodes = append(nodes, t.start(RegistryNode{Host: i, Seeds: []int{0, 2}}))
	}
	t.agree(3*time.Second, nodes...)
	t.Partition(0, 1)
	t.agree(20*time.Minute, nodes[:2]...)
	t.agree(time.Minute, nodes[2:]...)
	t.Heal()
	t.agree(40*time.Second, nodes...)
}
