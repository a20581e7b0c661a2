package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
	"kecho/agent/api"
	"kecho/agent/cloudevents"
)

// east and west are two clusters of two agents, with web5 in the first, and
// others after it, as gateways between them.
func eastAndWest(t *testing.T, gateways int, change func(*agent.Config)) *agenttest.Cluster {
	t.Helper()
	return agenttest.Start(t, agenttest.Config{Nodes: 4 + gateways, Configure: func(i int, cfg *agent.Config) {
		cfg.Cluster = "east"
		switch {
		case i == 2:
			cfg.Cluster, cfg.Join = "west", nil
		case i == 3:
			cfg.Cluster, cfg.Join = "west", []string{"10.0.0.3:7946"}
		case i >= 4:
			ip := fmt.Sprintf("10.0.0.%d", i+1)
			cfg.Gateway = &agent.GatewayConfig{
				Cluster: "west", Bind: ip + ":7966", Join: []string{"10.0.0.3:7946"}, Insecure: true,
				Share: []string{"news", "orders out type=order"},
			}
			if change != nil {
				change(cfg)
			}
		}
	}})
}

func open(t *testing.T, n *agenttest.Node, channels ...string) {
	t.Helper()
	for _, name := range channels {
		if _, err := n.API(t).OpenChannel(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

func publish(t *testing.T, n *agenttest.Node, channel, typ, data string) {
	t.Helper()
	e := cloudevents.Event{Attributes: map[string]any{
		"specversion": "1.0", "id": data, "source": "/" + n.Name, "type": typ,
	}, Data: []byte(data)}
	if _, err := n.API(t).Publish(t.Context(), channel, []cloudevents.Event{e}); err != nil {
		t.Fatalf("publish at %s: %v", n.Name, err)
	}
}

func flow(t *testing.T, n *agenttest.Node, channel, to string) api.Flow {
	t.Helper()
	synctest.Wait() // what has gone out may not be counted yet
	g, err := n.API(t).Gateway(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(g.Flows, func(f api.Flow) bool { return f.Channel == channel && f.To == to })
	if i < 0 {
		t.Fatalf("%s has no flow of %s to %s: %+v", n.Name, channel, to, g.Flows)
	}
	return g.Flows[i]
}

// received is how many events the node has kept of a channel.
func received(t *testing.T, n *agenttest.Node, channel string) uint64 {
	t.Helper()
	c, err := n.API(t).Channel(t.Context(), channel)
	if err != nil {
		t.Fatal(err)
	}
	return c.Stats.Delivered
}

func linkedIn(t *testing.T, n *agenttest.Node, want int) {
	t.Helper()
	agenttest.WaitFor(t, fmt.Sprintf("%s is linked with %d in the other cluster", n.Name, want), func() bool {
		g, err := n.API(t).Gateway(t.Context())
		return err == nil && g.Linked == want
	})
}

func expectReceived(t *testing.T, n *agenttest.Node, channel string, want uint64) {
	t.Helper()
	time.Sleep(time.Second)
	if got := received(t, n, channel); got != want {
		t.Errorf("%s has %d events of %s, want %d", n.Name, got, channel, want)
	}
}

// joined is east and west with one gateway, which is linked with both, and these
// channels open in both.
func joined(t *testing.T, channels ...string) (c *agenttest.Cluster, east, west, gate *agenttest.Node) {
	t.Helper()
	c = eastAndWest(t, 1, nil)
	east, west, gate = c.Nodes[0], c.Nodes[2], c.Nodes[4]
	linkedIn(t, gate, 2)
	open(t, east, channels...)
	open(t, west, channels...)
	time.Sleep(3 * time.Second)
	return c, east, west, gate
}

func TestGatewayJoinsTwoClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, east, west, gate := joined(t, "news", "orders")
		publish(t, east, "news", "x", "1")
		publish(t, west, "news", "x", "2")
		publish(t, east, "orders", "order", "3")
		publish(t, east, "orders", "other", "4")
		publish(t, west, "orders", "order", "5")
		for _, n := range []*agenttest.Node{east, west} {
			expectReceived(t, n, "news", 2)
			expectReceived(t, n, "orders", 2)
		}
		if f := flow(t, gate, "orders", "west"); f.Forwarded != 1 || len(f.Wanted) != 1 || f.Wanted[0].Terms[0].Type != "order" {
			t.Errorf("orders to the west: %+v", f)
		}
		for _, n := range c.Nodes[:4] {
			if peers := n.Peers(t); len(peers) != 2 {
				t.Errorf("%s is linked with %q", n.Name, peers)
			}
		}
	})
}

// The shared channel is open for applications of the gateway's node when they
// open it, as anywhere.
func TestApplicationsOfTheGatewayItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, west, gate := joined(t)
		open(t, west, "news")
		at := gate.API(t)
		e := []cloudevents.Event{{Attributes: map[string]any{"specversion": "1.0", "id": "1", "source": "/", "type": "x"}}}
		if _, err := at.Publish(t.Context(), "news", e); !isCode(err, api.NotFound) {
			t.Errorf("published where it is not open: %v", err)
		}
		for range 2 { // it can be opened again after a close
			open(t, gate, "news")
			time.Sleep(2 * time.Second)
			before := received(t, west, "news")
			publish(t, gate, "news", "x", "from the gateway")
			publish(t, west, "news", "x", "to the gateway")
			expectReceived(t, west, "news", before+2)
			if shown, err := at.Channel(t.Context(), "news"); err != nil || shown.Own || shown.Last == "" {
				t.Errorf("it is shown as %+v, %v", shown, err)
			}
			if err := at.CloseChannel(t.Context(), "news"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := at.Channel(t.Context(), "news"); err != nil {
			t.Errorf("it is not shown while the gateway shares it: %v", err)
		}
	})
}

func isCode(err error, code api.Code) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == code
}

func TestAnAgentThatIsNoGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := agenttest.Start(t, agenttest.Config{Nodes: 1})
		if _, err := c.Nodes[0].API(t).Gateway(t.Context()); !isCode(err, api.NotFound) {
			t.Errorf("%v", err)
		}
	})
}

// The agent serves while there is no other cluster, and joins it when it comes.
func TestTheOtherClusterIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, east, west, gate := joined(t)
		for _, n := range c.Nodes[2:4] {
			n.Kill()
		}
		linkedIn(t, gate, 0)
		if r := gate.Ready(t); !r.Ready || !slices.ContainsFunc(r.Checks, func(c api.Check) bool {
			return c.Name == "gateway" && strings.Contains(c.Detail, "nobody of west is linked")
		}) {
			t.Errorf("%+v", r)
		}
		if status, _ := gate.Get(t, "/"); status != 200 {
			t.Errorf("it answers %d without the other cluster", status)
		}
		open(t, east, "news")
		publish(t, east, "news", "x", "while it was away")
		time.Sleep(time.Minute)
		for _, n := range c.Nodes[2:4] {
			if err := n.Start(); err != nil {
				t.Fatal(err)
			}
		}
		linkedIn(t, gate, 2)
		open(t, west, "news")
		time.Sleep(2 * time.Second)
		publish(t, east, "news", "x", "after")
		expectReceived(t, west, "news", 1)
	})
}

// A name that is taken in the other cluster is no reason to end.
func TestTheGatewaysNameIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eastAndWest(t, 1, func(cfg *agent.Config) { cfg.Gateway.Name = "web4" })
		gate := c.Nodes[4]
		agenttest.WaitFor(t, "it is said that the name is taken", func() bool {
			g, err := gate.API(t).Gateway(t.Context())
			return err == nil && strings.Contains(g.Error, "already taken")
		})
		if r := gate.Ready(t); !r.Ready {
			t.Errorf("it is not ready: %+v", r)
		}
		if err := c.Nodes[3].Stop(); err != nil {
			t.Fatal(err)
		}
		linkedIn(t, gate, 1)
		if g, err := gate.API(t).Gateway(t.Context()); err != nil || g.Error != "" {
			t.Errorf("it is a member now, and says %q, %v", g.Error, err)
		}
	})
}

func TestAGatewayIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eastAndWest(t, 2, nil)
		east, west := c.Nodes[0], c.Nodes[2]
		gates := c.Nodes[4:6]
		for _, g := range gates {
			linkedIn(t, g, 3) // each other too
		}
		open(t, east, "news")
		open(t, west, "news")
		time.Sleep(3 * time.Second)
		publish(t, east, "news", "x", "first")
		expectReceived(t, west, "news", 1)
		owner, other := 0, 1
		if flow(t, gates[1], "news", "west").Forwarded == 1 {
			owner, other = 1, 0
		}
		if f := flow(t, gates[other], "news", "west"); f.Left != 1 || f.Forwarded != 0 {
			t.Errorf("the other gateway: %+v", f)
		}
		gates[owner].Kill()
		time.Sleep(5 * time.Second) // the links see it after 3
		publish(t, east, "news", "x", "second")
		expectReceived(t, west, "news", 2)
	})
}

// A program in the west answers what one in the east asks.
func TestARequestOverHTTPCrossesTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, east, west, gate := joined(t, "news")
		ctx, cancel := context.WithCancel(t.Context())
		followed := make(chan struct{})
		go func() {
			defer close(followed)
			_ = west.API(t).Follow(ctx, "news", api.Selection{}, func(item api.ChannelItem) error {
				answer := cloudevents.Event{Attributes: map[string]any{
					"specversion": "1.0", "id": "1", "source": "/west", "type": "answer", "kechore": item.Event.Text("kechoid"),
				}, Data: []byte("here")}
				_, err := west.API(t).Publish(ctx, "news", []cloudevents.Event{answer})
				return err
			})
		}()
		time.Sleep(3 * time.Second)
		question := cloudevents.Event{Attributes: map[string]any{"specversion": "1.0", "id": "q", "source": "/east", "type": "who"}}
		got, err := east.API(t).Request(t.Context(), "news", question, api.Gather{Timeout: 10 * time.Second, Replies: 1})
		if err != nil || len(got.Items) != 1 || !strings.Contains(string(got.Items[0]), `"kechopath": "west"`) {
			t.Errorf("%s, %v", got.Items, err)
		}
		cancel()
		<-followed
		if f := flow(t, gate, "news", "west"); f.Answers != 1 {
			t.Errorf("the gateway counts %+v", f)
		}
	})
}

// A channel that is open for some types wants these from the other cluster, and
// while it is idle none.
func TestTypesAndIdleChannelsReachTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, east, west, gate := joined(t)
		open(t, east, "news")
		kept, err := west.API(t).OpenChannelWith(t.Context(), "news", api.Keep{Types: []string{"b", "a", "b"}, Idle: 10 * time.Second})
		if err != nil || !slices.Equal(kept.Types, []string{"a", "b"}) {
			t.Fatalf("%+v, %v", kept, err)
		}
		if _, err := west.API(t).OpenChannelWith(t.Context(), "news", api.Keep{Types: []string{"a"}, Idle: 10 * time.Second}); !isCode(err, api.Refused) {
			t.Errorf("opened for other types: %v", err)
		}
		if _, err := west.API(t).OpenChannelWith(t.Context(), "more", api.Keep{Types: []string{strings.Repeat("x", 65)}}); !isCode(err, api.Invalid) {
			t.Errorf("opened for a type that is none: %v", err)
		}
		time.Sleep(3 * time.Second)
		if w := flow(t, gate, "news", "west").Wanted; len(w) != 1 || fmt.Sprint(w[0].Terms) != "[{a } {b }]" {
			t.Errorf("wanted is %+v", w)
		}
		for _, typ := range []string{"a", "b", "c"} {
			publish(t, east, "news", typ, typ)
		}
		expectReceived(t, west, "news", 2)
		time.Sleep(30 * time.Second)
		if f := flow(t, gate, "news", "west"); len(f.Wanted) > 0 || f.Forwarded != 2 {
			t.Errorf("while it is idle: %+v", f)
		}
	})
}

// Each cluster has keys of its own. A wrong one is said, and tried again.
func TestTheGatewayHasKeysForBothClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		east, west := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
		c := agenttest.Start(t, agenttest.Config{Nodes: 4, Configure: func(i int, cfg *agent.Config) {
			cfg.Cluster, cfg.Key = "east", east
			if i == 1 {
				cfg.Cluster, cfg.Key, cfg.Join = "west", west, nil
			}
			if i >= 2 {
				cfg.Gateway = &agent.GatewayConfig{
					Cluster: "west", Bind: fmt.Sprintf("10.0.0.%d:7966", i+1), Join: []string{"10.0.0.2:7946"}, Insecure: true,
					Key: west, Share: []string{"news"},
				}
			}
			if i == 3 {
				cfg.Gateway.Key = east
			}
		}})
		linkedIn(t, c.Nodes[2], 1)
		agenttest.WaitFor(t, "it is said that the key is another", func() bool {
			g, err := c.Nodes[3].API(t).Gateway(t.Context())
			return err == nil && strings.Contains(g.Error, "the gossip key differs")
		})
		if r := c.Nodes[3].Ready(t); !r.Ready {
			t.Errorf("it is not ready: %+v", r)
		}
	})
}

// The clusters are cut off from each other, and find each other again.
func TestThePathBetweenTheClustersIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, east, west, gate := joined(t, "news")
		publish(t, east, "news", "x", "before")
		expectReceived(t, west, "news", 1)
		c.Net.Partition([]string{"10.0.0.1", "10.0.0.2", "10.0.0.5"}, []string{"10.0.0.3", "10.0.0.4"})
		linkedIn(t, gate, 0)
		time.Sleep(time.Second)
		publish(t, east, "news", "x", "meanwhile")
		if f := flow(t, gate, "news", "west"); len(f.Wanted) != 0 {
			t.Errorf("wanted by those who are cut off: %+v", f)
		}
		time.Sleep(time.Minute)
		c.Net.Heal()
		linkedIn(t, gate, 2)
		time.Sleep(3 * time.Second)
		publish(t, east, "news", "x", "after")
		expectReceived(t, west, "news", 2)
	})
}
