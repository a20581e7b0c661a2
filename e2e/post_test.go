package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNoPostIsDoneTwice kills a peer while it works on POSTs. Some of those
// may fail, because nobody can know how far the peer has come; but what an
// nginx has logged, no other nginx has logged too.
func TestNoPostIsDoneTwice(t *testing.T) {
	nodes, logs := nginxCluster(t, 3)
	owner, victim := nodes[0], nodes[1]
	p := postAll(t, owner)
	victim.working(t)
	victim.agent.kill()
	owner.unlinked(t, victim.name)
	time.Sleep(time.Second)
	done, failed := p.stop()
	t.Logf("%d POSTs done, %d failed", done, failed)
	// Only what was at the victim can fail: no more than it takes at once.
	if most := int64(posters); done == 0 || failed > most {
		t.Errorf("%d POSTs failed, at most %d were at the peer", failed, most)
	}

	times := map[string]int{}
	for _, log := range logs {
		for _, path := range posted(t, log) {
			times[path]++
		}
	}
	if int64(len(times)) < done {
		t.Errorf("the three nginx know of %d POSTs, clients of %d", len(times), done)
	}
	for path, n := range times {
		if n > 1 {
			t.Errorf("%s was done %d times", path, n)
		}
	}
}

// posters is how many POSTs are open at any time: three times what one server
// works on.
const posters = 3 * workers

// posts is a load in which each request can be told from the others.
type posts struct {
	stopped      atomic.Bool
	posters      sync.WaitGroup
	sent         atomic.Int64
	done, failed atomic.Int64
}

func postAll(t testing.TB, n *node) *posts {
	t.Helper()
	p := new(posts)
	client := &http.Client{Transport: n.transport(t), Timeout: 20 * time.Second}
	for range posters {
		p.posters.Go(func() {
			for !p.stopped.Load() {
				url := fmt.Sprintf("%s/post/%d", n.url(frontPort), p.sent.Add(1))
				if post(client, url) {
					p.done.Add(1)
				} else {
					p.failed.Add(1)
				}
			}
		})
	}
	t.Cleanup(func() { p.stop() })
	return p
}

func post(client *http.Client, url string) bool {
	res, err := client.Post(url, "text/plain", strings.NewReader("once"))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return err == nil && res.StatusCode == http.StatusOK && string(body) == "once"
}

// stop waits for the last answer and is how many POSTs came to what.
func (p *posts) stop() (done, failed int64) {
	p.stopped.Store(true)
	p.posters.Wait()
	return p.done.Load(), p.failed.Load()
}

var postLine = regexp.MustCompile(`"POST (/post/\d+) HTTP`)

// posted are the paths of the POSTs that an nginx has seen, however they ended.
func posted(t testing.TB, log string) []string {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, found := range postLine.FindAllStringSubmatch(string(text), -1) {
		paths = append(paths, found[1])
	}
	return paths
}
