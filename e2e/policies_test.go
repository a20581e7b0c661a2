package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCopies has the policies that begin a request more than once on real
// processes: by the web servers' own count a POST runs once, and only what may
// be repeated has copies.
func TestCopies(t *testing.T) {
	for mode, flags := range map[string][]string{
		"race":        {"--copies", "2", "--cancel", "start"},
		"hedge":       {"--forward-after", "10ms"},
		"speculative": nil,
	} {
		t.Run(mode, func(t *testing.T) {
			nodes := cluster(t, loopbacksFor(3), append([]string{"--policy", mode}, flags...)...)
			owner := nodes[0]
			posts := crowd(t, owner, http.MethodPost)
			if worked := workOf(t, nodes); worked != posts {
				t.Errorf("the servers worked on %d POSTs for %d that were sent", worked, posts)
			}
			if n := owner.metric(t, "kecho_moves_total", `how="copy"`); n != 0 {
				t.Errorf("%v copies of POSTs", n)
			}
			gets := crowd(t, owner, http.MethodGet)
			if worked := workOf(t, nodes) - posts; worked < gets {
				t.Errorf("the servers worked on %d GETs for %d that were answered", worked, gets)
			}
			if n := owner.metric(t, "kecho_moves_total", `how="copy"`); n == 0 {
				t.Error("no GET had a copy")
			}
		})
	}
}

// TestNearBeforeFar: what one server cannot do goes to its own zone while that
// has room.
func TestNearBeforeFar(t *testing.T) {
	machines := loopbacksFor(3)
	var nodes []*node
	for i, zone := range []string{"a", "a", "b"} {
		n := newNode(t, machines[i], fmt.Sprintf("web%d", i+1))
		n.join = slices.DeleteFunc(slices.Clone(machines), func(other machine) bool { return other == machines[i] })
		n.start(t, "--zone", zone)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	traffic := send(t, nodes[0].machine, nodes[0].url(frontPort), 120)
	time.Sleep(4 * time.Second)
	r := traffic.lossless(t)
	if near, far := r.ServedBy["web2"], r.ServedBy["web3"]; near <= far {
		t.Errorf("%d went to the own zone and %d to the other", near, far)
	}
}

// crowd sends requests from three times as many clients as a server works on at
// once, for two seconds, and returns how many were answered: all.
func crowd(t *testing.T, n *node, method string) int64 {
	t.Helper()
	client := &http.Client{Transport: n.transport(t), Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	var answered atomic.Int64
	var clients sync.WaitGroup
	for range posters {
		clients.Go(func() {
			for end := time.Now().Add(2 * time.Second); time.Now().Before(end); answered.Add(1) {
				r, err := http.NewRequest(method, n.url(frontPort)+"/", strings.NewReader(""))
				if err != nil {
					t.Error(err)
					return
				}
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				if res.Body.Close(); res.StatusCode != http.StatusOK {
					t.Errorf("%s: status %d", method, res.StatusCode)
				}
			}
		})
	}
	clients.Wait()
	return answered.Load()
}

// workOf is how many requests the nodes' web servers have worked on.
func workOf(t *testing.T, nodes []*node) (sum int64) {
	t.Helper()
	for _, n := range nodes {
		sum += n.served(t)
	}
	return sum
}
