package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kecho/agent/api"
)

// haproxyConf balances over two agents, by the weights that they give
// themselves.
const haproxyConf = `
global
	stats socket %[1]s/admin mode 600 level admin
defaults
	mode http
	timeout connect 2s
	timeout client 10s
	timeout server 10s
listen front
	bind %[2]s
	balance roundrobin
	server web1 %[3]s weight 100 agent-check agent-addr %[4]s agent-port %[6]s agent-inter 100ms
	server web2 %[5]s weight 100 agent-check agent-addr %[7]s agent-port %[6]s agent-inter 100ms
`

const checkPort = "7950"

// TestHAProxyFollowsTheAgents has an HAProxy before two agents move its weights
// to what they say of their load, and take a draining one out.
func TestHAProxyFollowsTheAgents(t *testing.T) {
	haproxy := needTool(t, "haproxy", "haproxy")
	machines := loopbacksFor(2)
	var nodes []*node
	for i, m := range machines {
		n := newNode(t, m, fmt.Sprintf("web%d", i+1))
		n.join = machines[:1]
		n.start(t, "--agent-check", m.addr(checkPort), "--drain-delay", "5s")
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	before, dir := loopback(), t.TempDir()
	conf := filepath.Join(dir, "haproxy.cfg")
	write(t, conf, fmt.Appendf(nil, haproxyConf, dir, before.addr(frontPort),
		nodes[0].addr(frontPort), nodes[0].ip, nodes[1].addr(frontPort), checkPort, nodes[1].ip))
	start(t, before, "haproxy", haproxy, "-db", "-f", conf)
	admin := filepath.Join(dir, "admin")
	eventually(t, startPatience, "HAProxy serves", func() error {
		_, err := nodes[0].get(before.url(frontPort) + "/")
		return err
	})

	setUtilization(t, nodes[0], 0.9)
	setUtilization(t, nodes[1], 0.2)
	// Each node's CPUs are those of this machine, and as busy as they are: the
	// weights are what the fullest of all says, and web1's is 10 at most.
	eventually(t, settlePatience, "HAProxy has web1's weight at a tenth", func() error {
		if w := haproxyServer(t, admin, "web1"); w["weight"] != "10" && w["weight"] != "1" {
			return fmt.Errorf("web1 %v", w)
		}
		return nil
	})
	setUtilization(t, nodes[0], 0.2)
	setUtilization(t, nodes[1], 0.9)
	eventually(t, settlePatience, "HAProxy has changed its mind", func() error {
		if w := haproxyServer(t, admin, "web2"); w["weight"] != "10" && w["weight"] != "1" {
			return fmt.Errorf("web2 %v", w)
		}
		return nil
	})
	setUtilization(t, nodes[1], 0)

	if err := nodes[0].agent.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, settlePatience, "HAProxy drains web1", func() error {
		if s := haproxyServer(t, admin, "web1")["status"]; !strings.HasPrefix(s, "DRAIN") {
			return fmt.Errorf("web1 is %s", s)
		}
		return nil
	})
	<-nodes[0].agent.ended
	nodes[0].start(t, "--agent-check", nodes[0].addr(checkPort))
	nodes[0].ready(t)
	eventually(t, settlePatience, "HAProxy takes web1 back", func() error {
		if s := haproxyServer(t, admin, "web1")["status"]; s != "UP" && s != "no check" {
			return fmt.Errorf("web1 is %s", s)
		}
		return nil
	})
	nodes[0].web.kill()
	nodes[1].agent.kill()
	eventually(t, settlePatience, "HAProxy has web1 down, whose web server is away and whose peer is too", func() error {
		_, _ = nodes[0].get(nodes[0].url(frontPort) + "/") // it finds out
		if s := haproxyServer(t, admin, "web1")["status"]; !strings.HasPrefix(s, "DOWN") {
			return fmt.Errorf("web1 is %s", s)
		}
		return nil
	})
}

// setUtilization has the application of a node say how busy it is.
func setUtilization(t testing.TB, n *node, v float64) {
	t.Helper()
	body, err := json.Marshal(api.GaugeValue{Value: &v, TTL: "10m"})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, n.url(adminPort)+"/v1/gauges/app.utilization", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := n.api.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("set app.utilization of %s: %d %s", n.name, res.StatusCode, text)
	}
}

// haproxyServer is a server's line of HAProxy's "show stat", by the columns'
// names.
func haproxyServer(t testing.TB, admin, name string) map[string]string {
	t.Helper()
	conn, err := net.DialTimeout("unix", admin, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "show stat\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for line := range strings.Lines(strings.TrimPrefix(string(text), "# ")) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		if columns == nil {
			columns = fields
		}
		server := make(map[string]string)
		for i := range min(len(fields), len(columns)) {
			server[columns[i]] = fields[i]
		}
		if server["svname"] == name {
			return server
		}
	}
	t.Fatalf("HAProxy has no server %s", name)
	return nil
}
