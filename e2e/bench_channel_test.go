package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/link"
)

// BenchmarkChannel is an event from Submit to the handlers of 1 and 8 nodes
// over loopback TCP, beside a raw relay of length-prefixed frames. The two take
// turns in one run, so what else the machine does hits both: x-time and x-cpu
// are the channel's cost as a multiple of the relay's. "one" waits for each
// event, "stream" for every 64.
func BenchmarkChannel(b *testing.B) {
	for _, sinks := range []int{1, 8} {
		for _, size := range []int{100, 1000} {
			for _, burst := range []int{1, 64} {
				name := fmt.Sprintf("%d sinks/%d B/%s", sinks, size, map[int]string{1: "one", 64: "stream"}[burst])
				b.Run(name, func(b *testing.B) {
					var done arrivals
					done.all = make(chan struct{})
					raw, ours := rawRelay(b, sinks, size, &done), channelRelay(b, sinks, size, &done)
					var rawCost, ourCost cost
					for b.Loop() {
						rawCost.measure(burst, func() { done.run(raw, sinks, burst) })
						ourCost.measure(burst, func() { done.run(ours, sinks, burst) })
					}
					report := func(value float64, unit string) { b.ReportMetric(value, unit) }
					report(0, "ns/op")
					report(ourCost.perEvent(), "ns/event")
					report(rawCost.perEvent(), "raw-ns/event")
					report(float64(ourCost.wall)/float64(rawCost.wall), "x-time")
					report(float64(ourCost.cpu)/float64(rawCost.cpu), "x-cpu")
				})
			}
		}
	}
}

// BenchmarkDiscard is a submit whose OUT-filter leaves nobody, as a share of a
// submit to the same 8 sinks: of the time in Submit alone.
func BenchmarkDiscard(b *testing.B) {
	done := arrivals{all: make(chan struct{})}
	c := openChannels(b, 8, &done)
	discard := func(*channel.Event, []channel.Sink) []channel.Sink { return nil }
	e := channel.Event{Type: "bench", Body: make([]byte, 100)}
	const burst = 32
	var kept, dropped time.Duration
	for b.Loop() {
		done.left.Store(8 * burst)
		start := time.Now()
		for range burst {
			if _, err := c.Submit(b.Context(), e); err != nil {
				b.Fatal(err)
			}
		}
		kept += time.Since(start)
		<-done.all
		c.SetOut(discard)
		start = time.Now()
		for range burst {
			c.Submit(b.Context(), e)
		}
		dropped += time.Since(start)
		c.SetOut(nil)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(kept)/float64(b.N*burst), "kept-ns/event")
	b.ReportMetric(float64(dropped)/float64(b.N*burst), "discarded-ns/event")
	b.ReportMetric(100*float64(dropped)/float64(kept), "%discarded")
}

// arrivals says when the last of so many events has arrived.
type arrivals struct {
	left atomic.Int64
	all  chan struct{}
}

func (a *arrivals) one() {
	if a.left.Add(-1) == 0 {
		a.all <- struct{}{}
	}
}

func (a *arrivals) run(send func(), sinks, events int) {
	a.left.Store(int64(sinks * events))
	for range events {
		send()
	}
	<-a.all
}

// cost is what runs have taken, of time and of this process's CPU.
type cost struct {
	wall, cpu time.Duration
	events    int
}

func (c *cost) measure(events int, run func()) {
	cpu, start := cpuTime(), time.Now()
	run()
	c.wall += time.Since(start)
	c.cpu += cpuTime() - cpu
	c.events += events
}

func (c *cost) perEvent() float64 { return float64(c.wall) / float64(c.events) }

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawRelay sends frames of that size to so many readers over TCP.
func rawRelay(b *testing.B, sinks, size int, done *arrivals) (send func()) {
	var conns []net.Conn
	var wg sync.WaitGroup
	b.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
		wg.Wait()
	})
	for range sinks {
		ln := benchListener(b)
		near, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		far, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		ln.Close()
		conns = append(conns, near)
		wg.Go(func() { readRaw(far, done) })
	}
	payload := make([]byte, size)
	var frame []byte
	return func() {
		frame = binary.BigEndian.AppendUint32(frame[:0], uint32(size))
		frame = append(frame, payload...)
		for _, c := range conns {
			if _, err := c.Write(frame); err != nil {
				b.Error(err)
			}
		}
	}
}

// readRaw reads as much as there is, as any fast reader of frames does.
func readRaw(c net.Conn, done *arrivals) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	have := 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		start := 0
		for have-start >= 4 {
			end := start + 4 + int(binary.BigEndian.Uint32(buf[start:]))
			if end > have {
				break
			}
			start = end
			done.one()
		}
		have = copy(buf, buf[start:have])
	}
}

// channelRelay submits events of that size to so many nodes.
func channelRelay(b *testing.B, sinks, size int, done *arrivals) (send func()) {
	c := openChannels(b, sinks, done)
	e := channel.Event{Type: "bench", Body: make([]byte, size)}
	ctx := b.Context()
	return func() {
		if _, err := c.Submit(ctx, e); err != nil {
			b.Error(err)
		}
	}
}

// openChannels is a channel of a node that so many others have open too, each
// with a handler that counts.
func openChannels(b *testing.B, sinks int, done *arrivals) *channel.Channel {
	var peers []link.Peer
	var listeners []net.Listener
	for i := range sinks + 1 {
		ln := benchListener(b)
		listeners = append(listeners, ln)
		peers = append(peers, link.Peer{ID: channel.NodeID(i + 1), Name: fmt.Sprint("n", i+1), Addr: ln.Addr().String()})
	}
	var wg sync.WaitGroup
	b.Cleanup(wg.Wait)
	var source *channel.Channel
	for i, p := range peers {
		pool, err := link.New(link.Config{ID: p.ID, Name: p.Name, Listener: listeners[i]})
		if err != nil {
			b.Fatal(err)
		}
		node, err := channel.New(channel.Config{ID: p.ID, Links: pool})
		if err != nil {
			b.Fatal(err)
		}
		c, err := node.Open("bench")
		if err != nil {
			b.Fatal(err)
		}
		if i == 0 {
			source = c
		} else if _, err := c.SubscribeInline(channel.Match{Type: "bench"}, func(*channel.Event) { done.one() }); err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			if err := node.Run(b.Context()); err != nil {
				b.Error(err)
			}
		})
		if i == 0 {
			pool.SetPeers(peers[1:]) // the others are dialed by it
		} else {
			pool.SetPeers(peers[:1])
		}
	}
	awaitSinks(b, source, sinks)
	return source
}

func awaitSinks(b *testing.B, c *channel.Channel, n int) {
	present := make(chan bool, 64)
	stop := c.Watch(func(_ channel.Sink, here bool) { present <- here })
	defer stop()
	for have := 0; have < n; {
		select {
		case here := <-present:
			if here {
				have++
			} else {
				have--
			}
		case <-time.After(10 * time.Second):
			b.Fatalf("%d sinks after 10 s, want %d", have, n)
		}
	}
}

func benchListener(b *testing.B) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return ln
}
