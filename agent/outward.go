package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"kecho/agent/api"
	"kecho/agent/orca"
	"kecho/resmgr/monitor"
)

// What stands before an agent is told how busy it is: HAProxy by its agent
// check, and what reads ORCA by a field of each answer.

// outward is the load as others are told it. It is smoothed: what stands
// before asks every second or so, and one queue of a moment is no reason to
// send elsewhere.
type outward struct {
	load     atomic.Uint64            // float64 bits: of the places, smoothed
	field    atomic.Pointer[[]string] // the value of orca.Header, not written to; nil: not known yet
	requests uint64                   // owned by the load reports' loop, as the rest
	rejected uint64
	at       time.Time
}

// smoothing is the weight of one sample, of which there are ten a second: half
// of the load is that of the last second.
const smoothing = 0.07

// noteLoad takes a sample of how many of the places are taken.
func (a *Agent) noteLoad() {
	was := floatOf(&a.outward.load)
	setFloat(&a.outward.load, was+smoothing*(a.balancer.Stats().State.Load()-was))
}

// busy is how busy this node is, 1 is full: its places, its CPUs, or what its
// application says, whichever is worst.
func (a *Agent) busy() float64 {
	busy := floatOf(&a.outward.load)
	if cpu, ok := share(&a.report.cpu); ok {
		busy = max(busy, cpu)
	}
	if app, ok := a.gauges.Value(monitor.Key{Name: "app.utilization"}); ok {
		busy = max(busy, app)
	}
	return busy
}

// checkLine is the answer to HAProxy's agent check. It always says all that an
// earlier one may have changed: administrative state, health and weight.
func (a *Agent) checkLine() string {
	switch ready := a.isReady(); {
	case *a.state.Load() == api.Draining:
		return "drain\n"
	case !ready:
		return "down\n"
	}
	free := 100 - 100*min(a.busy(), 1)
	if s := a.balancer.Stats(); s.State.Overflow || !s.Upstream.Up {
		free = 1 // others do what comes
	}
	return fmt.Sprintf("up ready %d%%\n", int(max(free, 1)))
}

func (a *Agent) isReady() bool {
	for _, check := range a.checks() {
		if !check.OK {
			return false
		}
	}
	return true
}

// How an agent check is answered.
const (
	maxChecks   = 16 // at once
	checkWrite  = time.Second
	checkPause  = time.Second            // after one that could not be accepted
	checkLinger = 200 * time.Millisecond // for what the other side sends (agent-send)
)

// serveAgentCheck answers each connection with a line until ctx is done.
func (a *Agent) serveAgentCheck(ctx context.Context) error {
	l := a.socket.check
	if l == nil {
		<-ctx.Done()
		return nil
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var answering sync.WaitGroup
	defer answering.Wait()
	slots := make(chan struct{}, maxChecks)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("--agent-check: %w", err)
		case err != nil: // out of descriptors, most likely: it passes
			select {
			case <-time.After(checkPause):
			case <-ctx.Done():
			}
			continue
		}
		slots <- struct{}{}
		answering.Go(func() {
			a.answerCheck(conn)
			<-slots
		})
	}
}

func (a *Agent) answerCheck(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(checkWrite))
	if _, err := conn.Write([]byte(a.checkLine())); err != nil {
		return
	}
	// What is unread when a connection is closed resets it, and the line with
	// it.
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(checkLinger))
		_, _ = conn.Read(make([]byte, 512))
	}
}

// noteReport makes the field that answers carry, once a second.
func (a *Agent) noteReport(now time.Time) {
	if !a.cfg.ORCA {
		return
	}
	s, o := a.balancer.Stats(), &a.outward
	requests, rejected := s.Local+s.Received+s.Forwarded+s.Rejected, s.Rejected
	busy := a.busy()
	r := orca.Report{CPU: pointer(&a.report.cpu), Memory: pointer(&a.report.memory), Application: &busy}
	if seconds := now.Sub(o.at).Seconds(); !o.at.IsZero() && seconds > 0 {
		rps, eps := float64(requests-o.requests)/seconds, float64(rejected-o.rejected)/seconds
		r.RPS, r.EPS = &rps, &eps
	}
	o.at, o.requests, o.rejected = now, requests, rejected
	o.field.Store(&[]string{r.Text()})
}

// announcer is what puts the field on each answer where --orca asks for it; nil:
// nothing.
func (a *Agent) announcer() func() (name string, values []string) {
	if !a.cfg.ORCA {
		return nil
	}
	return func() (name string, values []string) {
		if value := a.outward.field.Load(); value != nil {
			return orca.Header, *value
		}
		return "", nil
	}
}
