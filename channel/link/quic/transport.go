package quic

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"kecho/channel/link"
)

// Config is what a Transport is made of.
type Config struct {
	// Packets is where everything is sent and received: a *net.UDPConn, on
	// which quic-go sends and receives many packets a system call. The
	// transport owns it from New on. Required.
	Packets net.PacketConn
	// TLS is what link.LoadTLS gives, and what link.Config.TLS is set to. Nil: a
	// certificate that is made up and not checked.
	TLS *tls.Config
}

// Transport is one UDP socket. It is the Listener of a link.Config, whose Dial
// is its own, with a DialTimeout of this package's.
type Transport struct {
	packets  net.PacketConn
	quic     *quicgo.Transport
	listener *quicgo.Listener
	incoming *incoming
	client   *tls.Config
	keys     bool
	dials    context.Context // done when the transport is closed
	stop     context.CancelFunc

	mu     sync.Mutex
	open   int  // connections and dials
	closed bool // nothing new comes in or goes out
}

var _ net.Listener = (*Transport)(nil)

// The two protocols of the TLS handshake. They differ so that a node that has
// certificates and one that has not can say what is wrong with them.
const (
	withKeys    = "kecho-link"
	withoutKeys = "kecho-link-open"
)

// window is what one lane may have on its way and unread. The connection's is
// that of all lanes together, so that bulk that nobody reads does not stop the
// others.
const window = 512 << 10

var settings = quicgo.Config{
	HandshakeIdleTimeout:           5 * time.Second,
	MaxIdleTimeout:                 5 * time.Minute, // the link's pings judge sooner
	InitialStreamReceiveWindow:     window,
	MaxStreamReceiveWindow:         window,
	InitialConnectionReceiveWindow: lanes * window,
	MaxConnectionReceiveWindow:     lanes * window,
	MaxIncomingStreams:             -1,
	MaxIncomingUniStreams:          lanes,
}

// New takes cfg.Packets and begins to listen: what comes in waits for Accept.
// After an error the socket is closed.
func New(cfg Config) (*Transport, error) {
	if cfg.Packets == nil {
		return nil, errors.New("QUIC configuration: no Packets")
	}
	if udp, ok := cfg.Packets.(*net.UDPConn); ok {
		cfg.Packets = steady{udp}
	}
	server, client, err := handshakes(cfg.TLS)
	if err == nil {
		t := &Transport{packets: cfg.Packets, incoming: newIncoming(), client: client, keys: cfg.TLS != nil}
		t.dials, t.stop = context.WithCancel(context.Background())
		t.quic = &quicgo.Transport{Conn: cfg.Packets, ConnContext: t.incoming.admit, StatelessResetKey: new(quicgo.StatelessResetKey)}
		rand.Read(t.quic.StatelessResetKey[:])
		if t.listener, err = t.quic.Listen(server, &settings); err == nil {
			go t.incoming.fill(t.listener)
			return t, nil
		}
		t.quic.Close()
	}
	cfg.Packets.Close()
	return nil, fmt.Errorf("listen for QUIC: %w", err)
}

// handshakes are the two sides of TLS, with the node's keys or without.
func handshakes(keys *tls.Config) (server, client *tls.Config, err error) {
	if keys != nil {
		server, client = link.ServerTLS(keys), link.ClientTLS(keys)
		server.NextProtos, client.NextProtos = []string{withKeys}, []string{withKeys}
		return server, client, nil
	}
	cert, err := madeUp()
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate: %w", err)
	}
	server = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		NextProtos: []string{withoutKeys}, SessionTicketsDisabled: true,
	}
	client = &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, NextProtos: []string{withoutKeys}}
	return server, client, nil
}

// madeUp is a certificate that vouches for nobody.
func madeUp() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(100, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Accept waits for a connection whose TLS handshake is done. The error is
// net.ErrClosed after Close.
func (t *Transport) Accept() (net.Conn, error) {
	for {
		qc, err := t.incoming.next()
		if err != nil {
			return nil, err
		}
		if !t.begin() {
			qc.CloseWithError(0, "")
			return nil, net.ErrClosed
		}
		if c, err := newConn(t, qc); err == nil {
			return c, nil
		}
		// It was closed while it waited: the next one.
	}
}

// Addr is the UDP socket's.
func (t *Transport) Addr() net.Addr { return t.packets.LocalAddr() }

// Close lets nothing new in or out. The connections that there are go on; the
// socket is closed with the last of them.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	last := t.open == 0
	t.mu.Unlock()
	t.stop()
	err := t.listener.Close()
	t.incoming.refuse()
	if last {
		err = errors.Join(err, t.release())
	}
	return err
}

// release closes what is left. Nothing uses it any more.
func (t *Transport) release() error {
	return errors.Join(t.quic.Close(), t.packets.Close())
}

// begin counts one more connection, or what may become one, unless the
// transport is closed. Each is followed by an end.
func (t *Transport) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.open++
	}
	return !t.closed
}

func (t *Transport) end() {
	t.mu.Lock()
	t.open--
	last := t.closed && t.open == 0
	t.mu.Unlock()
	if last {
		t.release()
	}
}
