package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kecho/agent/api"
	"kecho/cmd/kecho/demo"
)

// The ports of every machine.
const (
	frontPort  = "8080"
	adminPort  = "7940"
	gossipPort = "7946"
	appPort    = "9000" // the demo's web server
	nginxPort  = "9080"
)

// Patience with a machine that has other things to do. No test asserts how
// long anything takes; these only end a test that would never pass.
const (
	startPatience  = 30 * time.Second
	settlePatience = 60 * time.Second
)

// workers is how many requests a demo web server works on at once, and the
// soft limit of the agent beside it. At 38 ms each that is 105 a second.
const workers = 4

// node is an agent, the web server behind it, and where both run.
type node struct {
	machine
	name     string
	upstream string
	join     []machine
	agent    *process
	web      *process
	api      *http.Client
}

// newNode is a node on m with a demo web server behind it; the agent is not
// started yet.
func newNode(t testing.TB, m machine, name string) *node {
	t.Helper()
	n := &node{machine: m, name: name, upstream: m.url(appPort)}
	n.api = &http.Client{Transport: m.transport(t), Timeout: 5 * time.Second}
	n.startWeb(t)
	return n
}

// startWeb starts the node's web server and waits until it serves.
func (n *node) startWeb(t testing.TB) {
	t.Helper()
	n.web = start(t, n.machine, n.name+"-app", kecho(t), "demo", "web",
		"--listen", n.addr(appPort), "--workers", strconv.Itoa(workers), "--work", "38ms", "--name", n.name)
	eventually(t, startPatience, n.web.name+" serves", func() error {
		return n.read(n.url(appPort)+"/stats", new(demo.WebStats))
	})
}

// start starts the node's agent with further flags.
func (n *node) start(t testing.TB, flags ...string) {
	t.Helper()
	args := []string{kecho(t), "agent",
		"--name", n.name,
		"--listen", n.addr(frontPort),
		"--upstream", n.upstream,
		"--bind", n.addr(gossipPort),
		"--admin", n.addr(adminPort),
		"--soft-limit", strconv.Itoa(workers),
		// More than the defaults, so that a machine that is busy with other
		// tests is not taken for an overloaded server: what is tested is that
		// nothing is lost, not when load is shed.
		"--queue", "400", "--queue-age", "5s",
		"--log-format", "json",
	}
	for _, m := range n.join {
		args = append(args, "--join", m.addr(gossipPort))
	}
	if n.ns != "" {
		args = append(args, "--insecure") // the namespaces are nobody else's
	}
	n.agent = start(t, n.machine, n.name, append(args, flags...)...)
}

// ready waits until the agent serves.
func (n *node) ready(t testing.TB) {
	t.Helper()
	eventually(t, startPatience, n.name+" is ready", func() error {
		select {
		case <-n.agent.ended:
			t.Fatalf("%s ended with exit code %d before it was ready:\n%s", n.name, n.agent.code, n.agent.out.tail(20))
		default:
		}
		_, err := n.get(n.url(adminPort) + "/readyz")
		return err
	})
}

// cluster starts an agent with a web server on each machine, web1 and up, and
// waits until each has a link to all others.
func cluster(t testing.TB, machines []machine, flags ...string) []*node {
	t.Helper()
	var nodes []*node
	for i, m := range machines {
		n := newNode(t, m, fmt.Sprintf("web%d", i+1))
		n.join = slices.DeleteFunc(slices.Clone(machines), func(other machine) bool { return other == m })
		n.start(t, flags...)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	return nodes
}

// loopbacksFor are n machines on loopback.
func loopbacksFor(n int) []machine {
	var machines []machine
	for range n {
		machines = append(machines, loopback())
	}
	return machines
}

// joined waits until each of nodes has heard each other over a link.
func joined(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		for _, peer := range nodes {
			if peer != n {
				n.linked(t, peer.name)
			}
		}
	}
}

// linked waits until the agent has a link to a peer that has told its load.
func (n *node) linked(t testing.TB, peer string) {
	t.Helper()
	eventually(t, settlePatience, n.name+" is linked to "+peer, func() error {
		m, err := n.member(peer)
		switch {
		case err != nil:
			return err
		case m.Link == nil || !m.Link.Up:
			return fmt.Errorf("link of %+v is down", m)
		case m.Load == nil:
			return errors.New("no load report")
		}
		return nil
	})
}

// unlinked waits until the agent has noticed that it has no link to a peer.
func (n *node) unlinked(t testing.TB, peer string) {
	t.Helper()
	eventually(t, settlePatience, n.name+" has lost "+peer, func() error {
		if m, err := n.member(peer); err == nil && m.Link != nil && m.Link.Up {
			return fmt.Errorf("the link is up since %v", m.Link.Since)
		}
		return nil
	})
}

// member is what the agent knows of a peer.
func (n *node) member(peer string) (api.Member, error) {
	var list api.List[api.Member]
	if err := n.read(n.url(adminPort)+"/v1/members", &list); err != nil {
		return api.Member{}, err
	}
	for _, m := range list.Items {
		if m.Name == peer {
			return m, nil
		}
	}
	return api.Member{}, fmt.Errorf("%s does not know of %s", n.name, peer)
}

// served is how many requests the node's own web server has worked on.
func (n *node) served(t testing.TB) int64 {
	t.Helper()
	var stats demo.WebStats
	if err := n.read(n.url(appPort)+"/stats", &stats); err != nil {
		t.Fatal(err)
	}
	return stats.Served
}

// metric is the sum of the agent's series of that name that have the label,
// such as `route="received"`; "" is all of them.
func (n *node) metric(t testing.TB, name, label string) float64 {
	t.Helper()
	text, err := n.get(n.url(adminPort) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(text) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		family, labels, _ := strings.Cut(series, "{")
		if !ok || family != name || !strings.Contains(labels, label) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("metrics of %s: %q: %v", n.name, line, err)
		}
		sum += v
	}
	return sum
}

// requests is how many requests have taken a route.
func (n *node) requests(t testing.TB, route string) float64 {
	t.Helper()
	return n.metric(t, "kecho_requests_total", fmt.Sprintf("route=%q", route))
}

// get is the body of a 200.
func (n *node) get(url string) (string, error) {
	res, err := n.api.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %.500s", url, res.Status, body)
	}
	return string(body), nil
}

// read decodes the JSON at url.
func (n *node) read(url string, into any) error {
	text, err := n.get(url)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}
