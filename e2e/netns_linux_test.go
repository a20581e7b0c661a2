package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// lan is a network of its own: a namespace with a bridge in it, and a
// namespace a machine with a cable to the bridge. Nothing of it touches the
// network that the tests run in.
type lan struct {
	name     string // also the namespace of the bridge
	machines []machine
}

// newLAN makes a network of n machines, 10.77.0.1 and up, until the test ends.
func newLAN(t testing.TB, n int) *lan {
	t.Helper()
	needRoot(t)
	needTool(t, "ip", "iproute2")
	l := &lan{name: fmt.Sprintf("kecho%d", os.Getpid())}
	l.addNamespace(t, l.name)
	ip(t, "-n", l.name, "link", "add", "bridge", "type", "bridge")
	ip(t, "-n", l.name, "link", "set", "bridge", "up")
	for i := range n {
		m := machine{ip: fmt.Sprintf("10.77.0.%d", i+1), ns: fmt.Sprintf("%sh%d", l.name, i+1)}
		l.machines = append(l.machines, m)
		l.addNamespace(t, m.ns)
		ip(t, "-n", m.ns, "link", "set", "lo", "up")
		ip(t, "-n", m.ns, "link", "add", "eth0", "type", "veth", "peer", "name", l.port(i), "netns", l.name)
		ip(t, "-n", m.ns, "addr", "add", m.ip+"/24", "dev", "eth0")
		ip(t, "-n", m.ns, "link", "set", "eth0", "up")
		ip(t, "-n", l.name, "link", "set", l.port(i), "master", "bridge", "up")
	}
	return l
}

func (l *lan) addNamespace(t testing.TB, name string) {
	t.Helper()
	ip(t, "netns", "add", name)
	t.Cleanup(func() { ip(t, "netns", "del", name) })
}

// port is the bridge's end of machine i's cable.
func (l *lan) port(i int) string { return fmt.Sprintf("port%d", i+1) }

// unplug takes machine i off the network: nothing goes in or out, and no
// connection is told. plug puts it back.
func (l *lan) unplug(t testing.TB, i int) {
	t.Helper()
	ip(t, "-n", l.name, "link", "set", l.port(i), "down")
}
func (l *lan) plug(t testing.TB, i int) {
	t.Helper()
	ip(t, "-n", l.name, "link", "set", l.port(i), "up")
}

// mute lets machine i hear everything and be heard by nobody. unmute ends it.
func (l *lan) mute(t testing.TB, i int) {
	t.Helper()
	nft := needTool(t, "nft", "nftables")
	run(t, l.machines[i].inside([]string{nft,
		"add table inet mute; add chain inet mute out { type filter hook output priority 0; }; add rule inet mute out oifname eth0 drop"})...)
}

func (l *lan) unmute(t testing.TB, i int) {
	t.Helper()
	run(t, l.machines[i].inside([]string{needTool(t, "nft", "nftables"), "delete table inet mute"})...)
}

// ip runs the ip command.
func ip(t testing.TB, args ...string) {
	t.Helper()
	run(t, append([]string{"ip"}, args...)...)
}

// run runs a command that has to succeed.
func run(t testing.TB, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
}

// dialFrom dials from inside a network namespace. A socket stays in the
// namespace that its thread was in when it was made, so the thread is lent to
// the namespace for the dial and ends with it.
func dialFrom(ns string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		done := make(chan dialed, 1)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread is not fit for anything else
			conn, err := dialHere(ctx, ns, network, addr)
			done <- dialed{conn, err}
		}()
		d := <-done
		return d.conn, d.err
	}
}

func dialHere(ctx context.Context, ns, network, addr string) (net.Conn, error) {
	file, err := os.Open(filepath.Join("/run/netns", ns))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter namespace %s: %w", ns, err)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}
