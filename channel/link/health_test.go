package link

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// guest is a hamlet of one pool and a peer, 7, that the test itself plays.
func guest(t testing.TB, cfg Config) (*hamlet, *logged) {
	h := newHamlet(t, 1, cfg)
	end := newLogged()
	serve(t, h.pools[0], end)
	h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.9:1"}})
	return h, end
}

var hello7 = greeting{from: 7, attempt: 1, name: "web7"}

func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := guest(t, Config{})
		conn := h.hello(t, 9, hello7)
		<-end.up
		began := time.Now()
		pings := make(chan int, 1)
		go func() {
			b, _ := io.ReadAll(conn)
			pings <- len(b) / (headerSize + 8)
		}()
		if err := <-end.down; !errors.Is(err, ErrSilent) {
			t.Errorf("the link went down because of %v, want ErrSilent", err)
		}
		if d := time.Since(began); d < 3*time.Second || d > 3250*time.Millisecond {
			t.Errorf("a silent peer was given up after %v, want 3 s and at most a quarter of a ping more", d)
		}
		if n := <-pings; n != 3 {
			t.Errorf("it was pinged %d times, want each second: 3", n)
		}
	})
}

// A peer that sends and does not read loses its link, too.
func TestStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := guest(t, Config{})
		conn := h.hello(t, 9, hello7)
		<-end.up
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			for {
				if _, err := conn.Write(appendFrame(nil, kindPong, make([]byte, 8))); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		var err error
		for err == nil {
			err = h.pools[0].Send(t.Context(), 7, channel.Handling{Priority: channel.Bulk}, make([]byte, 30<<10))
		}
		if !errors.Is(err, channel.ErrNoLink) {
			t.Errorf("the Send that waited failed with %v, want ErrNoLink", err)
		}
		if err := <-end.down; !errors.Is(err, ErrStalled) {
			t.Errorf("the link went down because of %v, want ErrStalled", err)
		}
	})
}

func TestRTT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 2, Config{})
		for _, p := range h.pools {
			serve(t, p, newLogged())
		}
		h.fabric.SetDelay(10 * time.Millisecond)
		h.introduce(0, 1)
		time.Sleep(5 * time.Second)
		for _, p := range h.pools {
			s := p.Stats()[0]
			if s.RTT < 20*time.Millisecond || s.RTT > 21*time.Millisecond {
				t.Errorf("round trip is %v, want 20 ms", s.RTT)
			}
			if age := time.Since(s.Heard); age > time.Second {
				t.Errorf("last heard %v ago", age)
			}
		}
		h.fabric.SetDelay(50 * time.Millisecond)
		time.Sleep(3 * time.Second)
		if s := h.pools[0].Stats()[0]; s.RTT < 30*time.Millisecond || s.RTT > 90*time.Millisecond {
			t.Errorf("round trip, three pings after it became 100 ms, is %v, want an average", s.RTT)
		}
	})
}

// Who was held up itself judges nobody.
func TestLateJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := guest(t, Config{})
		h.hello(t, 9, hello7)
		<-end.up
		p := h.pools[0]
		later := p.now() + int64(10*time.Second)
		p.look(later, true)
		synctest.Wait()
		if len(end.down) != 0 {
			t.Error("a late judge ended a link")
		}
		p.look(later, false)
		if err := <-end.down; !errors.Is(err, ErrSilent) {
			t.Errorf("the link went down because of %v", err)
		}
	})
}

// A frame that the protocol does not know: below 0x80 the link ends, from
// there on it is ignored.
func TestFramesOnALink(t *testing.T) {
	for what, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"a later version's": {appendFrame(nil, kindSkip, []byte("x")), nil},
		"an unknown kind":   {appendFrame(nil, 7, nil), ErrProtocol},
		"a second hello":    {appendFrame(nil, kindHello, sample.append(nil)), ErrProtocol},
		"a crooked ping":    {appendFrame(nil, kindPing, []byte("x")), ErrProtocol},
		"a made-up pong":    {appendFrame(nil, kindPong, []byte("x")), nil},
		"too long":          {[]byte{0xff, 0, 0, 0, kindBulk}, ErrProtocol},
		"bye":               {appendFrame(nil, kindBye, nil), ErrLeft},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, end := guest(t, Config{})
				conn := h.hello(t, 9, hello7)
				<-end.up
				conn.Write(append(c.frame, appendFrame(nil, kindNormal, []byte("next"))...))
				synctest.Wait()
				if c.want == nil {
					if len(end.down) > 0 || len(end.got) != 1 {
						t.Errorf("%d frames followed and the link went down %d times", len(end.got), len(end.down))
					}
					return
				}
				if err := <-end.down; !errors.Is(err, c.want) {
					t.Errorf("the link went down because of %v, want %v", err, c.want)
				}
				if len(end.got) > 0 {
					t.Error("what followed was received")
				}
			})
		})
	}
}
