package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

func TestLinksOverTLS(t *testing.T) {
	a := channeltest.NewAuthority(t)
	channeltest.TestLinks(t, func(t *testing.T, test func(*testing.T)) { test(t) },
		overTCP(func(i int) *tls.Config { return a.Keys(t, nameOf(i)) }))
}

// TestTLSRefuses has node 0 with a proper certificate, and node 1 with some
// other. Node 0 must have no link, and its log says why.
func TestTLSRefuses(t *testing.T) {
	a, other := channeltest.NewAuthority(t), channeltest.NewAuthority(t)
	lying := a.Keys(t, "web1", "web3")
	lying.Certificates = a.Keys(t, "web3").Certificates
	stranger := other.Keys(t, "web1")
	stranger.RootCAs = a.Keys(t, "web1").RootCAs // it would trust us
	old := a.Keys(t, "web1")
	old.MaxVersion = tls.VersionTLS12
	for what, c := range map[string]struct {
		tls  *tls.Config
		want string
	}{
		"another's name":       {lying, `claims the name "web1", but its certificate is for web3`},
		"another authority":    {stranger, "certificate signed by unknown authority"},
		"plain":                {nil, errOnlyHere.text},
		"no version in common": {old, "TLS with"},
	} {
		t.Run(what, func(t *testing.T) {
			log := &lockedLog{found: make(chan struct{}), want: c.want}
			tn := newTown(t)
			tn.add(Config{
				Listener: loopback(t), TLS: a.Keys(t, "web0"), RedialMax: 50 * time.Millisecond,
				Logger: slog.New(slog.NewTextHandler(log, nil)),
			})
			// Node 1 is made by New only as far as that lets it lie.
			p := tn.add(Config{Listener: loopback(t), RedialMax: 50 * time.Millisecond, HelloTimeout: 100 * time.Millisecond})
			if c.tls != nil {
				p.cfg.TLS, p.tlsServer, p.tlsClient = c.tls, ServerTLS(c.tls), ClientTLS(c.tls)
				if c.tls.MaxVersion != 0 {
					p.tlsServer.MinVersion, p.tlsClient.MinVersion = 0, 0
				}
			}
			ends := []*logged{newLogged(), newLogged()}
			for i, p := range tn.pools {
				serve(t, p, ends[i])
			}
			tn.introduce(0, 1)
			select {
			case <-log.found:
			case <-time.After(10 * time.Second):
				t.Errorf("the log does not say %q:\n%s", c.want, log.text())
			}
			if len(ends[0].up) > 0 {
				t.Error("node 0 had a link")
			}
		})
	}
}

// lockedLog is closed as found when it has been written what is wanted.
type lockedLog struct {
	want  string
	found chan struct{}

	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.hasLocked()
	l.buf.Write(b)
	if !had && l.hasLocked() {
		close(l.found)
	}
	return len(b), nil
}

func (l *lockedLog) hasLocked() bool {
	return strings.Contains(strings.ReplaceAll(l.buf.String(), `\"`, `"`), l.want)
}

func (l *lockedLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestTLSCommonName(t *testing.T) {
	a := channeltest.NewAuthority(t)
	tn := newTown(t)
	ends := []*logged{newLogged(), newLogged()}
	for i, end := range ends {
		serve(t, tn.add(Config{Listener: loopback(t), TLS: a.Keys(t, "cn:"+nameOf(i))}), end)
	}
	tn.introduce(0, 1)
	<-ends[0].up
	<-ends[1].up
	if err := tn.pools[0].Send(t.Context(), tn.peers[1].ID, channel.Handling{Priority: channel.Urgent}, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if got := <-ends[1].got; got != "secret" {
		t.Errorf("received %q", got)
	}
}

// A node whose certificate comes by way of an intermediate authority brings
// that one's in the same file, and links with peers that know the root only,
// whoever of the two dials.
func TestTLSIntermediate(t *testing.T) {
	root := channeltest.NewAuthority(t)
	between := root.Below(t)
	rootFile, _, _ := root.Files(t, time.Now().Add(time.Hour), "any")
	load := func(name string, chain ...*channeltest.Authority) (*tls.Config, error) {
		_, cert, key := between.Files(t, time.Now().Add(time.Hour), name)
		f, err := os.OpenFile(cert, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, a := range chain {
			if err := pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: a.Raw()}); err != nil {
				t.Fatal(err)
			}
		}
		return LoadTLS(rootFile, cert, key)
	}
	if _, err := load("web0"); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("without the intermediate: %v", err)
	}
	if _, err := load("web0", channeltest.NewAuthority(t).Below(t)); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("with another authority's intermediate: %v", err)
	}
	for _, dialer := range []int{0, 1} {
		tn := newTown(t)
		ends := []*logged{newLogged(), newLogged()}
		for i, end := range ends {
			chained, err := load(nameOf(i), between)
			if err != nil {
				t.Fatal(err)
			}
			cfg := Config{Listener: loopback(t), TLS: chained, HelloTimeout: time.Minute}
			if i != dialer {
				cfg.Dial = func(context.Context, string) (net.Conn, error) { return nil, errors.New("this one only listens") }
			}
			serve(t, tn.add(cfg), end)
		}
		tn.introduce(0, 1)
		for i, end := range ends {
			select {
			case <-end.up:
			case <-time.After(10 * time.Second):
				t.Fatalf("web%d dials, and web%d has no link: %v", dialer, i, tn.pools[i].Stats()[0].LastError)
			}
		}
	}
}

func TestCheckTLSName(t *testing.T) {
	a := channeltest.NewAuthority(t)
	for names, want := range map[string]string{"web1": "", "cn:web1": "", "web3": "its certificate is for web3", "web10": "is for web10"} {
		err := CheckTLS(a.Keys(t, names), "web1")
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("a certificate for %s at web1: %v, want %q", names, err, want)
		}
	}
}

func TestLoadTLSErrors(t *testing.T) {
	a, other := channeltest.NewAuthority(t), channeltest.NewAuthority(t)
	ca, cert, key := a.Files(t, time.Now().Add(time.Hour), "web0")
	otherCA, _, otherKey := other.Files(t, time.Now().Add(time.Hour), "web0")
	_, oldCert, oldKey := a.Files(t, time.Now().Add(-time.Hour), "web0")
	for what, c := range map[string]struct {
		ca, cert, key string
		want          string
	}{
		"no authority":      {"none.pem", cert, key, "read the authority's certificate: open none.pem"},
		"no certificate":    {ca, "none.pem", key, "none.pem: no such file"},
		"a key as the CA":   {key, cert, key, key + " holds no certificate"},
		"another's key":     {ca, cert, otherKey, "certificate " + cert + " with key " + otherKey + ": tls: private key does not match"},
		"another authority": {otherCA, cert, key, "no good under the authority " + otherCA},
		"expired":           {ca, oldCert, oldKey, "has expired"},
	} {
		if _, err := LoadTLS(c.ca, c.cert, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}
