package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"kecho/channel"
)

// What a frame costs over loopback, beside a raw TCP relay with a length prefix
// in the same run. "one way" is a stream with as little waiting as the receiver
// allows; "round trip" is one frame there and one back. cpu-ns/op is of both
// ends together.
func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{100, 1000, channel.MaxChunk} {
		for _, end := range []struct {
			name string
			make func(testing.TB) (send func([]byte), got <-chan struct{}, echo func(bool))
		}{{"raw", rawPair}, {"link", linkPair}} {
			b.Run(fmt.Sprintf("%s/round trip/%d", end.name, size), func(b *testing.B) {
				send, got, echo := end.make(b)
				echo(true)
				frame := make([]byte, size)
				measure(b, func() {
					send(frame)
					<-got
				})
			})
			b.Run(fmt.Sprintf("%s/one way/%d", end.name, size), func(b *testing.B) {
				send, got, echo := end.make(b)
				echo(false)
				frame := make([]byte, size)
				room := make(chan struct{}, 512)
				var wg sync.WaitGroup
				wg.Go(func() {
					for range got {
						if _, ok := <-room; !ok {
							return
						}
					}
				})
				measure(b, func() {
					room <- struct{}{}
					send(frame)
				})
				close(room)
				send(frame)
				wg.Wait()
			})
		}
	}
}

// measure runs op and adds the process's CPU time per operation.
func measure(b *testing.B, op func()) {
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		op()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawPair is two TCP sockets with nothing but a length before each frame. Like
// the link it reads into a buffer of its own and writes each frame at once.
func rawPair(tb testing.TB) (send func([]byte), got <-chan struct{}, echo func(bool)) {
	ln := loopback(tb)
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	var back bool
	arrived := make(chan struct{}, 1024)
	var wg sync.WaitGroup
	tb.Cleanup(func() {
		near.Close()
		far.Close()
		wg.Wait()
	})
	start := func() {
		out := make([]byte, 0, 64<<10)
		wg.Go(func() {
			rawFrames(far, func(frame []byte) {
				if back {
					out = append(binary.BigEndian.AppendUint32(out[:0], uint32(len(frame))), frame...)
					far.Write(out)
				} else {
					arrived <- struct{}{}
				}
			})
		})
		wg.Go(func() { rawFrames(near, func([]byte) { arrived <- struct{}{} }) })
	}
	var out []byte
	send = func(frame []byte) {
		out = append(binary.BigEndian.AppendUint32(out[:0], uint32(len(frame))), frame...)
		near.Write(out)
	}
	return send, arrived, func(on bool) { back = on; start() }
}

func rawFrames(c net.Conn, frame func([]byte)) {
	buf := make([]byte, largeBuffer)
	have := 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		start := 0
		for have-start >= 4 {
			size := 4 + int(binary.BigEndian.Uint32(buf[start:]))
			if have-start < size {
				break
			}
			frame(buf[start+4 : start+size])
			start += size
		}
		have = copy(buf, buf[start:have])
	}
}

// linkPair is two pools.
func linkPair(tb testing.TB) (send func([]byte), got <-chan struct{}, echo func(bool)) {
	tn := newTown(tb)
	a, b := tn.add(Config{Listener: loopback(tb)}), tn.add(Config{Listener: loopback(tb)})
	arrived := make(chan struct{}, 1024)
	far := &bench{up: make(chan struct{}, 1), pool: b, arrived: arrived}
	near := &bench{up: make(chan struct{}, 1), pool: a, arrived: arrived}
	serve(tb, a, near)
	serve(tb, b, far)
	tn.introduce(0, 1)
	<-near.up
	<-far.up
	ctx := context.Background()
	to := tn.peers[1].ID
	send = func(frame []byte) {
		for {
			err := a.Send(ctx, to, channel.Handling{Priority: channel.Bulk}, frame)
			if err == nil {
				return
			}
			if !errors.Is(err, channel.ErrQueueFull) {
				tb.Fatal(err)
			}
		}
	}
	return send, arrived, func(on bool) { far.echo = on }
}

type bench struct {
	up      chan struct{}
	pool    *Pool
	echo    bool
	arrived chan struct{}
}

func (r *bench) LinkUp(channel.NodeID)          { r.up <- struct{}{} }
func (r *bench) LinkDown(channel.NodeID, error) {}
func (r *bench) Receive(peer channel.NodeID, _ time.Time, frame []byte, _ bool) error {
	if !r.echo {
		r.arrived <- struct{}{}
		return nil
	}
	return r.pool.Send(context.Background(), peer, channel.Handling{Priority: channel.Urgent}, frame)
}
