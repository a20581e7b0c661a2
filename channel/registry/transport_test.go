package registry

import (
	"io"
	"log"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func TestTransport(t *testing.T) {
	tr, port, err := listen(netip.MustParseAddrPort("127.0.0.1:0"), log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)).String()
	// What comes before open is kept, and comes after it.
	dialled, err := tr.DialTimeout(addr, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.WriteToAddress([]byte("x"), memberlist.Address{Addr: addr}); err != nil {
		t.Fatal(err)
	}
	tr.open()
	if p := <-tr.PacketCh(); string(p.Buf) != "x" {
		t.Errorf("packet %q", p.Buf)
	}
	accepted := <-tr.StreamCh()
	waiting, err := net.Dial("tcp", addr) // nobody takes it
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := tr.Shutdown(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]net.Conn{"dialled": dialled, "accepted": accepted, "waiting": waiting} {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("the %s stream is open after Shutdown: %v", name, err)
		}
	}
	if err := tr.Shutdown(); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
	if c, err := tr.DialTimeout(addr, time.Second); err == nil {
		t.Errorf("dial after Shutdown to %v", c.RemoteAddr())
	}
}

func isTimeout(err error) bool {
	nerr, ok := err.(net.Error)
	return ok && nerr.Timeout()
}
