package link

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// A node that learns of many peers dials so many at once, and no dial's time
// begins before it does: each of these takes almost as long as it may.
func TestDialsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most, dialed := 0, 0, 0
		h := newHamlet(t, 1, Config{})
		h.pools[0].cfg.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
			mu.Lock()
			now++
			dialed++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(900 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			now--
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("dial %d began with less than its time", dialed)
			}
			return nil, errors.New("nobody there")
		}
		serve(t, h.pools[0], newLogged())
		h.pools[0].SetPeers(many(1000))
		time.Sleep(14 * time.Second) // 16 times 64 dials
		mu.Lock()
		defer mu.Unlock()
		if most != maxDialing || dialed < 896 {
			t.Errorf("%d dials in 14 s, at most %d at once, want all 1,000 or nearly so, and %d", dialed, most, maxDialing)
		}
	})
}

// Peers that are gone do not keep a new one waiting for longer than one dial.
func TestNewPeersDialFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tried := make(chan time.Time, 1)
		h := newHamlet(t, 1, Config{})
		h.pools[0].cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			if addr == "new" {
				select {
				case tried <- time.Now():
				default:
				}
				return nil, errors.New("nobody there")
			}
			<-ctx.Done() // its host is off
			return nil, ctx.Err()
		}
		serve(t, h.pools[0], newLogged())
		gone := many(500)
		h.pools[0].SetPeers(gone)
		time.Sleep(time.Minute)
		came := time.Now()
		h.pools[0].SetPeers(append(gone, Peer{ID: 9999, Name: "new", Addr: "new"}))
		if waited := (<-tried).Sub(came); waited > 1100*time.Millisecond {
			t.Errorf("a new peer waited %v for its dial, want 1.1 s at most", waited)
		}
	})
}

// Whose context is done leaves the line and does not lose a place.
func TestPlacesLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p places
		for range maxDialing {
			if err := p.enter(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		var order []string
		var wg sync.WaitGroup
		wait := func(name string, failed bool) context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				if p.enter(ctx, failed) == nil {
					order = append(order, name)
				}
			})
			synctest.Wait()
			return cancel
		}
		wait("failed", true)
		cancel := wait("cancelled", false)
		wait("first", false)
		cancel()
		synctest.Wait()
		for range 2 {
			p.leave()
			synctest.Wait()
		}
		if want := []string{"first", "failed"}; !slices.Equal(order, want) {
			t.Errorf("places went to %q, want %q", order, want)
		}
		for range maxDialing {
			p.leave()
		}
		if p.taken != 0 {
			t.Errorf("%d places are taken after all have left", p.taken)
		}
		wg.Wait()
	})
}

func many(n int) (peers []Peer) {
	for i := range n {
		peers = append(peers, Peer{ID: channel.NodeID(1000 + i), Name: nameOf(i), Addr: "somewhere"})
	}
	return peers
}
