package channeltest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kecho/channel"
)

// LinksNet is some nodes of one implementation of channel.Links, which do not
// serve yet and know of nobody, and what the suite does to the network between
// them. It names nodes by their index.
type LinksNet struct {
	IDs   []channel.NodeID
	Links []channel.Links
	// Introduce tells a and b of each other, in addition to whom they know.
	Introduce func(a, b int)
	// Break ends the connections between a and b at both ends. They may make
	// another at once.
	Break func(a, b int)
	// Stall lets nothing pass between a and b, and tells nobody, until Heal.
	Stall func(a, b int)
	Heal  func()
}

// MakeLinks makes n nodes for the suite. A peer is taken for dead when nothing
// was heard from it for deadAfter; zero is the implementation's default. What
// it makes ends with the test.
type MakeLinks func(t testing.TB, n int, deadAfter time.Duration) *LinksNet

// TestLinks holds an implementation to the contract of channel.Links and of
// channel.Receiver. Each run wraps one test: with synctest.Test for links in
// memory, with func(t *testing.T, test func(*testing.T)) { test(t) } for
// others.
func TestLinks(t *testing.T, run func(*testing.T, func(*testing.T)), make MakeLinks) {
	for _, c := range []struct {
		name string
		test func(*testing.T, MakeLinks)
	}{
		{"delivers frames of every size whole", linksSizes},
		{"keeps the order of each priority", linksOrder},
		{"has one link for each pair", linksOne},
		{"knows whom it has no link to", linksNone},
		{"refuses at once when a queue is full", linksFull},
		{"lets bulk wait for room", linksPressure},
		{"has room for one share while others flood", linksShares},
		{"lets no share wait for another", linksSharesWait},
		{"lets urgent frames overtake", linksOvertake},
		{"drops what is late", linksLate},
		{"ends a wait when the link ends", linksDownWhileWaiting},
		{"comes back after a reset", linksReset},
		{"notices a peer that is mute", linksMute},
		{"closes the link of who breaks the protocol", linksProtocol},
		{"writes what it took before it ends", linksEnd},
		{"carries many links", linksMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T) { c.test(t, make) })
		})
	}
}

// forever is a deadAfter for tests that stop a reader.
const forever = 10 * time.Minute

func linksSizes(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, 0)
	w.link(0, 1)
	sizes := []int{0, 1, 100, 4096, 16<<10 - 5, 16 << 10, 64 << 10, 64<<10 + 1, channel.MaxFrame, 3, channel.MaxFrame, 0}
	for i, n := range sizes {
		w.send(0, 1, channel.Bulk, bytes.Repeat([]byte{byte(i)}, n))
	}
	for i, got := range w.ends[1].await(w.ids(0), len(sizes)) {
		if want := bytes.Repeat([]byte{byte(i)}, sizes[i]); !bytes.Equal(got, want) {
			t.Errorf("frame %d has %d bytes, or others, want %d", i, len(got), len(want))
		}
	}
	err := w.Links[0].Send(t.Context(), w.ids(1), channel.Handling{Priority: channel.Normal}, bytes.Repeat([]byte{0}, channel.MaxFrame+1))
	if !errors.Is(err, channel.ErrTooLarge) {
		t.Errorf("one byte more than MaxFrame: %v, want ErrTooLarge", err)
	}
	w.send(0, 1, channel.Normal, []byte("after"))
	w.ends[1].await(w.ids(0), len(sizes)+1)
}

func linksOrder(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, 0)
	w.link(0, 1)
	const n = 3000
	var wg sync.WaitGroup
	for _, p := range priorities {
		wg.Go(func() {
			for i := range n {
				w.send(0, 1, p, numbered(p, i, 10+i%500))
			}
		})
	}
	wg.Wait()
	inOrder(t, w.ends[1].await(w.ids(0), 3*n))
}

func linksOne(t *testing.T, make MakeLinks) {
	const n = 8
	w := startLinks(t, make, n, 0)
	var wg sync.WaitGroup
	for a := range n {
		for b := range a {
			wg.Go(func() { w.Introduce(a, b) }) // both may dial at once
		}
	}
	wg.Wait()
	for a := range n {
		for b := range n {
			if a != b {
				w.ends[a].awaitUp(w.ids(b), 1)
			}
		}
	}
	for a := range n {
		for b := range n {
			if a != b {
				w.send(a, b, channel.Normal, []byte{byte(a)})
				w.ends[b].await(w.ids(a), 1)
			}
		}
	}
	for a, end := range w.ends {
		for b := range n {
			if ups, _ := end.counts(w.ids(b)); a != b && ups != 1 {
				t.Errorf("node %d told %d times that node %d is up, want once", a, ups, b)
			}
		}
	}
}

func linksNone(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 3, 0)
	w.link(0, 1)
	for _, to := range []channel.NodeID{w.ids(2), w.ids(0), 12345} {
		for _, p := range priorities {
			if err := w.Links[0].Send(t.Context(), to, channel.Handling{Priority: p}, []byte("x")); !errors.Is(err, channel.ErrNoLink) {
				t.Errorf("send %v to node %v: %v, want ErrNoLink", p, to, err)
			}
		}
	}
}

func linksFull(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, forever)
	w.link(0, 1)
	open := w.ends[1].shut()
	defer open()
	sent := map[channel.Priority]int{}
	for _, p := range []channel.Priority{channel.Normal, channel.Urgent} {
		for ; ; sent[p]++ {
			err := w.Links[0].Send(t.Context(), w.ids(1), channel.Handling{Priority: p}, numbered(p, sent[p], 30<<10))
			if errors.Is(err, channel.ErrQueueFull) {
				break
			}
			if err != nil || sent[p] > 10_000 {
				t.Fatalf("%v frame %d: %v, want ErrQueueFull some time", p, sent[p], err)
			}
		}
	}
	open()
	inOrder(t, w.ends[1].await(w.ids(0), sent[channel.Normal]+sent[channel.Urgent]))
}

func linksPressure(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, forever)
	w.link(0, 1)
	open := w.ends[1].shut()
	defer open()
	const n = 1000 // of 30 KiB: more than any buffers between the two
	taken := w.bulk(t.Context(), n)
	ctx, cancel := context.WithCancelCause(t.Context())
	late := w.waiting(ctx, taken)
	mine := errors.New("my own reason")
	cancel(mine)
	if err := <-late; !errors.Is(err, mine) {
		t.Errorf("a wait whose context was cancelled: %v, want the cause", err)
	}
	open()
	for range n {
		if err := <-taken; err != nil {
			t.Fatalf("bulk: %v", err)
		}
	}
	inOrder(t, w.ends[1].await(w.ids(0), n))
}

func linksOvertake(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, forever)
	w.link(0, 1)
	open := w.ends[1].shut()
	defer open()
	const n = 1000
	before := w.halted(w.bulk(t.Context(), n))
	w.send(0, 1, channel.Normal, numbered(channel.Normal, 0, 100))
	w.send(0, 1, channel.Urgent, numbered(channel.Urgent, 0, 100))
	open()
	frames := w.ends[1].await(w.ids(0), n+2)
	for i, f := range frames {
		if p := priorityOf(f); p != channel.Bulk && i > before-10 {
			t.Errorf("the %v frame came as number %d, behind the bulk that waited: %d were taken before", p, i, before)
		}
	}
	inOrder(t, frames)
}

func linksLate(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, forever)
	w.link(0, 1)
	open := w.ends[1].shut()
	defer open()
	const n = 1000
	w.halted(w.bulk(t.Context(), n))
	// Where normal has a stream of its own, bulk does not hold it up.
	const before = 60 // of 30 KiB: less than the queue, more than a stream takes
	for i := range before {
		w.send(0, 1, channel.Normal, numbered(channel.Normal, i, 30<<10))
	}
	for i := range 6 {
		due := time.Now().Add([]time.Duration{time.Millisecond, time.Hour}[i%2])
		if err := w.Links[0].Send(t.Context(), w.ids(1), channel.Handling{Priority: channel.Normal, Due: due}, numbered(channel.Normal, before+i/2, 100)); err != nil {
			t.Fatal(err)
		}
	}
	w.send(0, 1, channel.Normal, numbered(channel.Normal, before+3, 100))
	time.Sleep(10 * time.Millisecond)
	open()
	frames := w.ends[1].await(w.ids(0), n+before+4)
	time.Sleep(10 * time.Millisecond)
	if more := w.ends[1].await(w.ids(0), n+before+4); len(more) > n+before+4 {
		t.Errorf("%d frames arrived that were late", len(more)-n-before-4)
	}
	inOrder(t, frames)
}

func linksDownWhileWaiting(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, forever)
	w.link(0, 1)
	open := w.ends[1].shut()
	defer open()
	taken := w.bulk(t.Context(), 1000)
	late := w.waiting(t.Context(), taken)
	w.Break(0, 1)
	if err := <-late; !errors.Is(err, channel.ErrNoLink) {
		t.Errorf("a wait whose link was lost: %v, want ErrNoLink", err)
	}
	w.ends[0].awaitDown(w.ids(1), 1)
}

func linksReset(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 3, 0)
	w.link(0, 1)
	w.link(0, 2)
	for i := range 3 {
		w.Break(0, 1)
		w.ends[0].awaitDown(w.ids(1), 1+i)
		w.ends[1].awaitDown(w.ids(0), 1+i)
		w.ends[0].awaitUp(w.ids(1), 2+i)
		w.ends[1].awaitUp(w.ids(0), 2+i)
		w.send(0, 1, channel.Normal, []byte("hello again"))
		w.ends[1].await(w.ids(0), 1+i)
	}
	if _, downs := w.ends[0].counts(w.ids(2)); downs != 0 {
		t.Error("a link that was not touched went down")
	}
}

func linksMute(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 3, time.Second)
	w.link(0, 1)
	w.link(0, 2)
	w.Stall(0, 1)
	w.ends[0].awaitDown(w.ids(1), 1)
	w.ends[1].awaitDown(w.ids(0), 1)
	if err := w.Links[0].Send(t.Context(), w.ids(1), channel.Handling{Priority: channel.Normal}, []byte("x")); !errors.Is(err, channel.ErrNoLink) {
		t.Errorf("send to a node that is mute: %v, want ErrNoLink", err)
	}
	w.Heal()
	w.ends[0].awaitUp(w.ids(1), 2)
	w.ends[1].awaitUp(w.ids(0), 2)
	w.send(1, 0, channel.Urgent, []byte("back"))
	w.ends[0].await(w.ids(1), 1)
	w.send(0, 2, channel.Urgent, []byte("and you?"))
	w.ends[2].await(w.ids(0), 1)
}

func linksProtocol(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 3, 0)
	w.link(0, 1)
	w.link(0, 2)
	w.send(1, 0, channel.Normal, []byte(nonsense))
	cause := w.ends[0].awaitDown(w.ids(1), 1)
	if !errors.Is(cause, errNonsense) {
		t.Errorf("the link of who broke the protocol went down because of %v, want %v", cause, errNonsense)
	}
	w.ends[1].awaitDown(w.ids(0), 1)
	w.send(2, 0, channel.Normal, []byte("sense"))
	w.ends[0].await(w.ids(2), 1)
	w.ends[0].awaitUp(w.ids(1), 2)
}

func linksEnd(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 3, 0)
	w.link(0, 1)
	w.link(0, 2)
	const n = 300
	for i := range n {
		w.send(0, 1, channel.Bulk, numbered(channel.Bulk, i, 10<<10))
	}
	w.end(0)
	if cause := w.ends[1].awaitDown(w.ids(0), 1); cause == nil {
		t.Error("LinkDown without a cause")
	}
	w.ends[2].awaitDown(w.ids(0), 1)
	for _, peer := range []int{1, 2} {
		if ups, downs := w.ends[0].counts(w.ids(peer)); ups != downs {
			t.Errorf("Serve returned after %d LinkUp and %d LinkDown", ups, downs)
		}
	}
	inOrder(t, w.ends[1].await(w.ids(0), n))
	if err := w.Links[0].Send(t.Context(), w.ids(1), channel.Handling{Priority: channel.Normal}, []byte("x")); !errors.Is(err, channel.ErrNoLink) {
		t.Errorf("send after the end: %v, want ErrNoLink", err)
	}
}

func linksMany(t *testing.T, make MakeLinks) {
	n := 1000
	if raceIsOn { // a handshake with keys takes ten times as long
		n = 100
	}
	w := startLinks(t, make, n+1, 0)
	for i := 1; i <= n; i++ {
		w.Introduce(0, i)
	}
	for i := 1; i <= n; i++ {
		w.ends[0].awaitUp(w.ids(i), 1)
		w.ends[i].awaitUp(w.ids(0), 1)
	}
	for i := 1; i <= n; i++ {
		w.send(0, i, channel.Normal, []byte("ping"))
	}
	for i := 1; i <= n; i++ {
		w.ends[i].await(w.ids(0), 1)
		w.send(i, 0, channel.Normal, []byte("pong"))
	}
	for i := 1; i <= n; i++ {
		w.ends[0].await(w.ids(i), 1)
	}
}

var priorities = []channel.Priority{channel.Urgent, channel.Normal, channel.Bulk}

// numbered is a frame of size bytes that says its priority and its number.
func numbered(p channel.Priority, i, size int) []byte {
	b := bytes.Repeat([]byte{byte(i)}, max(size, 5))
	b[0] = byte(p)
	binary.BigEndian.PutUint32(b[1:], uint32(i))
	return b
}

func priorityOf(frame []byte) channel.Priority { return channel.Priority(int8(frame[0])) }

// inOrder checks that the numbered frames of each priority come in the order
// of their numbers, without a gap, and with their bytes.
func inOrder(t *testing.T, frames [][]byte) {
	t.Helper()
	next := map[channel.Priority]int{}
	for _, f := range frames {
		p := priorityOf(f)
		if !bytes.Equal(f, numbered(p, next[p], len(f))) {
			t.Fatalf("%v frame %d of %d bytes is not what was sent", p, next[p], len(f))
		}
		next[p]++
	}
}

// errNonsense is what the suite's receiver says of the frame that breaks its
// protocol.
var errNonsense = fmt.Errorf("the frame says %q", nonsense)

const nonsense = "nonsense"
