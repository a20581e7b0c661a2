package quic

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/link"
)

// pair is two pools, told of each other.
func pair(t *testing.T, first, second link.Config) (ups <-chan channel.NodeID, pools [2]*link.Pool) {
	t.Helper()
	up := make(events, 10)
	var peers []link.Peer
	for i, cfg := range []link.Config{first, second} {
		tr, err := New(Config{Packets: loopback(t), TLS: cfg.TLS})
		if err != nil {
			t.Fatal(err)
		}
		cfg.ID, cfg.Listener, cfg.Dial, cfg.DialTimeout = channel.NodeID(i+1), tr, tr.Dial, 10*time.Second
		if pools[i], err = link.New(cfg); err != nil {
			t.Fatal(err)
		}
		peers = append(peers, link.Peer{ID: cfg.ID, Name: []string{"web0", "web1"}[i], Addr: tr.Addr().String()})
	}
	for _, p := range pools {
		p.SetPeers(peers)
		serve(t, p, up)
	}
	return up, pools
}

// serve runs p until the test ends.
func serve(t testing.TB, p *link.Pool, r channel.Receiver) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Serve(ctx, r); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

type events chan channel.NodeID

func (e events) LinkUp(peer channel.NodeID)                            { e <- peer }
func (e events) LinkDown(channel.NodeID, error)                        {}
func (e events) Receive(channel.NodeID, time.Time, []byte, bool) error { return nil }

// trouble waits for what a pool has against its only peer.
func trouble(t *testing.T, p *link.Pool, want string) {
	t.Helper()
	var got string
	for range 1000 {
		if err := p.Stats()[0].LastError; err != nil {
			if got = err.Error(); strings.Contains(got, want) {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the last error is %q, want one with %q", got, want)
}

func TestKeys(t *testing.T) {
	a := channeltest.NewAuthority(t)
	ups, _ := pair(t, link.Config{Name: "web0", TLS: a.Keys(t, "web0")}, link.Config{Name: "web1", TLS: a.Keys(t, "web1")})
	for range 2 {
		select {
		case <-ups:
		case <-time.After(20 * time.Second):
			t.Fatal("no link")
		}
	}
}

func TestKeysOnOneSideOnly(t *testing.T) {
	a := channeltest.NewAuthority(t)
	_, pools := pair(t, link.Config{Name: "web0", TLS: a.Keys(t, "web0")}, link.Config{Name: "web1"})
	trouble(t, pools[0], "this node uses --cert and that one does not")
	trouble(t, pools[1], "that node uses --cert and this one does not")
}

// A certificate of somebody else's authority is refused by either side.
func TestKeysOfAnotherAuthority(t *testing.T) {
	a, b := channeltest.NewAuthority(t), channeltest.NewAuthority(t)
	_, pools := pair(t, link.Config{Name: "web0", TLS: a.Keys(t, "web0")}, link.Config{Name: "web1", TLS: b.Keys(t, "web1")})
	trouble(t, pools[0], "certificate")
	trouble(t, pools[1], "certificate")
}

// What a pool answers instead of a welcome arrives, although it closes then.
func TestRefusalArrives(t *testing.T) {
	_, pools := pair(t, link.Config{Name: "web0", Cluster: "shop"}, link.Config{Name: "web1", Cluster: "blog"})
	for _, p := range pools {
		trouble(t, p, "a node joins one cluster only")
	}
}

func TestNobodyThere(t *testing.T) {
	tr := (&town{t: t}).transport(t)
	quiet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = tr.Dial(ctx, quiet.LocalAddr().String()); err == nil || !strings.Contains(err.Error(), "--transport quic") {
		t.Errorf("dial to who does not answer: %v", err)
	}
}

// The socket is closed with the last connection, not before.
func TestCloseWaitsForConnections(t *testing.T) {
	tn := &town{t: t}
	a, b := tn.transport(t), tn.transport(t)
	near, err := a.Dial(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := a.Dial(t.Context(), b.Addr().String()); err == nil {
		t.Error("dialed after Close")
	}
	if _, err := near.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := far.Read(buf); err != nil || string(buf[:n]) != "still here" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	near.Close()
	if _, err := a.packets.WriteTo([]byte("x"), b.Addr()); err == nil {
		t.Error("the socket is open after the last connection")
	}
}
