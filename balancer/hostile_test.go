package balancer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
)

// garbage is what no body of an event of ours is.
var garbage = [][]byte{nil, {0xff}, []byte(strings.Repeat("\xff", 40)), {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, {5, 0xdd, 0xff, 0xff, 0xff, 0xff}}

// TestOwnerAndBadPeer: whatever the peer of a call says, the call ends, the
// client has one sound answer or none, and another peer's calls go on.
func TestOwnerAndBadPeer(t *testing.T) {
	good := answerHead{Status: 200, Length: -1}
	sized := func(n int64) answerHead { return answerHead{Status: 200, Length: n} }
	for _, c := range []struct {
		name string
		says func(p *rawPeer, id channel.ID)
		// What the client sees; 0: the connection breaks off after the head.
		code      int
		malformed uint64
	}{
		{"garbage as answer", func(p *rawPeer, id channel.ID) { p.say(typeAnswer, id, garbage[2]) }, 502, 1},
		{"an informational answer", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 103, Fin: true}, ""))
		}, 502, 1},
		{"a status of four digits", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 2000, Fin: true}, ""))
		}, 502, 1},
		{"a field that splits the answer", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 200, Fin: true, Fields: []field{{"A", "b\r\nC: d"}}}, ""))
		}, 502, 1},
		{"a field of one hop", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 200, Fin: true, Fields: []field{{"transfer-encoding", "chunked"}}}, ""))
		}, 502, 1},
		{"a length as a field", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 200, Fin: true, Fields: []field{{"Content-length", "7"}}}, ""))
		}, 502, 1},
		{"a trailer that is none", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 200, Fin: true, Trailer: []string{"Host"}}, ""))
		}, 502, 1},
		{"a negative length", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 200, Length: -2, Fin: true}, ""))
		}, 502, 1},
		{"a body before the head", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswerBody, id, bodyPart(finPlain, 0, "x"))
			p.say(typeFailed, id, nil)
		}, 502, 0},
		{"an answer after busy", func(p *rawPeer, id channel.ID) {
			p.say(typeBusy, id, nil)
			p.say(typeAnswer, id, packed(answerHead{Status: 200, Fin: true}, ""))
		}, 504, 0}, // nobody else has room in time
		{"garbage as taken", func(p *rawPeer, id channel.ID) { p.say(typeTaken, id, garbage[3]) }, 502, 1},
		{"garbage as read", func(p *rawPeer, id channel.ID) { p.say(typeRead, id, nil) }, 502, 1},
		{"many of everything", func(p *rawPeer, id channel.ID) {
			for range 200 {
				p.say(typeTaken, id, packAmount(1<<30))
				p.say(typeRead, id, packAmount(1<<30))
			}
			for range 200 {
				p.say(typeBusy, id, nil)
				p.say(typeFailed, id, []byte(strings.Repeat("\x00", 1000)))
			}
		}, 504, 0},
		{"garbage as body", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(good, ""))
			p.say(typeAnswerBody, id, garbage[2])
		}, 0, 1},
		{"an empty body event", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(good, ""))
			p.say(typeAnswerBody, id, nil)
		}, 0, 1},
		{"garbage as trailers", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(good, ""))
			p.say(typeAnswerBody, id, bodyPart(finTrailers, 0, "\xdd\xff\xff\xff\xff"))
		}, 0, 1},
		{"a hole in the body", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(good, ""))
			p.say(typeAnswerBody, id, bodyPart(moreFollows, 0, "01234"))
			p.say(typeAnswerBody, id, bodyPart(finPlain, 6, "6789"))
		}, 0, 1},
		{"more than the length", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(sized(3), ""))
			p.say(typeAnswerBody, id, bodyPart(finPlain, 0, "1234"))
		}, 0, 0},
		{"less than the length", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(sized(5), ""))
			p.say(typeAnswerBody, id, bodyPart(finPlain, 0, "1234"))
		}, 0, 0},
		{"the end in the middle", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(sized(5), ""))
			p.say(typeFailed, id, []byte("gone"))
		}, 0, 0},
		{"two heads", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 201, Length: 1}, ""))
			p.say(typeAnswer, id, packed(answerHead{Status: 404, Length: 2, Fin: true}, "no"))
			p.say(typeAnswerBody, id, bodyPart(finPlain, 0, "1"))
		}, 201, 0},
		{"more after the end", func(p *rawPeer, id channel.ID) {
			p.say(typeAnswer, id, packed(answerHead{Status: 201, Length: 1}, ""))
			p.say(typeAnswerBody, id, bodyPart(finPlain, 0, "1"))
			p.say(typeAnswerBody, id, bodyPart(finPlain, 1, "2"))
			p.say(typeFailed, id, nil)
			p.say(typeBusy, id, nil)
		}, 201, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl, m, end := hot(t, 1, func(i int, cfg *Config) { tight(i, cfg); cfg.Timeout = 3 * time.Second })
				other := cl.raw()
				synctest.Wait()
				untouched := start(func() *outcome { return m.get("/other") })
				theirs := other.ofType(typeRequest, 1)[0]
				other.load(0, 0)
				p := cl.raw()
				synctest.Wait()
				web := client(t, serveHTTP(t, m))
				res := start(func() int { // a POST is not begun elsewhere, so the test sees this peer alone
					res, err := web.Post("http://web/", "", strings.NewReader("data"))
					if err != nil {
						return 0 // broken off before the head was flushed
					}
					if _, err := readAll(res.Body); err != nil {
						return 0
					}
					return res.StatusCode
				})
				asked := p.ofType(typeRequest, 1)[0]
				p.load(0, 0)
				c.says(p, asked.ID)
				if got := <-res; got != c.code {
					t.Errorf("%d, want %d", got, c.code)
				}
				synctest.Wait() // a body that makes no sense breaks the answer off just before it is counted
				if n := m.Stats().Malformed; n < c.malformed {
					t.Errorf("%d malformed events were counted, want %d", n, c.malformed)
				}
				if c.malformed > 0 {
					if last := p.events.Events(); last[len(last)-1].Type != typeCancel || last[len(last)-1].Re != asked.ID {
						t.Errorf("the peer was not told that its part is over: %v last", last[len(last)-1].Type)
					}
				}
				other.say(typeAnswer, theirs.ID, packed(answerHead{Status: 200, Length: 2, Fin: true}, "ok"))
				if got := <-untouched; got.Code != 200 && got.Code != 504 || got.Code == 200 && got.Body.String() != "ok" {
					t.Errorf("another peer's call: %d %q", got.Code, got.Body)
				}
				end()
			})
		})
	}
}

// TestStranger: a node that was not asked says nothing that counts.
func TestStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		p, stranger := c.raw(), c.raw()
		synctest.Wait()
		stranger.load(0, 0)
		synctest.Wait()
		res := start(func() *outcome { return m.get("/") })
		asked := p.ofType(typeRequest, 1)[0]
		for _, typ := range []channel.Type{typeBusy, typeFailed, typeTaken, typeRead, typeAnswerBody} {
			stranger.say(typ, asked.ID, nil)
		}
		stranger.say(typeAnswer, asked.ID, packed(answerHead{Status: 500, Fin: true}, ""))
		synctest.Wait()
		p.say(typeAnswer, asked.ID, packed(answerHead{Status: 200, Length: 2, Fin: true}, "ok"))
		if got := <-res; got.Code != 200 || got.Body.String() != "ok" {
			t.Errorf("%d %q", got.Code, got.Body)
		}
		if s := m.Stats(); s.Malformed != 0 || s.CopiesBusy != 0 || s.CopiesLost != 0 {
			t.Errorf("counted %+v", s)
		}
		end()
	})
}

// TestReopen: a call that has ended meanwhile is not opened again.
func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newCluster(t, 1, nil).members[0]
		m.calls.reopen(&call{id: channel.ID{Source: 1, Seq: 1}}, m.first)
		if n := m.first.Stats().Open; n != 0 {
			t.Errorf("%d calls are open", n)
		}
	})
}

// TestAnswerWithoutCredit: a peer that sends more than the window breaks its
// answer, not this node's memory.
func TestAnswerWithoutCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, m, end := hot(t, 1, tight)
		p := c.raw()
		synctest.Wait()
		cl := client(t, serveHTTP(t, m))
		res := start(func() string {
			res, err := cl.Get("http://web/")
			if err != nil {
				return err.Error()
			}
			time.Sleep(time.Second) // it does not read meanwhile
			body, err := readAll(res.Body)
			return fmt.Sprint(len(body) <= maxWindow+64<<10, err != nil)
		})
		asked := p.ofType(typeRequest, 1)[0]
		p.say(typeAnswer, asked.ID, packed(answerHead{Status: 200, Length: -1}, ""))
		part := strings.Repeat("x", 32_000)
		for i := range 40 {
			p.say(typeAnswerBody, asked.ID, bodyPart(moreFollows, int64(i)*32_000, part))
			synctest.Wait()
			if held := m.held(); held > maxWindow {
				t.Fatalf("%d bytes held", held)
			}
		}
		if got := <-res; got != "true true" {
			t.Errorf("little was read, with an error: %s", got)
		}
		if s := m.Stats(); s.Malformed == 0 {
			t.Error("it was not counted")
		}
		end()
	})
}

// request has the peer ask for something, and returns when that is taken.
func (p *rawPeer) request(head requestHead) channel.ID {
	id := p.say(typeRequest, channel.ID{}, packed(head, ""))
	synctest.Wait()
	return id
}

// TestPeerAndBadOwner: whatever an owner says, its exchange ends, and others
// are served.
func TestPeerAndBadOwner(t *testing.T) {
	get := requestHead{Method: "GET", Target: "/x?ms=10", Host: "web", Fin: true, Window: maxWindow}
	put := requestHead{Method: "PUT", Target: "/x?ms=10", Host: "web", Length: -1, Window: maxWindow}
	with := func(h requestHead, change func(h *requestHead)) []byte {
		change(&h)
		return packed(h, "")
	}
	for _, c := range []struct {
		name string
		says func(p *rawPeer)
		want []channel.Type // what it is told, in the end
	}{
		{"garbage", func(p *rawPeer) {
			for _, g := range garbage {
				p.say(typeRequest, channel.ID{}, g)
			}
		}, []channel.Type{typeFailed, typeFailed, typeFailed, typeFailed, typeFailed}},
		{"a target that is elsewhere", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Target = "http://elsewhere/" }))
		}, []channel.Type{typeFailed}},
		{"a target of two lines", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Target = "/ HTTP/1.1\r\nX: y\r\n\r\n" }))
		}, []channel.Type{typeFailed}},
		{"a method of two words", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Method = "GET /y" }))
		}, []channel.Type{typeFailed}},
		{"CONNECT", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Method = "CONNECT" }))
		}, []channel.Type{typeFailed}},
		{"an upgrade", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Fields = []field{{"Upgrade", "h2c"}} }))
		}, []channel.Type{typeFailed}},
		{"two lengths", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Fields = []field{{"Content-Length", "5"}} }))
		}, []channel.Type{typeFailed}},
		{"less body than its length", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Method, h.Length = "POST", 10 }))
		}, []channel.Type{typeFailed}},
		{"windows that no one has", func(p *rawPeer) {
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Window = -1 << 62 }))
			p.say(typeRequest, channel.ID{}, with(get, func(h *requestHead) { h.Window = 1 << 62 }))
		}, []channel.Type{typeAnswer, typeAnswer}},
		{"bodies, credit and cancels of nothing", func(p *rawPeer) {
			for _, typ := range []channel.Type{typeRequestBody, typeCredit, typeCancel} {
				p.say(typ, channel.ID{Source: p.id, Seq: 99}, garbage[2])
				p.say(typ, channel.ID{}, nil)
			}
		}, nil},
		{"garbage as a body", func(p *rawPeer) {
			p.say(typeRequestBody, p.request(put), garbage[2])
		}, []channel.Type{typeTaken, typeFailed}},
		{"a hole in the body", func(p *rawPeer) {
			p.say(typeRequestBody, p.request(put), bodyPart(finPlain, 1, "x"))
		}, []channel.Type{typeTaken, typeFailed}},
		{"more body than the window", func(p *rawPeer) {
			id := p.request(put)
			for i := range 40 {
				p.say(typeRequestBody, id, bodyPart(moreFollows, int64(i)*32_000, strings.Repeat("x", 32_000)))
			}
		}, []channel.Type{typeTaken, typeFailed}},
		{"garbage as credit", func(p *rawPeer) {
			p.say(typeCredit, p.request(put), nil)
		}, []channel.Type{typeTaken, typeFailed}},
		{"body after the end", func(p *rawPeer) {
			id := p.request(put)
			p.say(typeRequestBody, id, bodyPart(finPlain, 0, "x"))
			p.say(typeRequestBody, id, bodyPart(finPlain, 1, "y"))
		}, []channel.Type{typeTaken, typeFailed}},
		{"a cancel, twice", func(p *rawPeer) {
			id := p.say(typeRequest, channel.ID{}, packed(get, ""))
			p.say(typeCancel, id, nil)
			p.say(typeCancel, id, []byte("and more"))
		}, nil},
		{"more requests than it may have", func(p *rawPeer) {
			for range 10 {
				p.say(typeRequest, channel.ID{}, packed(get, ""))
			}
		}, []channel.Type{typeBusy, typeBusy, typeBusy, typeBusy, typeBusy, typeBusy, typeBusy, typeAnswer, typeAnswer, typeAnswer}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 2, func(i int, cfg *Config) {
					cfg.Policy.Places, cfg.Policy.Hard, cfg.PerPeer = 4, 4, 3
					if i == 1 {
						tight(i, cfg)
					}
				})
				m := cl.members[0]
				p := cl.raw()
				synctest.Wait() // linked: what it says of itself now is heard
				p.load(0, 0)
				synctest.Wait()
				local := cl.members[1].fill(1, 100)
				c.says(p)
				if res := cl.members[1].get("/moves"); res.Code != 200 || res.by() != "n1" {
					t.Errorf("another node's request: %d by %s", res.Code, res.by())
				}
				await(local)
				time.Sleep(time.Second)
				var types []channel.Type
				for _, e := range p.events.Events() {
					types = append(types, e.Type)
				}
				if fmt.Sprint(types) != fmt.Sprint(c.want) {
					t.Errorf("it was told %v, want %v", types, c.want)
				}
				if s := m.Stats(); c.want != nil && c.want[len(c.want)-1] == typeFailed && (s.Malformed == 0 || s.Exchanges != 0) {
					t.Errorf("counted %+v", s)
				}
				cl.idle()
			})
		})
	}
}
