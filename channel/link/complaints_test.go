package link

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestComplaints(t *testing.T) {
	at := func(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
	var c complaints
	for _, step := range []struct {
		addr, text string
		first      bool
	}{
		{"10.0.0.1:40001", "read tcp 10.0.0.9:7947->10.0.0.1:40001: reset", true},
		{"10.0.0.1:40002", "read tcp 10.0.0.9:7947->10.0.0.1:40002: reset", false}, // only the port is another
		{"10.0.0.1:40003", "EOF", true},
		{"10.0.0.1:40004", "read tcp 10.0.0.9:7947->10.0.0.1:40004: reset", false}, // known, although not the last
		{"10.0.0.2:40001", "EOF", true},
		{"[::1]:40001", "EOF", true},
		{"[::1]:40002", "EOF", false},
	} {
		if got := c.first(at(step.addr), step.text); got != step.first {
			t.Errorf("%s %q: first %v, want %v", step.addr, step.text, got, step.first)
		}
	}
	c.forget(at("10.0.0.1:7947"))
	if !c.first(at("10.0.0.1:40005"), "EOF") || c.first(at("10.0.0.2:40005"), "EOF") {
		t.Error("a link to one host is to make that host's complaints news again, and no other's")
	}
	for i := range 10 * maxComplaints {
		c.first(at("10.0.0.3:1"), strconv.Itoa(i))
		if len(c.said) > maxComplaints {
			t.Fatalf("%d complaints are kept, want %d at most", len(c.said), maxComplaints)
		}
	}
}

// What two nodes of different clusters tell each other holds the port that a
// connection came from. The log has it once all the same, for each of the two
// ways in which they try.
func TestRefusedForGoodOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 0, Config{})
		var log bytes.Buffer
		h.settle(0, Config{Cluster: "shop", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		h.settle(1, Config{Cluster: "prod"})
		var stops []func()
		for _, p := range h.pools {
			stops = append(stops, serve(t, p, newLogged()))
		}
		h.introduce(0, 1)
		time.Sleep(time.Minute)
		for _, stop := range stops {
			stop()
		}
		if text := log.String(); strings.Count(text, "no link yet") != 1 || strings.Count(text, "peer refused") != 1 {
			t.Errorf("in a minute web0 logged\n%s", text)
		}
	})
}

// A host with which there was a link since is news again.
func TestRefusedAgainAfterALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 0, Config{})
		var log bytes.Buffer
		h.settle(0, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		end := newLogged()
		stop := serve(t, h.pools[0], end)
		h.pools[0].SetPeers([]Peer{{ID: 7, Name: "web7", Addr: "10.0.0.10:1"}})
		good := greeting{from: 7, attempt: 1, name: "web7"}
		bad := good
		bad.cluster = "prod"
		for range 2 {
			refused(t, h.say(t, 9, bad, 0))
		}
		h.hello(t, 9, good)
		<-end.up
		refused(t, h.say(t, 9, bad, 0))
		stop()
		if n := strings.Count(log.String(), "peer refused"); n != 2 || !strings.Contains(log.String(), "peer=web7") {
			t.Errorf("refused %d times, want once before the link and once after, with the name of who lives there:\n%s", n, &log)
		}
	})
}
