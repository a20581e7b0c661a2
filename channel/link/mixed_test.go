package link

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel/channeltest"
)

// TestOneHasCertificates has a node with certificates and one without. Both
// say so, with the other's name and address, each of the two ways in which
// they try once, and then nothing new for a minute of trying.
func TestOneHasCertificates(t *testing.T) {
	secure := channeltest.NewAuthority(t).Keys(t, nameOf(0), nameOf(1))
	synctest.Test(t, func(t *testing.T) {
		h := newHamlet(t, 0, Config{})
		logs := [2]bytes.Buffer{}
		for i, c := range []*tls.Config{secure, nil} {
			h.settle(i, Config{TLS: c, Logger: slog.New(slog.NewTextHandler(&logs[i], nil))})
		}
		var stops []func()
		for _, p := range h.pools {
			stops = append(stops, serve(t, p, newLogged()))
		}
		h.introduce(0, 1)
		time.Sleep(time.Minute)
		for _, stop := range stops {
			stop()
		}
		for i, want := range []*refusal{errOnlyHere, errOnlyThere} {
			peer := h.peers[1-i]
			lines := strings.Split(strings.TrimSpace(logs[i].String()), "\n")
			if len(lines) != 2 {
				t.Errorf("web%d logged %d lines, want one for its dials and one for the other's:\n%s", i, len(lines), &logs[i])
			}
			for _, line := range lines {
				if !strings.Contains(line, "level=WARN") || !strings.Contains(line, want.text) || !strings.Contains(line, "peer="+peer.Name) {
					t.Errorf("web%d logged\n%s\nwant a warning with %q and the peer's name", i, line, want.text)
				}
			}
			if !strings.Contains(logs[i].String(), "greet "+peer.Name+" at "+peer.Addr) {
				t.Errorf("web%d does not say whom it dialed where:\n%s", i, &logs[i])
			}
			if s := h.pools[i].Stats(); s[0].LastError == nil || !strings.Contains(s[0].LastError.Error(), want.text) {
				t.Errorf("web%d's stats say %v", i, s[0].LastError)
			}
		}
	})
}

// The same over real sockets, where what is left unread resets the connection
// and can take the answer with it.
func TestOneHasCertificatesOverTCP(t *testing.T) {
	a := channeltest.NewAuthority(t)
	tn := newTown(t)
	logs := []*lockedLog{
		{found: make(chan struct{}), want: "greet web1 at ADDR: " + errOnlyHere.text},
		{found: make(chan struct{}), want: "greet web0 at ADDR: " + errOnlyThere.text},
	}
	for i, c := range []*tls.Config{a.Keys(t, "web0"), nil} {
		tn.add(Config{
			Listener: loopback(t), TLS: c, RedialMax: 50 * time.Millisecond,
			Logger: slog.New(slog.NewTextHandler(logs[i], nil)),
		})
	}
	for i, log := range logs {
		log.want = strings.ReplaceAll(log.want, "ADDR", tn.peers[1-i].Addr)
	}
	for _, p := range tn.pools {
		serve(t, p, newLogged())
	}
	tn.introduce(0, 1)
	for _, log := range logs {
		select {
		case <-log.found:
		case <-time.After(10 * time.Second):
			t.Errorf("the log does not say %q:\n%s", log.want, log.text())
		}
	}
}
