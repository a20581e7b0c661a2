package link

import (
	"slices"
	"testing"
	"testing/synctest"
)

// Bulk waits in the order of its own share. The first of a share that has
// nothing queued waits for the queue alone, and nobody overtakes it.
func TestBulkWaitsBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := idleLink(t, Config{QueueFrames: 100, QueueBytes: 300 << 10})
		tr := l.tracks[0]
		tr.busy = true
		got := make(chan string, 10)
		send := func(name string, share uint8, size int) {
			t.Helper()
			go func() {
				if err := l.send(t.Context(), order{ln: bulk, share: share}, make([]byte, size)); err != nil {
					t.Error(err)
				}
				got <- name
			}()
			synctest.Wait()
		}
		taken := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var names []string
			for len(got) > 0 {
				names = append(names, <-got)
			}
			slices.Sort(names) // those of one turn return in any order
			if !slices.Equal(names, want) {
				t.Errorf("%q were taken, want %q", names, want)
			}
		}
		send("a1", 1, 63<<10)
		send("a2", 1, 63<<10)
		send("a3", 1, 63<<10)
		send("a4", 1, 63<<10) // 252 KiB would be more than twice the 48 KiB left
		send("b1", 2, 63<<10)
		taken("a1", "a2", "a3", "b1")
		send("c1", 3, 63<<10) // 15 KiB are left of all
		send("d1", 4, 10)     // has room, but so c1 might never have
		taken()
		var turn turn
		l.takeLocked(tr, &turn)
		taken("c1", "d1") // a1 has gone; a2 to a4 would be more than twice what is left
		l.takeLocked(tr, &turn)
		taken()
		l.takeLocked(tr, &turn)
		taken("a4") // the first of its share now
		if n := len(l.waiting.list); n != 0 || l.waiting.shares != 0 || l.waiting.next {
			t.Errorf("%d wait, of shares %b", n, l.waiting.shares)
		}
	})
}

// What one share may have of a queue depends on what the others have.
func TestSharesOfAQueue(t *testing.T) {
	limits := &Config{QueueFrames: 1536, QueueBytes: 6 << 20}
	for _, n := range []int{1, 2, 5, 31} {
		var bs blocks
		var q queue
		for took := true; took; {
			took = false
			for share := range uint8(n) {
				if q.fits(limits, share, nil) {
					q.push(&bs, kindNormal, share, 0, nil)
					took = true
				}
			}
		}
		left := 0
		for q.fits(limits, 63, nil) && left < 2000 {
			q.push(&bs, kindNormal, 63, 0, nil)
			left++
		}
		// It may have two thirds of the free part by the same rule.
		if want := 1536 / (2*n + 1) * 2 / 3; left < want-1 || left > want+2 {
			t.Errorf("beside %d that flood another share has room for %d frames, want %d", n, left, want)
		}
		for len(q.blocks) > 0 {
			for _, b := range q.pop(nil, 1) {
				bs.put(b)
			}
		}
		if q.shares != (shares{}) {
			t.Errorf("the empty queue counts shares %v", q.shares)
		}
	}
}
