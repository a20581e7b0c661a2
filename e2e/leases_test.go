package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kecho/agent/api"
)

// lessors are agents that lease one thing each and keep their leases on disk.
func lessors(t *testing.T, n int) (nodes []*node, again func(*node)) {
	machines := loopbacksFor(n)
	states := map[*node]string{}
	again = func(n *node) {
		n.start(t, "--resource", "none,thing=1", "--state-dir", states[n], "--drain-delay", "0s")
	}
	for i, m := range machines {
		n := newNode(t, m, fmt.Sprintf("web%d", i+1))
		n.join = machines
		states[n] = filepath.Join(t.TempDir(), "state")
		again(n)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	return nodes, again
}

// witness is what works under a lease: it must be alone at its node, which a
// lock of the kernel's tells that goes with the process, and later than all
// before it. Its last process is the one that holds the lock.
const witness = `
exec 9>"$W/$KECHO_NODE.lock"
flock -n 9 || { echo "$KECHO_LEASE while another works at $KECHO_NODE" >>"$W/wrong"; exit 1; }
last=$(cat "$W/$KECHO_NODE.fence" 2>/dev/null || echo 0)
[ "$KECHO_FENCE" -gt "$last" ] || echo "$KECHO_LEASE after fence $last" >>"$W/wrong"
echo "$KECHO_FENCE" >"$W/$KECHO_NODE.fence"
echo "$KECHO_LEASE" >>"$W/held"
exec sleep $TAKES
`

// TestLeasesAreHeldOnce has processes want the things of three nodes while
// agents and holders are killed at any moment. KECHO_NIGHTLY=1 does it for two
// minutes.
func TestLeasesAreHeldOnce(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("no flock (util-linux)")
	}
	nodes, again := lessors(t, 3)
	dir, seed := t.TempDir(), uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	took := 20 * time.Second
	if os.Getenv("KECHO_NIGHTLY") != "" {
		took = 2 * time.Minute
	}
	until := time.Now().Add(took)
	var wg sync.WaitGroup
	for i := range uint64(5) {
		wg.Go(func() { wantThings(t, nodes, dir, rand.New(rand.NewPCG(seed, i)), until) })
	}
	rng := rand.New(rand.NewPCG(seed, 99))
	for time.Now().Before(until) {
		time.Sleep(time.Duration(500+rng.IntN(2500)) * time.Millisecond)
		victim := nodes[rng.IntN(len(nodes))]
		victim.agent.kill()
		// Often it is back before its leases are over, sometimes long after, so
		// that those who hold others' leases through it have to stop.
		away := [...]int{500, 8000}[rng.IntN(2)]
		time.Sleep(time.Duration(rng.IntN(away)) * time.Millisecond)
		again(victim)
		victim.ready(t)
	}
	wg.Wait()
	if wrong, err := os.ReadFile(filepath.Join(dir, "wrong")); err == nil {
		t.Errorf("held twice:\n%s", wrong)
	}
	held, _ := os.ReadFile(filepath.Join(dir, "held"))
	t.Logf("%d leases were held", bytes.Count(held, []byte("\n")))
	if bytes.Count(held, []byte("\n")) < 5 {
		t.Errorf("too few leases were held to mean anything:\n%s", held)
	}
}

// wantThings runs the witness under leases, one after the other, and kills some.
func wantThings(t *testing.T, nodes []*node, dir string, rng *rand.Rand, until time.Time) {
	for time.Now().Before(until) {
		n := nodes[rng.IntN(len(nodes))]
		// With the long one a holder does not ask for seconds whether it still is one.
		ttl := [...]string{"2s", "12s"}[rng.IntN(2)]
		cmd := exec.Command(kecho(t), "lease", "run", "--api", n.url(adminPort), "--need", "thing=1", "--ttl", ttl, "--wait", "4s", "--holder", "witness",
			"--", "sh", "-c", witness)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		cmd.Env = append(os.Environ(), "W="+dir, fmt.Sprintf("TAKES=%.2f", 0.1+6*rng.Float64()))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := startOnLastingThread(cmd); err != nil {
			t.Error(err)
			return
		}
		if rng.IntN(8) == 0 {
			kill := time.AfterFunc(time.Duration(rng.IntN(4000))*time.Millisecond, func() { cmd.Process.Kill() })
			defer kill.Stop()
		}
		_ = cmd.Wait() // it is in cmd.ProcessState
		switch code := cmd.ProcessState.ExitCode(); code {
		case 0, -1: // done; killed
		case 4, 75, 124, 128 + int(syscall.SIGTERM):
			time.Sleep(50 * time.Millisecond) // a node is away, or the lease was lost
		default:
			t.Errorf("kecho lease run ended with %d: %s", code, &out)
		}
	}
}

// TestLeasesOnFullDisk has the disk with the journal fill up, and empty again.
func TestLeasesOnFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, 0) })
	n := newNode(t, loopback(), "web1")
	n.start(t, "--resource", "none,thing=50", "--state-dir", filepath.Join(disk, "state"))
	n.ready(t)
	client, err := api.New(n.url(adminPort))
	if err != nil {
		t.Fatal(err)
	}
	request := func() (api.LeaseGrant, error) {
		return client.RequestLease(t.Context(), api.LeaseRequest{Holder: "h", Needs: "thing=1", TTL: "1h"})
	}
	granted := func() error { _, err := request(); return err }
	eventually(t, startPatience, "a lease is granted", granted)

	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("a megabyte fits on a disk of 256 KiB")
	}
	eventually(t, startPatience, "nothing is granted on a full disk", func() error {
		_, err := request()
		if err == nil || !strings.Contains(err.Error(), "no space left on device") {
			return fmt.Errorf("a request has %v", err)
		}
		return nil
	})
	if text, err := n.get(n.url(adminPort) + "/readyz?verbose"); err != nil || !strings.Contains(text, "[+]leases none is given now: ") {
		t.Errorf("readiness: %s, %v", text, err)
	}
	if _, err := n.get(n.url(frontPort) + "/"); err != nil {
		t.Errorf("the web server's clients: %v", err)
	}
	before, err := client.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, settlePatience, "leases are granted again", granted)
	// What was granted before is there, and nothing that was refused.
	if after, err := client.Leases(t.Context()); err != nil || len(after) != len(before)+1 {
		t.Errorf("%d leases before, %d after, %v", len(before), len(after), err)
	}
}
