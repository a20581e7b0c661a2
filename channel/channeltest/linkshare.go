package channeltest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"kecho/channel"
)

// floodShares has that many shares send what the link to node 1 takes of p,
// in turn, until it takes none of any.
func (w *linksWorld) floodShares(p channel.Priority, shares int) (sent int) {
	w.t.Helper()
	for refused := 0; refused < shares; {
		refused = 0
		for share := range shares {
			how := channel.Handling{Priority: p, Share: uint8(1 + share), Try: true}
			switch err := w.Links[0].Send(w.t.Context(), w.ids(1), how, make([]byte, 8<<10)); {
			case err == nil:
				sent++
			case errors.Is(err, channel.ErrQueueFull):
				refused++
			default:
				w.t.Fatalf("send %v of share %d: %v", p, share, err)
			}
		}
		if sent > 100_000 {
			w.t.Fatalf("%d frames of %v were taken and nobody reads", sent, p)
		}
	}
	return sent
}

// quiet sends n small frames of a share that does not flood, and fails when one
// has to wait.
func (w *linksWorld) quiet(p channel.Priority, flooding, n int) {
	w.t.Helper()
	how := channel.Handling{Priority: p, Share: channel.Shares - 1, Try: true}
	for i := range n {
		if err := w.Links[0].Send(w.t.Context(), w.ids(1), how, make([]byte, 1<<10)); err != nil {
			w.t.Errorf("%v frame %d beside %d that flood: %v", p, i, flooding, err)
			return
		}
	}
}

// Who floods a link that stands leaves room for others, whatever the priority.
func linksShares(t *testing.T, make MakeLinks) {
	for _, flooding := range []int{1, 4, 30} {
		w := startLinks(t, make, 2, forever)
		w.link(0, 1)
		open := w.ends[1].shut()
		const few = 8
		total := 0
		for _, p := range priorities {
			total += w.floodShares(p, flooding) + few
			w.quiet(p, flooding, few)
		}
		open()
		w.ends[1].await(w.ids(0), total)
	}
}

// Bulk that waits for room in one share keeps no other share waiting.
func linksSharesWait(t *testing.T, make MakeLinks) {
	w := startLinks(t, make, 2, forever)
	w.link(0, 1)
	open := w.ends[1].shut()
	defer open()
	sent := w.floodShares(channel.Bulk, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	const waiting = 20
	frame := bytes.Repeat([]byte("x"), 8<<10)
	for range waiting {
		wg.Go(func() {
			how := channel.Handling{Priority: channel.Bulk, Share: 1}
			if err := w.Links[0].Send(ctx, w.ids(1), how, frame); err != nil && ctx.Err() == nil {
				t.Errorf("bulk that waits: %v", err)
			}
		})
	}
	const few = 8
	w.quiet(channel.Bulk, 1, few)
	open()
	w.ends[1].await(w.ids(0), sent+waiting+few)
}
