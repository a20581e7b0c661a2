package quic

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/link"
)

// What a frame costs over loopback on a link over QUIC, beside one over TCP and
// one over TCP with TLS in the same run. cpu-ns/op is of both ends together.
func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{100, 1000, channel.MaxChunk} {
		for _, name := range []string{"tcp", "tls", "quic"} {
			b.Run(fmt.Sprintf("%s/round trip/%d", name, size), func(b *testing.B) {
				frame, e := make([]byte, size), newEnds(b, name, true)
				measure(b, func() {
					e.send(b, frame)
					<-e.back
				})
			})
			b.Run(fmt.Sprintf("%s/one way/%d", name, size), func(b *testing.B) {
				frame, e := make([]byte, size), newEnds(b, name, false)
				for range cap(e.room) {
					e.room <- struct{}{}
				}
				measure(b, func() {
					<-e.room
					e.send(b, frame)
				})
			})
		}
	}
}

func measure(b *testing.B, op func()) {
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ends are two linked pools: the second sends back what it receives, or gives
// room for another frame.
type ends struct {
	pools [2]*link.Pool
	up    sync.WaitGroup
	back  chan struct{}
	room  chan struct{} // 64 frames are on their way at most
	echo  bool
}

// end is the receiver of one of them.
type end struct {
	*ends
	at int
}

func newEnds(b *testing.B, name string, echo bool) *ends {
	e := &ends{back: make(chan struct{}, 1), room: make(chan struct{}, 64), echo: echo}
	e.up.Add(2)
	authority := channeltest.NewAuthority(b)
	var peers []link.Peer
	for i := range e.pools {
		cfg := link.Config{ID: channel.NodeID(i + 1), Name: fmt.Sprintf("web%d", i), HelloTimeout: time.Minute, DialTimeout: time.Minute}
		if name == "quic" {
			tr, err := New(Config{Packets: loopback(b)})
			if err != nil {
				b.Fatal(err)
			}
			cfg.Listener, cfg.Dial = tr, tr.Dial
		} else {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			cfg.Listener = ln
		}
		if name == "tls" {
			cfg.TLS = authority.Keys(b, cfg.Name)
		}
		pool, err := link.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		e.pools[i] = pool
		peers = append(peers, link.Peer{ID: cfg.ID, Name: cfg.Name, Addr: cfg.Listener.Addr().String()})
	}
	for i, pool := range e.pools {
		pool.SetPeers(peers)
		serve(b, pool, &end{e, i})
	}
	e.up.Wait()
	return e
}

func (e *ends) send(b *testing.B, frame []byte) {
	if err := e.pools[0].Send(b.Context(), 2, channel.Handling{Priority: channel.Normal}, frame); err != nil {
		b.Fatal(err)
	}
}

func (e *end) LinkUp(channel.NodeID)          { e.up.Done() }
func (e *end) LinkDown(channel.NodeID, error) {}
func (e *end) Receive(from channel.NodeID, _ time.Time, frame []byte, _ bool) error {
	switch {
	case e.at == 0:
		e.back <- struct{}{}
	case e.echo:
		return e.pools[1].Send(context.Background(), from, channel.Handling{Priority: channel.Normal}, frame)
	default:
		e.room <- struct{}{}
	}
	return nil
}
