package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/memnet"
	"kecho/channel/registry"
)

// node is a registry that runs.
type node struct {
	*registry.Registry
	stop  func() error
	ended chan struct{} // closed when Run has returned
}

// start runs a registry on a host of n, which it names after.
func start(t testing.TB, n *memnet.Net, host int, change func(*registry.Config)) node {
	t.Helper()
	tr, err := n.Host(ip(host)).Transport(":7946")
	if err != nil {
		t.Fatal(err)
	}
	return run(t, registry.Config{Name: fmt.Sprintf("web%d", host), Transport: tr}, change)
}

func run(t testing.TB, cfg registry.Config, change func(*registry.Config)) node {
	t.Helper()
	cfg.ID = channel.NewNodeID()
	cfg.Logger = logger(t, cfg.Name)
	if change != nil {
		change(&cfg)
	}
	r, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = r.Run(ctx)
	}()
	stop := func() error { cancel(); <-ended; return err }
	t.Cleanup(func() { stop() })
	return node{r, stop, ended}
}

// await waits until ok holds of r's peers.
func await(t testing.TB, r *registry.Registry, what string, ok func(map[string]registry.Peer) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	found := false
	r.WatchPeers(ctx, func(peers []registry.Peer) {
		byName := make(map[string]registry.Peer)
		for _, p := range peers {
			byName[p.Name] = p
		}
		if ok(byName) {
			found = true
			cancel()
		}
	})
	if !found {
		t.Fatalf("waited in vain: %s; peers: %+v", what, r.Peers())
	}
}

func seeds(hosts ...int) func(*registry.Config) {
	return func(cfg *registry.Config) {
		for _, h := range hosts {
			cfg.Seeds = append(cfg.Seeds, ip(h))
		}
	}
}

func TestPeersAndStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a := start(t, n, 0, nil)
		start(t, n, 1, func(cfg *registry.Config) {
			seeds(0)(cfg)
			cfg.LinkAddr = ":7947"
			cfg.Tags = map[string]string{"zone": "b"}
		})
		c := start(t, n, 2, seeds(0))
		start(t, n, 3, seeds(0))
		await(t, a.Registry, "three peers", func(p map[string]registry.Peer) bool { return len(p) == 3 })
		b := a.Peers()[0]
		if b.Name != "web1" || b.Addr != "10.0.0.2:7946" || b.LinkAddr != "10.0.0.2:7947" || b.Tags["zone"] != "b" || b.Status != registry.Alive {
			t.Errorf("got %+v", b)
		}
		c.stop()
		n.Host(ip(3)).Crash()
		time.Sleep(30 * time.Second)
		var got []string
		for _, p := range a.Peers() {
			got = append(got, p.Name+" "+string(p.Status))
		}
		if want := "web1 alive,web2 left,web3 failed"; strings.Join(got, ",") != want {
			t.Errorf("got %q, want %s", got, want)
		}
		st := a.Stats()
		if st.Peers[registry.Alive] != 1 || st.Peers[registry.Left] != 1 || st.Peers[registry.Failed] != 1 || st.Rejoins == 0 || st.Failures == 0 {
			t.Errorf("got %+v", st)
		}
		time.Sleep(11 * time.Minute)
		if peers := a.Peers(); len(peers) != 1 {
			t.Errorf("after 11 minutes there are %+v", peers)
		}
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		key := func(cfg *registry.Config) { cfg.Key = bytes.Repeat([]byte{1}, 16) }
		a := start(t, n, 0, key)
		<-a.Ready()
		_, err := n.Host(ip(1)).Transport(":7946")
		if err != nil {
			t.Fatal(err)
		}
		taken := start(t, n, 2, func(cfg *registry.Config) { key(cfg); seeds(0)(cfg); cfg.Name = "web0" })
		plain := start(t, n, 3, seeds(0))
		time.Sleep(5 * time.Second)
		err = taken.stop()
		want := `registry: the name "web0" is already taken in this cluster by a running node at 10.0.0.1:7946: start this one with another --name`
		if !errors.Is(err, registry.ErrNameTaken) || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		err = plain.stop()
		want = `registry: join 10.0.0.1:7946: the gossip key differs: that node has one and this one has none: give all nodes of the cluster the same key`
		if !errors.Is(err, registry.ErrKeyMismatch) || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if err := a.stop(); err != nil {
			t.Errorf("the node that was there first: %v", err)
		}
		if err := a.Run(t.Context()); err == nil {
			t.Error("Run twice: no error")
		}
	})
}

// A holder that cannot be asked now may be there all the same.
func TestANameIsTakenByWhomOneCannotReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a, b := start(t, n, 0, nil), start(t, n, 1, seeds(0))
		await(t, b.Registry, "a", func(p map[string]registry.Peer) bool { return len(p) == 1 })
		n.Cut(ip(1), ip(2))
		second := start(t, n, 2, func(cfg *registry.Config) { seeds(0)(cfg); cfg.Name = "web1" })
		time.Sleep(20 * time.Second)
		select {
		case <-second.ended:
			t.Fatalf("ended without an answer: %v", second.stop())
		default:
		}
		n.Heal()
		time.Sleep(5 * time.Second)
		if err := second.stop(); !errors.Is(err, registry.ErrNameTaken) {
			t.Errorf("got %v", err)
		}
		if peers := a.Peers(); len(peers) != 1 || peers[0].Addr != "10.0.0.2:7946" || peers[0].Status != registry.Alive {
			t.Errorf("the others know %+v", peers)
		}
	})
}

// A wrong key stops only who never was a member: a running node must not end
// because somebody else is misconfigured.
func TestAMemberIsNotStoppedByASeedWithAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a := start(t, n, 0, nil)
		b := start(t, n, 1, seeds(0, 2))
		await(t, b.Registry, "a", func(p map[string]registry.Peer) bool { return len(p) == 1 })
		time.Sleep(time.Minute)
		start(t, n, 2, func(cfg *registry.Config) { cfg.Key = bytes.Repeat([]byte{1}, 16) })
		time.Sleep(5 * time.Minute)
		for _, node := range []node{a, b} {
			if err := node.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAloneLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a := start(t, n, 0, nil)
		<-a.Ready()
		time.Sleep(time.Second)
		begin := time.Now()
		if err := a.stop(); err != nil || time.Since(begin) != 0 {
			t.Errorf("%v, after %v", err, time.Since(begin))
		}
	})
}

// The bubble is the test: it fails if a goroutine is left when Run has
// returned, here probes that nobody answers.
func TestRunEndsProbesThatAreOnTheirWay(t *testing.T) {
	for wait := 500 * time.Millisecond; wait < time.Second; wait += 50 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			n := memnet.New(memnet.Config{})
			a, b := start(t, n, 0, nil), start(t, n, 1, seeds(0))
			await(t, b.Registry, "a", func(p map[string]registry.Peer) bool { return len(p) == 1 })
			n.Partition([]string{ip(0)})
			time.Sleep(wait)
			var wg sync.WaitGroup
			for _, node := range []node{a, b} {
				wg.Go(func() { node.stop() })
			}
			begin := time.Now()
			wg.Wait()
			if took := time.Since(begin); took > 4*time.Second {
				t.Errorf("leaving took %v", took)
			}
		})
	}
}

// dns is a resolver whose answer can be changed.
type dns struct {
	mu    sync.Mutex
	ips   []netip.Addr
	asked int
}

func (d *dns) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if len(d.ips) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return d.ips, nil
}

func (d *dns) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *dns) set(ips ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ips = nil
	for _, ip := range ips {
		d.ips = append(d.ips, netip.MustParseAddr(ip))
	}
}

func TestSeedNamesAreResolvedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		var names dns
		var out bytes.Buffer
		a := start(t, n, 0, nil)
		b := start(t, n, 1, func(cfg *registry.Config) {
			cfg.Seeds = []string{"web.example"}
			cfg.Resolve = names.resolve
			cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
		})
		time.Sleep(time.Hour)
		if asked := names.count(); asked < 100 || len(b.Peers()) != 0 {
			t.Errorf("asked %d times in an hour, peers %v", asked, b.Peers())
		}
		names.set(ip(1), ip(0)) // itself too
		await(t, b.Registry, "the seed", func(p map[string]registry.Peer) bool { return len(p) == 1 })
		// The name moves to where a newcomer is.
		c := start(t, n, 2, nil)
		names.set(ip(2))
		await(t, c.Registry, "both", func(p map[string]registry.Peer) bool { return len(p) == 2 })
		a.stop()
		b.stop()
		if warned := strings.Count(out.String(), "the seed web.example:7946 cannot be resolved"); warned != 1 {
			t.Errorf("warned %d times, want once:\n%s", warned, &out)
		}
	})
}

func TestJoinsThroughLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{Seed: 1, Loss: 0.3, Delay: 5 * time.Millisecond})
		nodes := []node{start(t, n, 0, nil)}
		for i := 1; i < 8; i++ {
			nodes = append(nodes, start(t, n, i, seeds(0)))
		}
		for _, node := range nodes {
			await(t, node.Registry, "all others", func(p map[string]registry.Peer) bool { return len(p) == 7 })
		}
		time.Sleep(2 * time.Minute)
		for _, node := range nodes {
			if got := len(node.Peers()); got != 7 {
				t.Errorf("after 2 minutes a node knows %d peers", got)
			}
		}
	})
}

// A node with an id that is somebody else's is nobody: frames for the one must
// not go to the other.
func TestAnIDIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		a := start(t, n, 0, func(cfg *registry.Config) { cfg.ID = 1 })
		start(t, n, 1, func(cfg *registry.Config) { cfg.ID = 2; seeds(0)(cfg) })
		time.Sleep(5 * time.Second)
		start(t, n, 2, func(cfg *registry.Config) { cfg.ID = 2; seeds(0)(cfg) })
		start(t, n, 3, func(cfg *registry.Config) { cfg.ID = 1; seeds(0)(cfg) })
		time.Sleep(5 * time.Second)
		if peers := a.Peers(); len(peers) != 1 || peers[0].Name != "web1" {
			t.Errorf("got %+v, want web1", peers)
		}
	})
}
