package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestMiddlewareExample: two web servers with agents in them, as the example has
// them, form a cluster; what is too much for one is served by the other, and what
// is in flight when one is told to end is finished.
func TestMiddlewareExample(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: left out with -short")
	}
	program := filepath.Join(builds, "middleware")
	args := []string{"build", "-o", program}
	if raceDetector {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, modulePath+"/examples/middleware")...).CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	var nodes []*node
	for i, m := range loopbacksFor(2) {
		n := &node{machine: m, name: fmt.Sprintf("web%d", i+1)}
		n.api = &http.Client{Transport: m.transport(t), Timeout: 5 * time.Second}
		argv := []string{program, "--name", n.name, "--listen", m.addr(frontPort), "--admin", m.addr(adminPort), "--bind", m.addr(gossipPort)}
		if i > 0 {
			argv = append(argv, "--join", nodes[0].addr(gossipPort))
		}
		n.agent = start(t, m, n.name, argv...)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	load := send(t, loopback(), nodes[0].url(frontPort)+"/", 150) // one can do 105
	eventually(t, settlePatience, "requests move to web2", func() error {
		if n := nodes[1].requests(t, "received"); n < 20 {
			return fmt.Errorf("%v requests have", n)
		}
		return nil
	})
	if got := load.lossless(t); got.ServedBy["web1"] == 0 || got.ServedBy["web2"] == 0 {
		t.Errorf("both are to have served some: %v", got.ServedBy)
	}
	for _, n := range nodes {
		if err := n.agent.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := n.agent.wait(t, settlePatience); code != 0 {
			t.Errorf("%s ended with exit code %d:\n%s", n.name, code, n.agent.out.tail(10))
		}
	}
}
