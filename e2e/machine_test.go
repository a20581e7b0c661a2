package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// machine is where processes run: this one, under a loopback address of its
// own so that every process can have its usual ports, or a network namespace.
type machine struct {
	ip    string
	ns    string // "" is no namespace
	first string // what a shell does in a process before it is what it is to be
}

// loopback is a machine on an address of 127.0.0.0/8 that nobody else has: the
// process id is in it, and a count.
func loopback() machine {
	pid, n := os.Getpid(), loopbacks.Add(1)
	return machine{ip: fmt.Sprintf("127.%d.%d.%d", 64+(pid>>8)%128, pid%256, 1+n%254)}
}

var loopbacks atomic.Int32

// addr is host:port of one of the machine's ports.
func (m machine) addr(port string) string { return net.JoinHostPort(m.ip, port) }

// url is the root of what the machine serves by HTTP on a port.
func (m machine) url(port string) string { return "http://" + m.addr(port) }

// inside is argv as it has to be run to run on the machine.
func (m machine) inside(argv []string) []string {
	if m.first != "" {
		argv = append([]string{"/bin/sh", "-c", m.first + ` && exec "$@"`, "sh"}, argv...)
	}
	if m.ns == "" {
		return argv
	}
	return append([]string{"ip", "netns", "exec", m.ns}, argv...)
}

// transport carries requests that are sent from the machine, until the test
// ends.
func (m machine) transport(t testing.TB) *http.Transport {
	dial := new(net.Dialer).DialContext
	if m.ns != "" {
		dial = dialFrom(m.ns)
	}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return dial(ctx, network, addr)
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}
