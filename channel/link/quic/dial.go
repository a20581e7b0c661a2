package quic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"kecho/channel/link"
)

// DialTimeout is what link.Config.DialTimeout should be for a dial that does the
// TLS handshake too: what TCP has to connect, and what TLS over it has.
const DialTimeout = 3 * time.Second

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
	c, err := t.connect(ctx, &net.UDPAddr{IP: ips[0].Unmap().AsSlice(), Port: n, Zone: ips[0].Zone()})
	var failed *quicgo.TransportError
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &failed) && failed.ErrorCode == noProtocol:
		return nil, link.Mixed(t.keys)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("nothing answers in QUIC on UDP port %s: is it up, does it run with --transport quic too, does a firewall drop UDP? (%w)", port, err)
	}
	return nil, err
}

// noProtocol is TLS's alert no_application_protocol (RFC 7301) in QUIC (RFC
// 9001, section 4.8).
const noProtocol = 0x100 + 120

// connect dials. quic-go forgets a handshake whose context is done without a
// word, and the peer holds one of its places for it until it times out. A pool
// gives up a dial whenever the peer's own comes first, so what is called off,
// as opposed to what has had its time, is ended here and then closed aloud.
func (t *Transport) connect(ctx context.Context, to net.Addr) (net.Conn, error) {
	if !t.begin() {
		return nil, net.ErrClosed
	}
	limited, cancel := t.dials, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		limited, cancel = context.WithDeadline(t.dials, deadline)
	}
	type outcome struct {
		qc  *quicgo.Conn
		err error
	}
	dialed := make(chan outcome)
	go func() {
		defer cancel()
		qc, err := t.quic.Dial(limited, to, t.client, &settings)
		select {
		case dialed <- outcome{qc, err}:
		case <-ctx.Done():
			if err == nil {
				qc.CloseWithError(0, "")
			}
			t.end()
		}
	}()
	select {
	case d := <-dialed:
		if d.err != nil {
			t.end()
			return nil, d.err
		}
		return newConn(t, d.qc)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
