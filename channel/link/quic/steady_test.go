package quic

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// Which errors of a send cost one packet. e2e.TestFaultsOverQUIC has a firewall
// that makes them.
func TestLostPackets(t *testing.T) {
	for _, c := range []struct {
		err  error
		lost bool
	}{
		{nil, false},
		{syscall.EPERM, true}, // a firewall's rule
		{syscall.ENETUNREACH, true},
		{syscall.EHOSTUNREACH, true},
		{syscall.ENOBUFS, true},
		{syscall.EMSGSIZE, false}, // quic-go looks for what a path takes
		{syscall.EIO, false},      // and whether the socket segments
		{syscall.EINVAL, false},
		{net.ErrClosed, false},
	} {
		err := c.err
		if number, ok := err.(syscall.Errno); ok {
			err = &net.OpError{Op: "write", Net: "udp", Err: os.NewSyscallError("sendmsg", number)}
		}
		if lost(err) != c.lost {
			t.Errorf("%v is a lost packet: %v, want %v", err, lost(err), c.lost)
		}
	}
}
