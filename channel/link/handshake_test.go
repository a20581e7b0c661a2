package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/memnet"
)

// hamlet is a few pools over memnet, for tests in bubbles.
type hamlet struct {
	*town
	fabric *memnet.Net
	log    bytes.Buffer // of pool 0
}

// newHamlet makes n pools of cfg, which do not serve yet.
func newHamlet(t testing.TB, n int, cfg Config) *hamlet {
	t.Helper()
	h := &hamlet{town: newTown(t), fabric: memnet.New(memnet.Config{})}
	for i := range n {
		cfg.Logger = nil
		if i == 0 {
			cfg.Logger = slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		h.settle(i, cfg)
	}
	return h
}

// settle makes pool i.
func (h *hamlet) settle(i int, cfg Config) *Pool {
	h.t.Helper()
	host := h.host(i)
	ln, err := host.Listen(":7947")
	if err != nil {
		h.t.Fatal(err)
	}
	cfg.Listener = ln
	cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) { return host.Dial(ctx, "tcp", addr) }
	return h.add(cfg)
}

func (h *hamlet) host(i int) *memnet.Host { return h.fabric.Host(fmt.Sprintf("10.0.0.%d", i+1)) }

// Two that dial each other at the very same time, with whatever delays, end
// with one link that was never interrupted.
func TestCrossedDials(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			h := newHamlet(t, 2, Config{})
			ends := []*logged{newLogged(), newLogged()}
			for i, p := range h.pools {
				host, dial := h.host(i), p.cfg.Dial
				host.SetDelay(time.Duration(random.IntN(20)) * time.Millisecond)
				first, later := time.Duration(random.IntN(30))*time.Millisecond, time.Duration(random.IntN(30))*time.Millisecond
				p.cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
					pause(ctx, first)
					c, err := dial(ctx, addr)
					pause(ctx, later) // others get a hello in
					return c, err
				}
				serve(t, p, ends[i])
			}
			h.pools[0].SetPeers(h.peers[1:])
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
			h.pools[1].SetPeers(h.peers[:1])
			time.Sleep(10 * time.Second)
			for i, end := range ends {
				if len(end.up) != 1 || len(end.down) != 0 {
					t.Fatalf("seed %d: node %d had its link up %d times and down %d times, want once and never", seed, i, len(end.up), len(end.down))
				}
			}
		})
	}
}

// A node whose end of the link has silently gone gets another, and the other
// side learns of it as LinkDown and LinkUp.
func TestReplacesHalfOpenLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		end := newLogged()
		serve(t, h.pools[0], end)
		peer := Peer{ID: 7, Name: "web7", Addr: "10.0.0.9:1"}
		h.pools[0].SetPeers([]Peer{peer})
		first := h.hello(t, 9, greeting{from: 7, attempt: 1, name: "web7"})
		<-end.up
		second := h.hello(t, 9, greeting{from: 7, attempt: 2, name: "web7"})
		if err := <-end.down; err != ErrReplaced {
			t.Errorf("the old link went down because of %v, want ErrReplaced", err)
		}
		<-end.up
		if _, err := first.Read(make([]byte, 1)); err == nil {
			t.Error("the old connection is still open")
		}
		second.Write(appendFrame(nil, kindNormal, []byte("here")))
		if got := <-end.got; got != "here" {
			t.Errorf("received %q", got)
		}
		stale := h.say(t, 9, greeting{from: 7, attempt: 2, name: "web7"}, 0)
		if no := refused(t, stale); no.code != codeCrossed {
			t.Errorf("a hello that is not newer than the link: code %d %q, want %d", no.code, no.text, codeCrossed)
		}
	})
}

// The new link waits until the receiver is done with the old one.
func TestReplacedLinkComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		end := newLogged()
		end.got = make(chan string) // Receive waits until the test takes it
		serve(t, h.pools[0], end)
		h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.9:1"}})
		first := h.hello(t, 9, greeting{from: 7, attempt: 1, name: "web7"})
		<-end.up
		first.Write(appendFrame(nil, kindNormal, []byte("last words")))
		synctest.Wait()
		h.hello(t, 9, greeting{from: 7, attempt: 2, name: "web7"})
		synctest.Wait()
		if len(end.up) > 0 || len(end.down) > 0 {
			t.Fatal("the link went down or up while a frame was being received")
		}
		<-end.got
		if err := <-end.down; err != ErrReplaced {
			t.Errorf("the old link went down because of %v", err)
		}
		<-end.up
	})
}

// A hello that was on its way when this node's own dial was welcomed is stale:
// the welcome's attempt says so.
func TestStaleHelloAfterWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 1, Config{DeadAfter: time.Hour})
		end := newLogged()
		serve(t, h.pools[0], end)
		ln, err := h.host(9).Listen(":1")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: ln.Addr().String()}})
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		readControl(conn)
		conn.Write(appendFrame(nil, kindWelcome, (&greeting{from: 7, attempt: 5, name: "web7"}).append(nil)))
		<-end.up
		if no := refused(t, h.say(t, 9, greeting{from: 7, attempt: 5, name: "web7"}, 0)); no.code != codeCrossed {
			t.Errorf("refused with code %d %q, want %d", no.code, no.text, codeCrossed)
		}
		if len(end.down) > 0 {
			t.Error("the stale hello ended the link")
		}
		h.hello(t, 9, greeting{from: 7, attempt: 6, name: "web7"})
		<-end.down
		<-end.up
	})
}

// say sends a hello to pool 0 from the host of that number. to: zero is right.
func (h *hamlet) say(t testing.TB, host int, g greeting, to channel.NodeID) net.Conn {
	t.Helper()
	c, err := h.host(host).Dial(t.Context(), "tcp", h.peers[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if g.to = to; to == 0 {
		g.to = h.peers[0].ID
	}
	c.Write(appendFrame(nil, kindHello, g.append(nil)))
	return c
}

// hello is say, and awaits the welcome.
func (h *hamlet) hello(t testing.TB, host int, g greeting) net.Conn {
	t.Helper()
	c := h.say(t, host, g, 0)
	kind, payload, err := readControl(c)
	if err != nil || kind != kindWelcome {
		t.Fatalf("answer of kind %d %q, %v, want a welcome", kind, payload, err)
	}
	if w, err := parseGreeting(payload); err != nil || w.from != h.peers[0].ID || w.to != g.from || w.name != "web0" {
		t.Fatalf("welcome %+v, %v", w, err)
	}
	return c
}

// refused reads a refusal, after which the connection must be closed.
func refused(t testing.TB, c net.Conn) *refusal {
	t.Helper()
	kind, payload, err := readControl(c)
	if err != nil || kind != kindRefuse {
		t.Fatalf("answer of kind %d, %v, want a refusal", kind, err)
	}
	no, err := parseRefusal(payload)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("after the refusal came %q, %v, want the end", rest, err)
	}
	return no
}

func TestRefusesHello(t *testing.T) {
	good := greeting{from: 7, attempt: 1, name: "web7"}
	for what, c := range map[string]struct {
		change func(*greeting)
		to     channel.NodeID
		code   code
		text   string
	}{
		"another cluster":  {func(g *greeting) { g.cluster = "prod" }, 0, codeCluster, `peer at 10.0.0.10:49152 is of cluster "prod", web0 is of cluster ""`},
		"unknown":          {func(g *greeting) { g.from = 8 }, 0, codeUnknown, "web0 has not heard of web7 yet"},
		"another's name":   {func(g *greeting) { g.name = "web3" }, 0, codeName, `claims the name "web3", but the registry knows it as "web7"`},
		"another life":     {func(*greeting) {}, 99, codeOther, "this is web0 in another life"},
		"itself, somehow":  {func(g *greeting) { g.from = 0 }, 0, codeUnknown, "has not heard of"},
		"a name with junk": {func(g *greeting) { g.name = "\x1b[2J\n" }, 0, codeName, `claims the name "\x1b[2J\n"`},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHamlet(t, 1, Config{})
				end := newLogged()
				stop := serve(t, h.pools[0], end)
				h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.99:1"}})
				g := good
				c.change(&g)
				no := refused(t, h.say(t, 9, g, c.to))
				if no.code != c.code || !strings.Contains(no.text, c.text) {
					t.Errorf("refused with code %d %q, want %d %q", no.code, no.text, c.code, c.text)
				}
				h.hello(t, 9, good) // others are unharmed
				stop()
				if !strings.Contains(h.log.String(), "peer refused") {
					t.Errorf("the log says nothing:\n%s", h.log.String())
				}
			})
		})
	}
}

// Of what is no hello at all the pool rids itself, at once or after
// HelloTimeout.
func TestRefusesStrangers(t *testing.T) {
	hello := appendFrame(nil, kindHello, (&greeting{from: 7, attempt: 1, name: "web7"}).append(nil))
	later := bytes.Clone(hello)
	binary.BigEndian.PutUint16(later[headerSize+4:], 2)
	for what, c := range map[string]struct {
		send   []byte
		waits  bool
		answer string
	}{
		"nothing":              {nil, true, ""},
		"half a header":        {hello[:3], true, ""},
		"half a hello":         {hello[:20], true, ""},
		"HTTP":                 {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), false, ""},
		"TLS":                  {[]byte("\x16\x03\x01\x00\x06\x01\x00\x01\xfc\x03\x03"), false, errOnlyThere.text},
		"half of TLS":          {[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), true, ""},
		"a welcome":            {appendFrame(nil, kindWelcome, sample.append(nil)), false, ""},
		"an event":             {appendFrame(nil, kindUrgent, []byte("x")), false, ""},
		"a hello of 4 GiB":     {[]byte{0xff, 0xff, 0xff, 0xff, kindHello}, false, ""},
		"a hello of 1 KiB":     {append([]byte{0, 0, 4, 0, kindHello}, make([]byte, 1024)...), false, ""},
		"garbage in the hello": {appendFrame(nil, kindHello, bytes.Repeat([]byte{0xa5}, 300)), false, ""},
		"a later version":      {later, false, "it speaks version 2 of the link protocol, this node speaks 1"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHamlet(t, 1, Config{})
				serve(t, h.pools[0], newLogged())
				h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.99:1"}})
				conn, err := h.host(9).Dial(t.Context(), "tcp", h.peers[0].Addr)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				conn.Write(c.send)
				answer, _ := io.ReadAll(conn)
				if waited := time.Since(began) == 2*time.Second; waited != c.waits {
					t.Errorf("closed after %v, want the hello's 2 s: %v", time.Since(began), c.waits)
				}
				if !strings.Contains(string(answer), c.answer) || (c.answer == "") != (len(answer) == 0) {
					t.Errorf("answer %q, want one with %q", answer, c.answer)
				}
				conn.Close()
			})
		})
	}
}

// What the peer that was dialed may answer instead of a proper welcome.
func TestRefusesWelcome(t *testing.T) {
	right := greeting{from: 7, name: "web7"}
	frame := func(kind byte, change func(*greeting)) []byte {
		g := right
		change(&g)
		return appendFrame(nil, kind, g.append(nil))
	}
	later := frame(kindWelcome, func(*greeting) {})
	binary.BigEndian.PutUint16(later[headerSize+4:], 2)
	for what, c := range map[string]struct {
		answer []byte
		want   string
	}{
		"another life":     {frame(kindWelcome, func(g *greeting) { g.from = 8 }), "is another node than web7: it was restarted"},
		"another name":     {frame(kindWelcome, func(g *greeting) { g.name = "web3" }), `claims the name "web3"`},
		"another cluster":  {frame(kindWelcome, func(g *greeting) { g.cluster = "prod" }), `is of cluster "prod"`},
		"a later version":  {later, "speaks version 2"},
		"a hello":          {frame(kindHello, func(*greeting) {}), errNotKecho.Error()},
		"garbage":          {bytes.Repeat([]byte{0x5a}, 600), errNotKecho.Error()},
		"a refusal":        {appendFrame(nil, kindRefuse, []byte("\x02go \x1baway")), `refused: "go \x1baway"`},
		"an empty refusal": {appendFrame(nil, kindRefuse, nil), "an empty refusal"},
		"the end":          {nil, "await the welcome: EOF"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHamlet(t, 1, Config{})
				serve(t, h.pools[0], newLogged())
				ln, err := h.host(6).Listen(":1")
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: ln.Addr().String()}})
				conn, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if kind, _, err := readControl(conn); kind != kindHello {
					t.Errorf("the dialer began with kind %d, %v", kind, err)
				}
				conn.Write(c.answer)
				conn.Close()
				synctest.Wait()
				s := h.pools[0].Stats()
				if len(s) != 1 || s[0].LastError == nil || !strings.Contains(s[0].LastError.Error(), c.want) || !s[0].Since.IsZero() {
					t.Errorf("after the answer the stats say %+v, want the error %q", s, c.want)
				}
			})
		})
	}
}
