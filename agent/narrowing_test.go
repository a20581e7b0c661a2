package agent_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/agent/api"
)

// TestOwnFiltersNarrow puts an operator's filters on the agent's own channels:
// they decide where requests may go, and lose none, whatever they leave.
func TestOwnFiltersNarrow(t *testing.T) {
	for _, c := range []struct {
		name, policy   string
		node           int // where the filter is put
		channel, which string
		filter         api.NewFilter
		not, also      string // who serves nothing of web1's overflow, and who does
	}{
		{"out leaves one peer", "", 0, "data", "out", expression(`sinks | filter(.name == "web3")`), "web2", "web3"},
		{"out leaves one peer of pushes", "push", 0, "data", "out", expression(`sinks | filter(.name == "web3")`), "web2", "web3"},
		{"out leaves nobody", "", 0, "data", "out", expression(`false`), "web2", "web1"},
		{"out leaves this node alone", "", 0, "data", "out", expression(`sinks | filter(.local)`), "web2", "web1"},
		{"out fails and passes", "", 0, "data", "out", expression(`sinks | take(0 - 1)`), "", "web3"},
		{"out fails and drops", "", 0, "data", "out", dropping(expression(`sinks | take(0 - 1)`)), "web3", "web1"},
		{"in takes no offers", "offers", 1, "data", "in", expression(`false`), "web2", "web3"},
		{"in drops offers and no pushes", "push", 1, "data", "in", expression(`false`), "", "web2"},
		{"monitoring says nothing", "", 1, "monitoring", "out", expression(`false`), "", "web3"},
		{"monitoring hears nothing", "", 0, "monitoring", "in", expression(`false`), "", "web2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := agenttest.Start(t, agenttest.Config{Configure: func(_ int, cfg *agent.Config) { cfg.Policy = c.policy }})
				cluster.WaitLinked(t)
				node := cluster.Nodes[c.node].API(t)
				if _, err := node.PutFilter(t.Context(), c.channel, c.which, c.filter); err != nil {
					t.Fatal(err)
				}
				served := overflow(t, cluster.Nodes[0])
				if c.not != "" && served[c.not] > 0 || served[c.also] == 0 {
					t.Errorf("served by %v, want none by %q and some by %q", served, c.not, c.also)
				}
				if err := node.RemoveFilter(t.Context(), c.channel, c.which); err != nil {
					t.Fatal(err)
				}
				if served := overflow(t, cluster.Nodes[0]); served["web2"] == 0 || served["web3"] == 0 {
					t.Errorf("served by %v after the filter was removed, want all", served)
				}
			})
		})
	}
}

func expression(source string) api.NewFilter {
	return api.NewFilter{Kind: "expression", Source: source}
}

func dropping(f api.NewFilter) api.NewFilter {
	f.Fallback = "drop"
	return f
}

// overflow sends more POST requests at once than the node has places, all of
// which must be answered, and says by whom they were.
func overflow(t *testing.T, n *agenttest.Node) map[string]int {
	var mu sync.Mutex
	served := make(map[string]int)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			res, err := n.Do(http.MethodPost, "/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("a request was answered %d", res.StatusCode)
			}
			mu.Lock()
			defer mu.Unlock()
			served[res.Header.Get("X-Served-By")]++
		})
	}
	wg.Wait()
	time.Sleep(time.Second)
	return served
}

// The resource group's filters are refused, with the reason.
func TestResourceFiltersRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1})
		for _, direction := range []string{"in", "out"} {
			_, err := c.Nodes[0].API(t).PutFilter(t.Context(), "resources", direction, expression("true"))
			var no *api.Error
			if !errors.As(err, &no) || no.Code != api.Refused {
				t.Errorf("an %s-filter on resources: %v, want that it is refused", direction, err)
			}
		}
	})
}
