package e2e

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

func TestKilledPeerLosesNothing(t *testing.T) {
	nodes := cluster(t, loopbacksFor(3))
	owner, victim := nodes[0], nodes[1]
	traffic := send(t, owner.machine, owner.url(frontPort), hot)
	victim.working(t)

	victim.agent.kill()
	owner.unlinked(t, victim.name)
	time.Sleep(2 * time.Second) // and it goes on without the victim

	// The same name and addresses, another life: it is used again.
	victim.start(t)
	victim.ready(t)
	owner.linked(t, victim.name)
	victim.receives(t)
	traffic.lossless(t)
}

// A peer that is paused says nothing and closes nothing, as one that swaps or
// is moved to another machine does.
func TestPausedPeerLosesNothing(t *testing.T) {
	nodes := cluster(t, loopbacksFor(3))
	owner, victim := nodes[0], nodes[1]
	traffic := send(t, owner.machine, owner.url(frontPort), hot)
	victim.working(t)

	signal(t, victim.agent, syscall.SIGSTOP)
	owner.unlinked(t, victim.name)
	signal(t, victim.agent, syscall.SIGCONT)
	owner.linked(t, victim.name)
	victim.receives(t)
	traffic.lossless(t)
}

func signal(t testing.TB, p *process, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func TestStoppedPeerLosesNothing(t *testing.T) {
	nodes := cluster(t, loopbacksFor(3))
	owner, leaver := nodes[0], nodes[2]
	traffic := send(t, owner.machine, owner.url(frontPort), hot)
	leaver.working(t)
	if code := leaver.agent.stop(t, startPatience); code != 0 {
		t.Errorf("%s ended with exit code %d", leaver.name, code)
	}
	owner.unlinked(t, leaver.name)
	traffic.lossless(t)
}

// The owner drains: what is in flight, also at peers, is finished first.
func TestStoppedOwnerFinishesWhatItHas(t *testing.T) {
	nodes := cluster(t, loopbacksFor(2))
	owner := nodes[0]
	const clients = 3 * workers
	results := make(chan error, clients)
	for range clients {
		go func() {
			// A body of a few megabytes, so that some are still being sent.
			_, err := owner.get(owner.url(frontPort) + "/big?bytes=4000000")
			results <- err
		}()
	}
	eventually(t, startPatience, "a request is at the peer", func() error {
		if owner.requests(t, "forwarded")+owner.requests(t, "local")+owner.metric(t, "kecho_in_flight", "") < clients {
			return fmt.Errorf("fewer than %d requests have come in", clients)
		}
		return nil
	})
	if code := owner.agent.stop(t, startPatience); code != 0 {
		t.Errorf("%s ended with exit code %d", owner.name, code)
	}
	for range clients {
		if err := <-results; err != nil {
			t.Errorf("a request that was in flight failed: %v", err)
		}
	}
}

// With its own web server gone, everything overflows; and it comes back when
// the server does.
func TestDeadUpstreamOverflows(t *testing.T) {
	nodes := cluster(t, loopbacksFor(3))
	owner := nodes[0]
	traffic := send(t, owner.machine, owner.url(frontPort), hot/2)
	owner.web.kill()
	for _, n := range nodes[1:] {
		n.receives(t)
	}
	time.Sleep(2 * time.Second)
	owner.startWeb(t)
	eventually(t, settlePatience, "the server that is back serves again", func() error {
		if owner.served(t) == 0 {
			return errors.New("it has served nothing")
		}
		return nil
	})
	// Requests that the server had when it died may have been worked on; GET
	// may be repeated, so those too are answered by a peer.
	traffic.lossless(t)
}
