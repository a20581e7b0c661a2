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
// is its own.
type Transport struct {
	packets  net.PacketConn
	quic     *quicgo.Transport
	listener *quicgo.Listener
	client   *tls.Config
	keys     bool
	ctx      context.Context // done when the listener is closed
	stop     context.CancelFunc

	mu     sync.Mutex
	open   int  // connections
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
	HandshakeIdleTimeout:           5 * time.Second, // a dialer has its own, shorter one
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
	server, client, err := handshakes(cfg.TLS)
	if err == nil {
		t := &Transport{packets: cfg.Packets, client: client, keys: cfg.TLS != nil}
		t.quic = &quicgo.Transport{Conn: cfg.Packets}
		t.ctx, t.stop = context.WithCancel(context.Background())
		if t.listener, err = t.quic.Listen(server, &settings); err == nil {
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
		qc, err := t.listener.Accept(t.ctx)
		if err != nil {
			if t.ctx.Err() != nil || errors.Is(err, quicgo.ErrServerClosed) {
				return nil, net.ErrClosed
			}
			return nil, err
		}
		c, err := t.add(qc)
		if err == nil {
			return c, nil
		}
		// It was closed while it waited: the next one.
		if t.ctx.Err() != nil {
			return nil, net.ErrClosed
		}
	}
}

// Dial connects to host:port. It is what link.Config wants as its Dial.
func (t *Transport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return nil, err
	}
	to := &net.UDPAddr{IP: ips[0].Unmap().AsSlice(), Port: n, Zone: ips[0].Zone()}
	qc, err := t.quic.Dial(ctx, to, t.client, &settings)
	var failed *quicgo.TransportError
	switch {
	case err == nil:
		return t.add(qc)
	case errors.As(err, &failed) && failed.ErrorCode == noProtocol:
		return nil, link.Mixed(t.keys)
	case ctx.Err() != nil && context.Cause(ctx) == context.DeadlineExceeded:
		return nil, fmt.Errorf("nothing answers in QUIC on UDP port %s: is it up, does it run with --transport quic too, does a firewall drop UDP? (%w)", port, err)
	}
	return nil, err
}

// noProtocol is TLS's alert no_application_protocol (RFC 7301) in QUIC (RFC
// 9001, section 4.8).
const noProtocol = 0x100 + 120

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
	if last {
		err = errors.Join(err, t.end())
	}
	return err
}

// end closes what is left. Nothing uses it any more.
func (t *Transport) end() error {
	return errors.Join(t.quic.Close(), t.packets.Close())
}

// add makes a connection of qc.
func (t *Transport) add(qc *quicgo.Conn) (net.Conn, error) {
	t.mu.Lock()
	closed := t.closed
	if !closed {
		t.open++
	}
	t.mu.Unlock()
	if closed {
		qc.CloseWithError(0, "")
		return nil, net.ErrClosed
	}
	c, err := newConn(t, qc)
	if err != nil {
		qc.CloseWithError(0, "")
		t.remove()
		return nil, fmt.Errorf("open the lanes: %w", err)
	}
	return c, nil
}

// remove is told of every connection that has ended.
func (t *Transport) remove() {
	t.mu.Lock()
	t.open--
	last := t.closed && t.open == 0
	t.mu.Unlock()
	if last {
		t.end()
	}
}
