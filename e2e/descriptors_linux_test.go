package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFewDescriptors has an agent begin with a low limit of open files: it takes
// no more clients than leave it what it needs itself, and refuses to be told
// more.
func TestFewDescriptors(t *testing.T) {
	m := loopback()
	plain(t, m)
	m.first = "ulimit -n 300"
	told := start(t, m, "web0", kecho(t), "agent", "--name", "web0", "--upstream", m.url("9100"), "--listen", m.addr(frontPort), "--connections", "151")
	if code := told.wait(t, startPatience); code != 2 || !strings.Contains(told.out.String(), "--connections 151: this process may have 300 files open, of which 150 can be clients' connections") {
		t.Errorf("exit code %d: %s", code, told.out.tail(5))
	}
	n := newNode(t, m, "web1")
	n.upstream = n.url("9100")
	n.start(t)
	n.ready(t)
	if most := n.metric(t, "kecho_client_connections_max", ""); most != 150 {
		t.Errorf("%v connections of 300 files, want 150", most)
	}
	for i := range 250 {
		c, err := dialRaw(n, "127.0.0.2")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%50 == 0 {
			if err := c.get("/"); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			n.ready(t) // the API has descriptors
		}
	}
	if open := n.metric(t, "kecho_client_connections", ""); open > 150 {
		t.Errorf("%v connections are open", open)
	}
}

// TestNoDescriptors takes an agent all its descriptors but two: clients are
// served one after the other, as those before become idle.
func TestNoDescriptors(t *testing.T) {
	m := loopback()
	plain(t, m)
	n := newNode(t, m, "web1")
	n.upstream = n.url("9100")
	n.start(t)
	n.ready(t)
	first, err := dialRaw(n, "127.0.0.2")
	if err == nil {
		defer first.Close()
		err = first.get("/") // it has a connection to the web server from now on
	}
	if err != nil {
		t.Fatal(err)
	}
	pid := n.agent.cmd.Process.Pid
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	before := new(unix.Rlimit)
	few := unix.Rlimit{Cur: uint64(len(open)) + 2, Max: 20_000}
	need(t, "the limits of another process", unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, before))
	few.Max = before.Max
	need(t, "the limits of another process", unix.Prlimit(pid, unix.RLIMIT_NOFILE, &few, nil))
	for i := range 8 {
		c, err := dialRaw(n, "127.0.0.2")
		if err == nil {
			defer c.Close()
			err = c.get("/")
		}
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	need(t, "the limits of another process", unix.Prlimit(pid, unix.RLIMIT_NOFILE, before, nil))
	n.ready(t)
	if times := n.metric(t, "kecho_client_connections_limited_total", `reason="files"`); times == 0 || times > 500 {
		t.Errorf("accepting failed %v times", times)
	}
	if lines := strings.Count(n.agent.out.String(), "LimitNOFILE"); lines != 1 {
		t.Errorf("it is logged %d times", lines)
	}
}
