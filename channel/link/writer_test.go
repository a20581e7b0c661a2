package link

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// idleLink is a link over memory that nobody serves. Its far end is the other
// result.
func idleLink(t testing.TB, cfg Config) (*link, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	cfg.ID, cfg.Name, cfg.Listener = 1, "web0", closedListener{}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return newLink(p, newPeer(p, Peer{ID: 2, Name: "web1"}), near, near), far
}

type closedListener struct{ net.Listener }

// While all three priorities wait, a turn has some of each, the urgent ones
// first.
func TestTurn(t *testing.T) {
	l, _ := idleLink(t, Config{})
	l.tracks[0].busy = true
	for range 8 {
		for ln := range lanes {
			for range 2 {
				if err := l.send(t.Context(), order{ln: ln}, make([]byte, 30<<10)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var turn turn
	for range 4 {
		if !l.takeLocked(l.tracks[0], &turn) {
			t.Fatal("nothing to write")
		}
		var kinds []byte
		for _, b := range turn.blocks {
			kinds = append(kinds, b.buf[4])
		}
		if want := []byte{kindUrgent, kindUrgent, kindNormal, kindBulk}; !slices.Equal(kinds, want) {
			t.Errorf("the turn's blocks are of kinds %d, want %d", kinds, want)
		}
	}
}

// Frames that come one after the other are a stream, which a pause does not end
// at once.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := idleLink(t, Config{})
		tr := l.tracks[0]
		frames := func(n int, apart, writing time.Duration) (streams int) {
			for range n {
				time.Sleep(apart)
				l.peer.wrote.Add(int64(writing))
				if tr.streamsLocked(l.peer, l.peer.now()) {
					streams++
				}
			}
			return streams
		}
		for _, step := range []struct {
			frames         int
			apart, writing time.Duration // writing directly, to whomever
			want           int           // of them of a stream
		}{
			{1000, streamGap, 0, 0}, {1000, 10 * time.Millisecond, 0, 0}, {streamAfter, 0, 0, 2}, {1, time.Second, 0, 0},
			{100, 0, 0, 94}, {1, 5 * time.Millisecond, 0, 1}, {1, 5 * time.Millisecond, 0, 0}, {20, time.Microsecond, 0, 13},
			{1, time.Second, 0, 0}, {1000, time.Millisecond, 900 * time.Microsecond, 0}, {100, time.Millisecond, time.Millisecond, 94},
			{1, time.Second, 0, 0}, {100, time.Millisecond, 2 * time.Millisecond, 94},
		} {
			if got := frames(step.frames, step.apart, step.writing); got != step.want {
				t.Errorf("of %d frames, each %v after the one before, %d are of a stream, want %d", step.frames, step.apart, got, step.want)
			}
		}
	})
}

// What a direct write left over goes first, from where it stopped.
func TestTurnBeginsWithTheRest(t *testing.T) {
	l, _ := idleLink(t, Config{})
	l.tracks[0].busy = true
	l.tracks[0].rest = &block{buf: []byte("written, not written"), off: 9}
	l.send(t.Context(), order{ln: urgent}, []byte("u"))
	var turn turn
	l.takeLocked(l.tracks[0], &turn)
	got := bytes.Join(turn.buffers, nil)
	if want := "not written\x00\x00\x00\x01\x08u"; string(got) != want {
		t.Errorf("the turn writes %q, want %q", got, want)
	}
	if l.takeLocked(l.tracks[0], &turn) {
		t.Error("there was a second turn")
	}
}

func TestQueueLimits(t *testing.T) {
	l, _ := idleLink(t, Config{QueueFrames: 15, QueueBytes: 1500})
	l.tracks[0].busy = true
	fill := func(ln lane, size int) (n int) {
		for l.send(t.Context(), order{ln: ln}, make([]byte, size)) == nil {
			n++
		}
		return n
	}
	if n := fill(urgent, 20); n != 10 {
		t.Errorf("the queue took %d small frames, want two thirds of QueueFrames", n)
	}
	if n := fill(normal, 295); n != 3 {
		t.Errorf("the queue took %d frames of 300 bytes, want 3 in two thirds of QueueBytes", n)
	}
	l, _ = idleLink(t, Config{QueueFrames: 10, QueueBytes: 1000})
	l.tracks[0].busy = true
	if n := fill(normal, 5000); n != 1 {
		t.Errorf("the queue took %d frames that are larger than QueueBytes, want 1", n)
	}
}

// Bulk that waits is taken first come first served: what would fit does not
// overtake what does not.
func TestBulkWaitsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := idleLink(t, Config{QueueFrames: 6, QueueBytes: 200 << 10})
		l.tracks[0].busy = true
		got := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		send := func(ctx context.Context, name string, size int) {
			go func() {
				if err := l.send(ctx, order{ln: bulk}, make([]byte, size)); err != nil {
					name += " " + err.Error()
				}
				got <- name
			}()
			synctest.Wait()
		}
		send(ctx, "first", 60<<10)
		if len(got) != 1 {
			t.Fatal("the queue was empty and did not take")
		}
		send(ctx, "large", 110<<10)
		send(t.Context(), "also small", 10)
		send(t.Context(), "small", 10)
		if len(got) != 1 {
			t.Fatalf("%d of 4 did not wait, want 1", len(got))
		}
		cancel() // then nobody is before the small ones
		synctest.Wait()
		if len(got) != 4 || l.queues[bulk].frames != 3 {
			t.Fatalf("%d are back and %d are queued, want 4 and 3", len(got), l.queues[bulk].frames)
		}
	})
}

func TestSendAfterClose(t *testing.T) {
	l, _ := idleLink(t, Config{})
	l.finish()
	if err := l.send(t.Context(), order{ln: urgent}, nil); !errors.Is(err, channel.ErrNoLink) {
		t.Errorf("send while finishing: %v, want ErrNoLink", err)
	}
	l.close(ErrSilent)
	l.close(ErrStalled)
	if err := l.send(t.Context(), order{ln: bulk}, nil); !errors.Is(err, channel.ErrNoLink) {
		t.Errorf("send when closed: %v, want ErrNoLink", err)
	}
	if l.ending() != ErrDraining {
		t.Errorf("the end's cause is %v, want the first: %v", l.ending(), ErrDraining)
	}
}
