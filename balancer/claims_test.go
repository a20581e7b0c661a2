package balancer

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
)

// TestBadClaimers: whatever a peer does with what it is offered, the client is
// answered by a server that can, if there is one; each gets 20 requests, and a
// peer of no use costs few of them anything.
func TestBadClaimers(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(p *rawPeer, e *channel.Event)
		slow int // requests that may take longer than a moment
	}{
		{"refuses everything", func(p *rawPeer, e *channel.Event) {
			if e.Type == typeRequest {
				p.say(typeBusy, e.ID, nil)
			}
		}, 0},
		{"fails everything", func(p *rawPeer, e *channel.Event) {
			if e.Type == typeRequest {
				p.say(typeFailed, e.ID, nil)
			}
		}, 0},
		{"claims and never answers", func(*rawPeer, *channel.Event) {}, 4},
		{"says queued and never answers", func(p *rawPeer, e *channel.Event) {
			if e.Type == typeRequest {
				p.say(typeQueued, e.ID, nil)
				p.say(typeFailed, e.ID, nil)
			}
		}, 0},
		{"claims twice", func(p *rawPeer, e *channel.Event) {
			switch e.Type {
			case typeOffer:
				p.claim(e)
			case typeRequest:
				p.say(typeBusy, e.ID, nil)
			}
		}, 0},
		{"claims what was withdrawn", func(p *rawPeer, e *channel.Event) {
			switch e.Type {
			case typeWithdraw:
				p.say(typeClaim, e.Re, e.Body)
			case typeRequest:
				p.say(typeBusy, e.ID, nil)
			}
		}, 0},
		{"claims nonsense", func(p *rawPeer, e *channel.Event) {
			switch e.Type {
			case typeOffer:
				p.say(typeClaim, e.Re, nil)
				p.say(typeClaim, channel.ID{Source: 1, Seq: 1 << 60}, packEpoch(7))
				p.say(typeClaim, e.Re, packEpoch(math.MaxUint32))
				p.say(typeOffer, e.Re, []byte{0xff})
				p.say(typeWithdraw, channel.ID{}, nil)
			case typeRequest:
				p.say(typeBusy, e.ID, nil)
			}
		}, 0},
		{"reports nonsense", func(p *rawPeer, e *channel.Event) {
			if e.Type == typeRequest {
				_ = p.node.Describe(loadOf(math.NaN(), math.MaxInt64, -1)...)
				p.say(typeBusy, e.ID, nil)
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl, m, end := hot(t, 2, func(i int, cfg *Config) {
					if tight(i, cfg); i == 1 {
						cfg.Policy.Places, cfg.Policy.Hard = 4, 4
					}
				})
				p := cl.raw()
				p.does = c.does
				slow := 0
				for range 20 {
					res := m.get("/?ms=20")
					if res.Code != 200 || res.by() != "n2" {
						t.Errorf("%d by %q after %v", res.Code, res.by(), res.took)
					}
					if res.took > 100*time.Millisecond {
						slow++
					}
				}
				if slow > c.slow {
					t.Errorf("%d of 20 requests were slow, want %d at most", slow, c.slow)
				}
				end()
			})
		})
	}
}

// TestVanishesAfterClaim: between its claim and the answer the peer is gone.
func TestVanishesAfterClaim(t *testing.T) {
	for _, on := range []channel.Type{typeOffer, typeRequest} {
		synctest.Test(t, func(t *testing.T) {
			c, m, end := hot(t, 1, tight)
			p := c.raw()
			p.does = func(p *rawPeer, e *channel.Event) {
				if e.Type == on {
					p.leave()
				}
			}
			res := start(func() *outcome { return m.get("/?ms=20") })
			synctest.Wait()
			q := c.raw()
			q.does = answerAll
			if got := <-res; on == typeRequest && got.Code != 204 && got.Code != 504 {
				t.Errorf("%d after %v", got.Code, got.took)
			}
			if other := m.get("/?ms=20"); other.Code != 204 {
				t.Errorf("the next request: %d", other.Code)
			}
			end()
		})
	}
}

// answerAll has a raw peer answer every request.
func answerAll(p *rawPeer, e *channel.Event) {
	if e.Type == typeRequest {
		p.say(typeAnswer, e.ID, packed(answerHead{Status: 204, Length: -1, Fin: true}, ""))
	}
}

// TestBadOfferers: what an owner offers and then does costs this node a bounded
// amount, and its place for a moment at most.
func TestBadOfferers(t *testing.T) {
	get := requestHead{Method: "GET", Target: "/x?ms=10", Host: "web", Fin: true, Window: maxWindow}
	offer := packOffer(&policy.Message{})
	for _, c := range []struct {
		name string
		says func(p *rawPeer)
		want map[channel.Type]int // what it is told
	}{
		{"offers and grants nothing", func(p *rawPeer) {
			for i := range 10 {
				p.say(typeOffer, channel.ID{Source: p.id, Seq: uint64(100 + i)}, offer)
			}
		}, map[channel.Type]int{typeClaim: 8}}, // as many as may be without an answer
		{"offers one request ten times", func(p *rawPeer) {
			for range 10 {
				p.say(typeOffer, channel.ID{Source: p.id, Seq: 100}, offer)
			}
		}, map[channel.Type]int{typeClaim: 1}},
		{"offers another node's request", func(p *rawPeer) {
			p.say(typeOffer, channel.ID{Source: p.id + 1, Seq: 100}, offer)
		}, nil},
		{"offers and withdraws", func(p *rawPeer) {
			id := channel.ID{Source: p.id, Seq: 100}
			p.say(typeOffer, id, offer)
			p.say(typeWithdraw, id, packEpoch(0))
			p.say(typeWithdraw, id, packEpoch(0))
		}, map[channel.Type]int{typeClaim: 1}},
		{"grants what was not claimed", func(p *rawPeer) {
			head := get
			head.Claimed = true
			p.say(typeRequest, channel.ID{Source: p.id, Seq: 100}, packed(head, ""))
		}, map[channel.Type]int{typeBusy: 1}},
		{"sends one request twice", func(p *rawPeer) {
			for range 2 {
				p.say(typeRequest, channel.ID{Source: p.id, Seq: 100}, packed(get, ""))
			}
		}, map[channel.Type]int{typeBusy: 1, typeAnswer: 1}},
		{"pushes what may wait and cancels it", func(p *rawPeer) {
			head := get
			head.MaxWait = time.Second.Microseconds()
			var ids []channel.ID
			for range 8 {
				ids = append(ids, p.say(typeRequest, channel.ID{}, packed(head, "")))
			}
			synctest.Wait()
			for _, id := range ids {
				p.say(typeCancel, id, nil)
			}
		}, map[channel.Type]int{typeQueued: 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 1, func(_ int, cfg *Config) { cfg.Policy.Places, cfg.Policy.Hard = 2, 2 })
				m := cl.members[0]
				p := cl.raw()
				c.says(p)
				time.Sleep(100 * time.Millisecond)
				got := map[channel.Type]int{}
				for _, e := range append(p.events.Events(), p.control.Events()...) {
					got[e.Type]++
				}
				for typ, n := range c.want {
					if got[typ] != n {
						t.Errorf("it was told %v, want %v", got, c.want)
					}
				}
				if len(got) != len(c.want) {
					t.Errorf("it was told %v, want %v", got, c.want)
				}
				for _, res := range m.many(2, "/?ms=10") {
					if res.Code != 200 || res.took > 20*time.Millisecond {
						t.Errorf("a client of the node: %d after %v", res.Code, res.took)
					}
				}
				cl.idle()
			})
		})
	}
}
