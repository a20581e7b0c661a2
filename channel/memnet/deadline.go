package memnet

import (
	"sync"
	"time"
)

// deadline is of who waits on a condition, and guarded by its lock.
type deadline struct {
	expired bool
	timer   *time.Timer
	set     int // how often it was set: a timer of an earlier time is stale
}

// resetLocked makes t the time from which on d is expired; the zero time calls
// it off. Who waits on changed is woken now and then.
func (d *deadline) resetLocked(t time.Time, changed *sync.Cond) {
	d.stop()
	d.set++
	d.expired = !t.IsZero() && !t.After(time.Now())
	changed.Broadcast()
	if t.IsZero() || d.expired {
		return
	}
	set := d.set
	d.timer = time.AfterFunc(time.Until(t), func() {
		changed.L.Lock()
		defer changed.L.Unlock()
		if d.set == set {
			d.expired = true
			changed.Broadcast()
		}
	})
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
