package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"kecho/agent/api"
)

// TestGatewayProcesses joins two clusters of two agents by two gateways, all of
// them processes, publishes all the time over HTTP, and kills one gateway: nothing
// comes twice, nothing that nobody wants is sent over, and the other gateway takes
// the whole.
func TestGatewayProcesses(t *testing.T) {
	east, west, gates := joinedClusters(t)
	for _, n := range []*node{east[0], west[0], west[1]} {
		n.http(t, http.MethodPut, "/v1/channels/news", "", http.StatusCreated)
	}
	eventually(t, settlePatience, "the gateways know that news are wanted", func() error {
		for _, g := range gates {
			if f, err := g.flow("west"); err != nil || len(f.Wanted) == 0 {
				return fmt.Errorf("%s: %+v, %v", g.name, f, err)
			}
		}
		return nil
	})
	sent := 0
	publish := func() {
		sent++
		event := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/test","type":"n"}`, sent)
		east[0].http(t, http.MethodPost, "/v1/channels/news/events", event, http.StatusAccepted)
	}
	until := func(what string, enough func() bool) {
		t.Helper()
		eventually(t, settlePatience, what, func() error {
			publish()
			if !enough() {
				return fmt.Errorf("%d published, %d and %d came", sent, len(west[0].ids(t)), len(west[1].ids(t)))
			}
			return nil
		})
	}
	came := func(n int) func() bool {
		return func() bool { return len(west[0].ids(t)) >= n && len(west[1].ids(t)) >= n }
	}
	until("20 events come", came(20))
	owner := gates[0]
	if f, _ := gates[1].flow("west"); f.Forwarded > 0 {
		owner = gates[1]
	}
	owner.agent.kill()
	until("20 more come by the other gateway", came(len(west[0].ids(t))+20))
	if len(west[1].http(t, http.MethodGet, "/v1/channels/news/events", "", http.StatusOK)) == 0 {
		t.Error("nothing is kept")
	}
	west[0].http(t, http.MethodDelete, "/v1/channels/news", "", http.StatusNoContent)
	west[1].http(t, http.MethodDelete, "/v1/channels/news", "", http.StatusNoContent)
	eventually(t, settlePatience, "the gateway forwards nothing that nobody wants", func() error {
		before, err := other(gates, owner).flow("west")
		if err != nil {
			return err
		}
		publish()
		time.Sleep(100 * time.Millisecond) // another process would send it
		if after, err := other(gates, owner).flow("west"); err != nil || after.Forwarded != before.Forwarded || len(after.Wanted) > 0 {
			return fmt.Errorf("before %+v, then %+v, %v", before, after, err)
		}
		return nil
	})
}

func other(two []*node, one *node) *node {
	if two[0] == one {
		return two[1]
	}
	return two[0]
}

// joinedClusters are two clusters of two agents and two gateways between them.
func joinedClusters(t *testing.T) (east, west, gates []*node) {
	machines := loopbacksFor(8) // of the last two the gossip addresses in the other cluster
	begin := func(i int, cluster string, join []machine, flags ...string) *node {
		n := newNode(t, machines[i], fmt.Sprintf("%s%d", cluster, i))
		n.join = join
		n.start(t, append([]string{"--cluster", cluster}, flags...)...)
		return n
	}
	for i := range 2 {
		east = append(east, begin(i, "east", machines[:2]))
		west = append(west, begin(i+2, "west", machines[2:4]))
	}
	for i := range 2 {
		gates = append(gates, begin(i+4, "east", machines[:2],
			"--gateway-cluster", "west", "--gateway-join", machines[2].addr(gossipPort), "--gateway-join", machines[3].addr(gossipPort),
			"--gateway-bind", machines[i+6].addr(gossipPort), "--gateway-share", "news"))
	}
	for _, g := range gates {
		g.ready(t)
		eventually(t, settlePatience, g.name+" is linked with the west", func() error {
			var shown api.Gateway
			if err := g.read(g.url(adminPort)+"/v1/gateway", &shown); err != nil || shown.Linked != 3 {
				return fmt.Errorf("linked with %d, %v", shown.Linked, err)
			}
			return nil
		})
	}
	return east, west, gates
}

// http sends a request to the node's API, wants that status, and returns the body.
func (n *node) http(t *testing.T, method, path, body string, want int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, n.url(adminPort)+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/cloudevents+json")
	}
	res, err := n.api.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s %s at %s: %s, want %d\n%s", method, path, n.name, res.Status, want, text)
	}
	return string(text)
}

// ids is the events that the node has kept, by their ids; it fails when one is
// there twice.
func (n *node) ids(t *testing.T) map[string]bool {
	t.Helper()
	var list struct{ Items []struct{ ID string } }
	if err := n.read(n.url(adminPort)+"/v1/channels/news/events", &list); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, item := range list.Items {
		if all[item.ID] {
			t.Fatalf("%s has event %s twice", n.name, item.ID)
		}
		all[item.ID] = true
	}
	return all
}

// flow is what the gateway says of news to that cluster.
func (n *node) flow(to string) (api.Flow, error) {
	var g api.Gateway
	if err := n.read(n.url(adminPort)+"/v1/gateway", &g); err != nil {
		return api.Flow{}, err
	}
	for _, f := range g.Flows {
		if f.Channel == "news" && f.To == to {
			return f, nil
		}
	}
	return api.Flow{}, fmt.Errorf("%s has no flow to %s", n.name, to)
}
