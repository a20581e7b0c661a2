package quic

import (
	"errors"
	"net"
	"slices"
	"syscall"
)

// steady is a UDP socket for which a packet that could not be sent is a packet
// that was lost. quic-go ends a connection at the first error of a send, but a
// route that is away for a moment, a full queue or a firewall's rule passes, and
// the link's pings tell when it does not.
type steady struct{ *net.UDPConn }

// passing are the errors that say nothing of the next packet. Those by which
// quic-go learns what a path takes (EMSGSIZE) and what the socket does (EIO) are
// not among them.
var passing = []error{
	syscall.EPERM, syscall.EACCES, syscall.ENOBUFS, syscall.ENETDOWN, syscall.ENETUNREACH,
	syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ECONNREFUSED,
}

// WriteMsgUDP is how quic-go sends.
func (s steady) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = s.UDPConn.WriteMsgUDP(b, oob, to)
	if lost(err) {
		return len(b), len(oob), nil
	}
	return n, oobn, err
}

// WriteTo is how it sends where there is no more to a socket than that.
func (s steady) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := s.UDPConn.WriteTo(b, to)
	if lost(err) {
		return len(b), nil
	}
	return n, err
}

// lost reports whether err, of a send, cost this packet and no more.
func lost(err error) bool {
	return err != nil && slices.ContainsFunc(passing, func(e error) bool { return errors.Is(err, e) })
}
