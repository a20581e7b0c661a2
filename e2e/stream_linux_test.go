package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestStreamsPassThroughForwards fills a server with endless streams, so that
// what comes next goes to the peer: a stream without end, whose events arrive
// while it runs, and a download that is larger than any agent may become.
func TestStreamsPassThroughForwards(t *testing.T) {
	size := int64(1 << 30)
	if raceDetector {
		size = 256 << 20 // the detector makes copying an order slower
	}
	nodes := cluster(t, loopbacksFor(2))
	owner, peer := nodes[0], nodes[1]
	for range workers {
		stream(t, owner, owner.name)
	}
	stream(t, owner, peer.name)

	before := owner.peakMemory(t) + peer.peakMemory(t)
	res := owner.open(t, fmt.Sprintf("/big?bytes=%d", size))
	if by := res.Header.Get("X-Served-By"); by != peer.name {
		t.Errorf("the download came from %q, want %q", by, peer.name)
	}
	got, err := io.Copy(io.Discard, res.Body)
	if err != nil || got != size {
		t.Errorf("read %d bytes of %d: %v", got, size, err)
	}
	grown := owner.peakMemory(t) + peer.peakMemory(t) - before
	t.Logf("%d MiB forwarded; both agents together grew by %d MiB", size>>20, grown>>20)
	// The window is 256 KiB per exchange; the rest is the allocator's.
	if most := int64(64 << 20); grown > most {
		t.Errorf("a download of %d MiB cost %d MiB of memory, want at most %d", size>>20, grown>>20, most>>20)
	}
}

// stream opens an endless stream at the node's front, which has to be served
// by the server of that name, and reads its first events as they are sent.
func stream(t *testing.T, n *node, by string) {
	t.Helper()
	res := n.open(t, "/sse")
	if got := res.Header.Get("X-Served-By"); got != by {
		t.Fatalf("the stream came from %q, want %q", got, by)
	}
	lines := bufio.NewScanner(res.Body)
	for events := 0; events < 3; {
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "data: "+by) {
			events++
		}
	}
}

// open is a 200 from the node's front; its body is open until the test ends.
func (n *node) open(t *testing.T, path string) *http.Response {
	t.Helper()
	client := &http.Client{Transport: n.transport(t)} // no timeout: streams last
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url(frontPort)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, res.Status)
	}
	return res
}

// peakMemory is the most that the agent's process has had resident, in bytes.
func (n *node) peakMemory(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.agent.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("/proc has no VmHWM")
	return 0
}
