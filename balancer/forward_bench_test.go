//go:build unix

package balancer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/link"
)

// benchPair is two nodes linked over TCP on loopback, with balancers. The
// first has no web server, so that it forwards everything; the second serves
// from web.
func benchPair(b testing.TB, web string) (first, second *Balancer) {
	ids := []channel.NodeID{1, 2}
	var (
		all       sync.WaitGroup
		chans     []*channel.Channel
		nodes     []*channel.Node
		pools     []*link.Pool
		addresses []string
		balancers []*Balancer
	)
	ctx, stop := context.WithCancel(context.Background())
	b.Cleanup(func() { stop(); all.Wait() })
	for i, id := range ids {
		l := benchListen(b)
		pool, err := link.New(link.Config{ID: id, Name: []string{"a", "b"}[i], Listener: l})
		if err != nil {
			b.Fatal(err)
		}
		node, err := channel.New(channel.Config{ID: id, Links: pool})
		if err != nil {
			b.Fatal(err)
		}
		pools, nodes, addresses = append(pools, pool), append(nodes, node), append(addresses, l.Addr().String())
		all.Go(func() {
			if err := node.Run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	for i, p := range pools {
		p.SetPeers([]link.Peer{{ID: ids[1-i], Name: []string{"b", "a"}[i], Addr: addresses[1-i]}})
	}
	chans = channeltest.Open(b, "data", nodes...)
	for i, node := range nodes {
		cfg := Config{
			Name: []string{"a", "b"}[i], Upstream: "http://" + web, Data: chans[i], RTT: pools[i].RTT,
			Policy:  policy.Config{Places: 64, Hard: 64, Queue: 64, ShedAge: time.Second},
			Silence: 10 * time.Second, // a busy machine is not a peer that is lost
		}
		if i == 0 {
			cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("there is none") }
		}
		bal, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		node.DescribeFunc(bal.Describe)
		balancers = append(balancers, bal)
		all.Go(func() {
			if err := bal.Run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	awaitPeers(b, balancers...)
	return balancers[0], balancers[1]
}

// awaitPeers waits until each of all knows all the others: a node whose Run has
// not come so far asks nobody, and serves nobody.
func awaitPeers(t testing.TB, all ...*Balancer) {
	t.Helper()
	for _, b := range all {
		for end := time.Now().Add(10 * time.Second); b.desk.knows() < len(all)-1; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s does not know its peers", b.cfg.Name)
			}
		}
	}
}

// knows is how many peers there are.
func (d *desk) knows() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.present)
}

// BenchmarkForward sends the same requests to the node that forwards them and
// to the one that serves them, in turns, and reports the time and the CPU time
// of the whole process per request, and their ratios. A forwarded request goes
// through both agents; what the client and the web server cost is in both.
func BenchmarkForward(b *testing.B) {
	for _, conns := range []int{1, 16} {
		b.Run(map[int]string{1: "one by one", 16: "16 at once"}[conns], func(b *testing.B) {
			const batch = 500
			a, peer := benchPair(b, benchUpstream(b))
			paths := []struct {
				name      string
				client    *benchClient
				cpu, took time.Duration
			}{
				{name: "forward", client: newBenchClient(b, benchServer(b, a), conns)},
				{name: "local", client: newBenchClient(b, benchServer(b, peer), conns)},
			}
			for _, p := range paths {
				p.client.send(batch)
			}
			requests := 0
			for b.Loop() {
				requests += batch
				for i := range paths {
					cpu, start := cpuTime(b), time.Now()
					paths[i].client.send(batch)
					paths[i].cpu += cpuTime(b) - cpu
					paths[i].took += time.Since(start)
				}
			}
			for _, p := range paths {
				b.ReportMetric(float64(p.cpu.Nanoseconds())/float64(requests), p.name+"-cpu-ns/req")
				b.ReportMetric(float64(p.took.Nanoseconds())/float64(requests), p.name+"-ns/req")
			}
			b.ReportMetric(float64(paths[0].cpu)/float64(paths[1].cpu), "cpu-ratio")
			b.ReportMetric(float64(paths[0].took)/float64(paths[1].took), "time-ratio")
			b.ReportMetric(0, "ns/op") // an iteration is a batch on each path
			if s := a.Stats(); s.Forwarded < uint64(requests) {
				b.Errorf("%d of %d were forwarded", s.Forwarded, requests)
			}
		})
	}
}

// BenchmarkServeForward counts what one request allocates in both agents,
// their servers, the transport and the raw ends, by the lane and by net/http;
// local is the second agent alone.
func BenchmarkServeForward(b *testing.B) {
	a, peer := benchPair(b, benchUpstream(b))
	for _, p := range []struct {
		name  string
		serve func(b *testing.B) string
	}{
		{"lane", func(b *testing.B) string { return benchLane(b, a) }},
		{"forward", func(b *testing.B) string { return benchServer(b, a) }},
		{"local", func(b *testing.B) string { return benchServer(b, peer) }},
	} {
		b.Run(p.name, func(b *testing.B) {
			c := newBenchClient(b, p.serve(b), 1)
			c.send(10)
			b.ReportAllocs()
			for b.Loop() {
				c.send(1)
			}
		})
	}
}

// BenchmarkForwardStream downloads 32 MiB through a forward and locally, in
// turns.
func BenchmarkForwardStream(b *testing.B) {
	const size = 32 << 20
	block := make([]byte, 64<<10)
	web := benchServer(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range size / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	a, peer := benchPair(b, web)
	addresses := []string{benchServer(b, a), benchServer(b, peer)}
	var took [2]time.Duration
	for b.Loop() {
		for i, address := range addresses {
			start := time.Now()
			res, err := http.Get("http://" + address + "/")
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
				b.Fatal(n, err)
			}
			_ = res.Body.Close()
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/took[0].Seconds()/1e6, "forward-MB/s")
	b.ReportMetric(float64(size)*float64(b.N)/took[1].Seconds()/1e6, "local-MB/s")
	b.ReportMetric(float64(took[0])/float64(took[1]), "time-ratio")
	b.ReportMetric(0, "ns/op")
}
