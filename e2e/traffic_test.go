package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"kecho/cmd/kecho/demo"
)

// traffic is requests that come in at a steady rate until it is stopped.
type traffic struct {
	stopped context.CancelFunc
	rounds  sync.WaitGroup

	mu    sync.Mutex
	total demo.Result // guarded by mu
	err   error       // guarded by mu
}

// round is how long one load of a traffic sends. Rounds follow each other in
// time, and each waits for its own answers, so no request is forgotten.
const round = time.Second

// send starts GET requests from a machine to url, rate a second.
func send(t testing.TB, from machine, url string, rate float64) *traffic {
	t.Helper()
	transport := from.transport(t)
	ctx, cancel := context.WithCancel(t.Context())
	tr := &traffic{stopped: cancel, total: demo.Result{
		ByStatus: map[int]int{}, ByFailure: map[string]int{}, ServedBy: map[string]int{},
	}}
	tr.rounds.Go(func() {
		tick := time.NewTicker(round)
		defer tick.Stop()
		for ctx.Err() == nil {
			tr.rounds.Go(func() {
				tr.add(sendRound(t.Context(), transport, url, rate))
			})
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); tr.rounds.Wait() })
	return tr
}

func sendRound(ctx context.Context, via http.RoundTripper, url string, rate float64) (demo.Result, error) {
	load, err := demo.NewLoad(demo.LoadConfig{
		Target: url, Rate: rate, Duration: round, Transport: via,
		// What is lost must not be mistaken for what is slow on a machine that
		// runs other tests too: a lost request fails or never ends.
		Timeout: 20 * time.Second,
	})
	if err != nil {
		return demo.Result{}, err
	}
	return load.Run(ctx)
}

func (tr *traffic) add(r demo.Result, err error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err != nil {
		tr.err = err
	}
	tr.total.Sent += r.Sent
	tr.total.OK += r.OK
	tr.total.Errors += r.Errors
	for k, v := range r.ByStatus {
		tr.total.ByStatus[k] += v
	}
	for k, v := range r.ByFailure {
		tr.total.ByFailure[k] += v
	}
	for k, v := range r.ServedBy {
		tr.total.ServedBy[k] += v
	}
}

// stop sends no more, waits for the last answer and sums up.
func (tr *traffic) stop(t testing.TB) demo.Result {
	t.Helper()
	tr.stopped()
	tr.rounds.Wait()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.err != nil {
		t.Fatal(tr.err)
	}
	t.Logf("%d sent, %d ok, %d errors; status %v, failures %v, served by %v", tr.total.Sent, tr.total.OK,
		tr.total.Errors, tr.total.ByStatus, tr.total.ByFailure, tr.total.ServedBy)
	return tr.total
}

// lossless stops the traffic and fails the test when a request has failed.
func (tr *traffic) lossless(t testing.TB) demo.Result {
	t.Helper()
	r := tr.stop(t)
	if r.Errors > 0 || r.OK != r.Sent || r.Sent == 0 {
		t.Errorf("%d of %d requests failed: status %v, failures %v", r.Errors, r.Sent, r.ByStatus, r.ByFailure)
	}
	return r
}

// receives waits until a node's agent has received more requests from peers
// than it has now.
func (n *node) receives(t testing.TB) {
	t.Helper()
	before := n.requests(t, "received")
	eventually(t, settlePatience, n.name+" gets overflow", func() error {
		if now := n.requests(t, "received"); now <= before {
			return fmt.Errorf("%v requests received, as before", now)
		}
		return nil
	})
}

// working waits until the node's agent has something to do that came from a
// peer: what is done to it then is done to requests, not to an idle process.
func (n *node) working(t testing.TB) {
	t.Helper()
	n.receives(t)
	deadline := time.Now().Add(settlePatience)
	for n.metric(t, "kecho_in_flight", "") == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%s has nothing to do", n.name)
		}
		// A request is there for 38 ms: looking every 50 would miss most.
		time.Sleep(2 * time.Millisecond)
	}
}
