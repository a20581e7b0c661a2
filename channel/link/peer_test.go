package link

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// dials is a Config.Dial that keeps the times and lets the test answer.
type dials struct {
	mu     sync.Mutex
	at     []time.Time
	addrs  []string
	answer func(net.Conn) // nil: the dial fails
	wg     sync.WaitGroup
}

func (d *dials) dial(_ context.Context, addr string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.addrs = append(d.at, time.Now()), append(d.addrs, addr)
	if d.answer == nil {
		return nil, errors.New("nobody there")
	}
	near, far := net.Pipe()
	d.wg.Go(func() {
		defer far.Close()
		d.answer(far)
	})
	return near, nil
}

func (d *dials) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.at)
}

// longest is the longest wait between two dials.
func (d *dials) longest() (longest time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 1; i < len(d.at); i++ {
		longest = max(longest, d.at[i].Sub(d.at[i-1]))
	}
	return longest
}

// dialer is a hamlet of one pool whose dials d answers.
func dialer(t testing.TB, d *dials) (*Pool, *logged) {
	h := newHamlet(t, 1, Config{})
	h.pools[0].cfg.Dial = d.dial
	end := newLogged()
	serve(t, h.pools[0], end)
	t.Cleanup(d.wg.Wait)
	return h.pools[0], end
}

// refuser answers each hello with a refusal.
func refuser(c code) func(net.Conn) {
	return func(conn net.Conn) {
		readControl(conn)
		conn.Write(appendFrame(nil, kindRefuse, (&refusal{c, "no"}).append(nil)))
	}
}

func TestRedialWaits(t *testing.T) {
	for what, c := range map[string]struct {
		answer   func(net.Conn)
		min, max int // dials in two minutes
		longest  time.Duration
	}{
		"nobody there":       {nil, 30, 80, 5 * time.Second},
		"unknown":            {refuser(codeUnknown), 800, 1200, 250 * time.Millisecond},
		"crossed":            {refuser(codeCrossed), 200, 320, time.Second},
		"another cluster":    {refuser(codeCluster), 30, 80, 5 * time.Second},
		"another version":    {refuser(codeVersion), 30, 80, 5 * time.Second},
		"hangs up":           {func(net.Conn) {}, 30, 80, 5 * time.Second},
		"says nothing, ever": {func(c net.Conn) { readControl(c); readControl(c) }, 18, 40, 7 * time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &dials{answer: c.answer}
				p, _ := dialer(t, d)
				p.SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "a"}})
				time.Sleep(2 * time.Minute)
				if n := d.count(); n < c.min || n > c.max {
					t.Errorf("%d dials in two minutes, want %d to %d", n, c.min, c.max)
				}
				if l := d.longest(); l > c.longest || l < c.longest/2 {
					t.Errorf("the longest wait was %v, want up to %v", l, c.longest)
				}
			})
		})
	}
}

func TestNewsOfAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dials{}
		p, _ := dialer(t, d)
		peer := Peer{ID: 7, Name: "web7", Addr: "a"}
		p.SetPeers([]Peer{peer})
		for range 20 {
			time.Sleep(time.Minute)
			before := d.count()
			p.SetPeers([]Peer{peer})
			synctest.Wait()
			if d.count() != before {
				t.Fatal("no news made it dial")
			}
			peer.Addr += "a"
			p.SetPeers([]Peer{peer})
			synctest.Wait()
			if n := d.count(); n == before || d.addrs[before] != peer.Addr {
				t.Fatalf("news of another address: %d dials, the last to %q, want one at once to %q", n-before, d.addrs[n-1], peer.Addr)
			}
			if failures := failuresOf(p, 7); failures != 1 {
				t.Fatalf("after news and one more failure %d failures count", failures)
			}
		}
		p.SetPeers(nil)
		synctest.Wait()
		if s := p.Stats(); len(s) != 0 {
			t.Errorf("a peer that is gone is still in the stats: %+v", s)
		}
		before := d.count()
		time.Sleep(time.Minute)
		if d.count() != before {
			t.Error("a peer that is gone is dialed")
		}
	})
}

func failuresOf(p *Pool, id channel.NodeID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers[id].failures
}

// Gossip is not health: a peer that SetPeers does not name any more keeps its
// link, but does not get another.
func TestForgottenPeerKeepsItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := guest(t, Config{DeadAfter: time.Hour})
		conn := h.hello(t, 9, hello7)
		<-end.up
		h.pools[0].SetPeers(nil)
		conn.Write(appendFrame(nil, kindNormal, []byte("still here")))
		if got := <-end.got; got != "still here" {
			t.Errorf("received %q", got)
		}
		if err := h.pools[0].Send(t.Context(), 7, channel.Handling{Priority: channel.Normal}, nil); err != nil {
			t.Errorf("send: %v", err)
		}
		conn.Close()
		<-end.down
		synctest.Wait()
		if s := h.pools[0].Stats(); len(s) != 0 {
			t.Errorf("the stats are %+v", s)
		}
		if no := refused(t, h.say(t, 9, greeting{from: 7, attempt: 2, name: "web7"}, 0)); no.code != codeUnknown {
			t.Errorf("its next hello is refused with code %d, want %d", no.code, codeUnknown)
		}
	})
}

// A dial to a peer that is forgotten ends at once.
func TestForgottenWhileDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan time.Time, 1)
		d := &dials{answer: func(c net.Conn) {
			readControl(c)
			readControl(c) // answers nothing
			closed <- time.Now()
		}}
		p, _ := dialer(t, d)
		p.SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "a"}})
		time.Sleep(time.Second)
		p.SetPeers(nil)
		if at := <-closed; !at.Equal(time.Now()) {
			t.Errorf("the connection was closed %v after the dial, want when the peer was forgotten", at.Sub(d.at[0]))
		}
	})
}

// After a goodbye a peer is dialed as if it had failed for long; after a link
// that was good, soon; after one that was not, as after a failed dial.
func TestRedialAfterALink(t *testing.T) {
	for what, c := range map[string]struct {
		then     func(net.Conn)
		first    time.Duration // upper bound of the first wait
		min, max int           // dials in ten minutes
	}{
		"bye":    {func(c net.Conn) { c.Write(appendFrame(nil, kindBye, nil)) }, 5 * time.Second, 180, 360},
		"broken": {func(net.Conn) {}, 50 * time.Millisecond, 180, 360},
		"good":   {pongFor(10 * time.Second), 50 * time.Millisecond, 55, 61},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &dials{answer: func(conn net.Conn) {
					readControl(conn)
					conn.Write(appendFrame(nil, kindWelcome, (&greeting{from: 7, name: "web7"}).append(nil)))
					c.then(conn)
				}}
				p, end := dialer(t, d)
				p.SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "a"}})
				<-end.down
				synctest.Wait()
				p.mu.Lock()
				if delay := p.peers[7].delay; delay != c.first {
					t.Errorf("the first wait is up to %v, want %v", delay, c.first)
				}
				p.mu.Unlock()
				time.Sleep(10 * time.Minute)
				if n := d.count(); n < c.min || n > c.max {
					t.Errorf("%d dials in ten minutes, want %d to %d", n, c.min, c.max)
				}
			})
		})
	}
}

// pongFor is a peer that is heard for so long.
func pongFor(d time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		for began := time.Now(); time.Since(began) < d; {
			if _, _, err := readControl(c); err != nil {
				return
			}
			c.Write(appendFrame(nil, kindPong, nil))
		}
	}
}

// Those who lose a node at the same moment must not all come back at the same
// moment, whatever they have heard of it before.
func TestRedialIsNeverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		d := &dials{}
		h.pools[0].cfg.Dial = d.dial
		end := newLogged()
		serve(t, h.pools[0], end)
		h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "a"}})
		h.hello(t, 9, hello7)
		again := hello7
		again.attempt++
		conn := h.hello(t, 9, again)
		time.Sleep(time.Minute)
		before := d.count()
		conn.Close()
		lost := time.Now()
		time.Sleep(time.Minute)
		if n := d.count(); n == before || d.at[before].Equal(lost) {
			t.Errorf("%d dials after the loss, the first at once", n-before)
		}
	})
}

func TestDialErrorsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{})
		stop := serve(t, h.pools[0], newLogged())
		h.pools[0].SetPeers([]Peer{
			{ID: 7, Name: "web7", Addr: h.host(5).IP() + ":1"},
			{ID: h.peers[0].ID, Name: "web0", Addr: "itself"}, {Name: "no id"},
		})
		time.Sleep(time.Minute)
		s := h.pools[0].Stats()
		want := "dial web7 at 10.0.0.6:1: dial tcp 10.0.0.6:1: connect: connection refused"
		if len(s) != 1 || s[0].Name != "web7" || s[0].LastError == nil || s[0].LastError.Error() != want {
			t.Errorf("stats are %+v, want one of web7 with the error %q", s, want)
		}
		stop()
		said := 0
		for line := range strings.Lines(h.log.String()) {
			if strings.Contains(line, "level=INFO") && strings.Contains(line, "connection refused") {
				said++
			}
		}
		if said != 1 {
			t.Errorf("the log says %d times at INFO what has not changed, want once:\n%.1000s", said, h.log.String())
		}
	})
}
