package live

import (
	"strings"
	"testing"
	"time"

	"kecho/balancer/sim"
)

func TestCheck(t *testing.T) {
	named := func(name string) sim.Scenario {
		s, err := sim.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	good := Config{Scenario: named("hot-4x"), Policy: "auto"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Config){
		"1 to 64 nodes":       func(c *Config) { c.Nodes = 65 },
		"length":              func(c *Config) { c.Length = time.Millisecond },
		"timeout":             func(c *Config) { c.Timeout = -1 },
		"slow-node cannot":    func(c *Config) { c.Scenario = named("slow-node") },
		"death cannot":        func(c *Config) { c.Scenario = named("death") },
		"black-hole cannot":   func(c *Config) { c.Scenario = named("black-hole") },
		"none with haproxy":   func(c *Config) { c.Policy, c.Kill = HAProxy, true },
		"2 nodes":             func(c *Config) { c.Nodes, c.Kill = 1, true },
		`no policy "magic"`:   func(c *Config) { c.Policy = "magic" },
		"no load, no service": func(c *Config) { c.Scenario = sim.Scenario{} },
	} {
		cfg := good
		spoil(&cfg)
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
	for _, name := range []string{"none", "push", HAProxy} {
		good.Policy = name
		if err := good.Check(); err != nil {
			t.Error(name, err)
		}
	}
}

// Every node that is killed comes back, also when there are only two.
func TestBlows(t *testing.T) {
	for nodes := 2; nodes <= 4; nodes++ {
		dead, hostDead, last := map[int]bool{}, map[int]bool{}, 0.0
		for _, b := range blows(nodes) {
			if b.node < 1 || b.node >= nodes || b.at <= last || b.at >= 1 || dead[b.node] == b.dead {
				t.Errorf("%d nodes: %+v after %v", nodes, b, last)
			}
			last, dead[b.node] = b.at, b.dead
			if b.host {
				hostDead[b.node] = b.dead
			}
		}
		for n := range nodes {
			if dead[n] || hostDead[n] {
				t.Errorf("%d nodes: %d is dead at the end", nodes, n)
			}
		}
	}
}

func TestHAProxyConfig(t *testing.T) {
	h := &haproxy{webs: []string{"127.0.0.1:1", "127.0.0.1:2"}, workers: 3, timeout: 5 * time.Second}
	for _, want := range []string{"bind fd@3\n", "timeout queue 10000ms\n", "server n1 127.0.0.1:1 maxconn 3\n", "server n2 127.0.0.1:2 maxconn 3\n"} {
		if !strings.Contains(h.config(), want) {
			t.Errorf("no %q in\n%s", want, h.config())
		}
	}
}

func TestReadMetrics(t *testing.T) {
	m, err := readMetrics(strings.NewReader(`# HELP kecho_control_messages_total Messages.
# TYPE kecho_control_messages_total counter
kecho_control_messages_total 7
kecho_control_messages_total_more 100
kecho_copies_total{result="answered"} 50
kecho_channel_events_total{channel="data",direction="in"} 10
kecho_channel_events_total{channel="data",direction="out"} 2.5e+01
kecho_channel_events_total{channel="a} b",direction="out"} 1
`))
	if err != nil || m.messages() != 10 || m.sum("kecho_control_messages_total") != 7 {
		t.Errorf("%v, %v: %v messages, %v control", m, err, m.messages(), m.sum("kecho_control_messages_total"))
	}
}
