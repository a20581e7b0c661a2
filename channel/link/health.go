package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// watch pings every link and judges every peer, until ctx is done. It looks
// four times a ping interval, so that a dead peer is noticed at most a quarter
// of one late and pings do not leave in one burst.
func (p *Pool) watch(ctx context.Context) {
	period := max(p.cfg.PingInterval/4, time.Millisecond)
	tick := time.NewTicker(period)
	defer tick.Stop()
	last := p.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := p.now()
		// When this loop itself was held up (a starved host, a stopped
		// process), the readers were too: what came meanwhile is not read yet,
		// and nobody is judged before they had a turn.
		late := time.Duration(now-last) > p.cfg.DeadAfter/2
		last = now
		p.look(now, late)
	}
}

// look judges every peer, unless it is late itself, and pings those that live.
func (p *Pool) look(now int64, late bool) {
	for _, l := range p.table.Load().All() {
		if cause := l.judge(now, p.cfg.DeadAfter); cause != nil && !late {
			l.close(cause)
			continue
		}
		l.ping(now, p.cfg.PingInterval)
	}
}

// judge is why the link must end now, or nil.
func (l *link) judge(now int64, deadAfter time.Duration) error {
	if silent := time.Duration(now - l.heard.Load()); silent >= deadAfter {
		return fmt.Errorf("%w: nothing heard for %v", ErrSilent, silent.Round(time.Millisecond))
	}
	for _, tr := range l.tracks {
		since := tr.writing.Load()
		if stuck := time.Duration(now - since); since != 0 && stuck >= deadAfter {
			return fmt.Errorf("%w: one write has taken %v so far", ErrStalled, stuck.Round(time.Millisecond))
		}
	}
	return nil
}

// ping sends a ping if the last one is an interval old.
func (l *link) ping(now int64, interval time.Duration) {
	if last := l.pinged.Load(); last != 0 && time.Duration(now-last) < interval {
		return
	}
	l.pinged.Store(now)
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(now))
	l.control(kindPing, stamp[:])
}
