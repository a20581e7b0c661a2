package balancer

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestBodyTransfer: whatever the sizes of writes, reads and windows, what goes
// in comes out, in order, with its trailers; never more than the window is on
// its way, and nobody waits for ever.
func TestBodyTransfer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var (
			size   = rapid.IntRange(0, 700_000).Draw(rt, "size")
			window = rapid.SampledFrom([]int{minWindow, minWindow + 1, 100_000, maxWindow}).Draw(rt, "window")
			seed   = rapid.Uint64().Draw(rt, "seed")
			reads  = rapid.SampledFrom([]int{1, 100, 4096, 40_000, 1 << 20}).Draw(rt, "reads")
			writes = rapid.SampledFrom([]int{1000, 4096, 32 << 10, 100_000}).Draw(rt, "writes")
			tail   = rapid.Bool().Draw(rt, "trailers")
		)
		if reads == 1 {
			size = min(size, 50_000)
		}
		synctest.Test(t, func(*testing.T) {
			out := newOutflow(window)
			in := newInflow(window, out.add)
			var trailer http.Header
			if tail {
				trailer = http.Header{"X-Sum": {"1", "2"}}
			}
			var sent sync.WaitGroup
			sent.Go(func() {
				err := sendBody(pattern(int64(size), writes), out, func() http.Header { return trailer }, func(b []byte) error {
					c, err := unpackChunk(bytes.Clone(b))
					if err != nil {
						return err
					}
					return in.push(c)
				})
				if err != nil {
					rt.Errorf("send: %v", err)
				}
			})
			random := rand.New(rand.NewPCG(seed, 1))
			var got bytes.Buffer
			buf := make([]byte, reads)
			var err error
			for n := 0; err == nil; got.Write(buf[:n]) {
				if random.IntN(4) == 0 {
					time.Sleep(time.Millisecond)
				}
				n, err = in.Read(buf[:1+random.IntN(len(buf))])
			}
			sent.Wait()
			want, _ := io.ReadAll(pattern(int64(size), 1000))
			if err != io.EOF || !bytes.Equal(got.Bytes(), want) {
				rt.Errorf("%d bytes and %v, want %d", got.Len(), err, size)
			}
			if tail != (in.trailers().Get("X-Sum") == "1") {
				rt.Errorf("trailers: %v", in.trailers())
			}
			if len(in.ring) > window {
				rt.Errorf("%d bytes held, the window is %d", len(in.ring), window)
			}
		})
	})
}

func TestInflowRules(t *testing.T) {
	abc := chunk{data: []byte("abc")}
	for _, c := range []struct {
		name   string
		pushes []chunk
		want   error
		read   string
		end    error
	}{
		{"a gap", []chunk{abc, {offset: 4, data: []byte("e")}}, errGap, "abc", errGap},
		{"twice the same", []chunk{abc, abc}, errGap, "abc", errGap},
		{"beyond the window", []chunk{abc, {offset: 3, data: make([]byte, 8)}}, errWindow, "abc", errWindow},
		{"all of the window", []chunk{abc, {offset: 3, data: []byte("defghij"), fin: true}}, nil, "abcdefghij", io.EOF},
		{"after the end", []chunk{{data: []byte("abc"), fin: true}, {offset: 3}}, errAfterFin, "abc", io.EOF},
		{"after an error", []chunk{{offset: 1}, {offset: 7}}, nil, "", errGap},
	} {
		in := newInflow(10, func(int) {})
		var err error
		for _, p := range c.pushes {
			err = in.push(p)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: push says %v, want %v", c.name, err, c.want)
		}
		var got bytes.Buffer
		b := make([]byte, 2)
		for err = nil; err == nil; {
			var n int
			n, err = in.Read(b)
			got.Write(b[:n])
		}
		if got.String() != c.read || !errors.Is(err, c.end) {
			t.Errorf("%s: read %q and %v, want %q and %v", c.name, &got, err, c.read, c.end)
		}
	}
}

// TestFlowEnds: whoever waits is woken by the end, and the first end counts.
func TestFlowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := newInflow(100, func(int) {}), newOutflow(0)
		read := start(func() error { _, err := in.Read(make([]byte, 1)); return err })
		taken := start(func() error { _, err := out.take(1); return err })
		synctest.Wait()
		for _, err := range []error{errLost, errStopped} {
			in.fail(err)
			out.fail(err)
		}
		if err := <-read; err != errLost {
			t.Errorf("read: %v", err)
		}
		if err := <-taken; err != errLost {
			t.Errorf("take: %v", err)
		}
	})
}

// TestOutflow: credit is never more than a window, however much is given.
func TestOutflow(t *testing.T) {
	out := newOutflow(10)
	for _, c := range []struct{ limit, want int }{{3, 3}, {100, 7}} {
		if n, err := out.take(c.limit); n != c.want || err != nil {
			t.Errorf("take(%d): %d %v, want %d", c.limit, n, err, c.want)
		}
	}
	for range 3 {
		out.add(1 << 30)
	}
	if n, _ := out.take(1 << 30); n != maxWindow {
		t.Errorf("%d at once, want %d", n, maxWindow)
	}
}

func TestWindowFor(t *testing.T) {
	for _, c := range []struct{ open, want int }{{0, maxWindow}, {32, maxWindow}, {64, 128 << 10}, {128, minWindow}, {10_000, minWindow}} {
		if got := windowFor(c.open); got != c.want {
			t.Errorf("window beside %d others: %d, want %d", c.open, got, c.want)
		}
	}
}

func newInflow(window int, credit func(n int)) *inflow {
	f := new(inflow)
	f.open(window, credit)
	return f
}

func newOutflow(credit int) *outflow {
	o := new(outflow)
	o.open(credit)
	return o
}
