package agent

import (
	"strings"
	"testing"
	"time"
)

// TestValidate holds that each mistake is named by its flag and answered with
// what to write instead, and that nothing else is refused.
func TestValidate(t *testing.T) {
	good := Config{Name: "web1", Upstream: "http://127.0.0.1:9000"}
	if err := good.Validate(); err != nil {
		t.Fatalf("the smallest configuration is refused: %v", err)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   string // part of the error; "" for none
	}{
		{"no name", func(c *Config) { c.Name = "" }, "--name"},
		{"a gateway", gatewayTo(nil), ""},
		{"a gateway to nowhere", gatewayTo(func(g *GatewayConfig) { g.Cluster = "" }), "--gateway-cluster is missing"},
		{"a gateway to its own cluster", gatewayTo(func(g *GatewayConfig) { g.Cluster = "kecho" }), "--gateway-cluster kecho is the name of this cluster too"},
		{"a gateway for nothing", gatewayTo(func(g *GatewayConfig) { g.Share = nil }), "--gateway-share is missing"},
		{"requests of another cluster", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"data"} }), `--gateway-share "data": it is the agents' own: requests and leases stay in their cluster`},
		{"a share with a bad name", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"a/b"} }), "want a name of 1 to 64 letters"},
		{"a share in words that are none", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"a both"} }), `"both": want in, out`},
		{"a share in both ways", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"a in out"} }), `"out": want in, out (one of them`},
		{"a share of no type", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"a type="} }), `"type=": want in, out`},
		{"a share twice", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"a in", "a out"} }), "it is shared already"},
		{"a share of two types, one way", gatewayTo(func(g *GatewayConfig) { g.Share = []string{"a type=x  out type=y"} }), ""},
		{"too many hops", gatewayTo(func(g *GatewayConfig) { g.Hops = 9 }), "--gateway-hops 9: want 1 to 8"},
		{"a gateway's key of 3 bytes", gatewayTo(func(g *GatewayConfig) { g.Key = make([]byte, 3) }), "--gateway-key holds 3 bytes"},
		{"a gateway that is open to others", gatewayTo(func(g *GatewayConfig) { g.Bind = "0.0.0.0:7966" }), "--gateway-bind 0.0.0.0:7966 can be reached from other machines, and there are no keys: give --gateway-key"},
		{"a gateway's address that is taken", gatewayTo(func(g *GatewayConfig) { g.Bind = "127.0.0.1:7945" }), "--gateway-link (the port after --gateway-bind) are both"},
		{"a gateway's seed without a port", gatewayTo(func(g *GatewayConfig) { g.Join = []string{"x"} }), `--gateway-join "x": want host:port, such as 10.0.0.5:7946`},
		{"a gateway's transport", gatewayTo(func(g *GatewayConfig) { g.Transport = "udp" }), `--gateway-transport "udp"`},
		{"channels", channelsOf("news", "orders type=a  type=b idle=30s"), ""},
		{"a channel of no name", channelsOf(" "), `--channel " ": want the name of a channel`},
		{"a channel with a bad name", channelsOf("a/b"), `--channel "a/b": want a name of 1 to 64 letters`},
		{"the agent's own channel", channelsOf("data"), `--channel "data": it is the agent's own, and open anyway`},
		{"a channel in words that are none", channelsOf("a in"), `--channel "a in": "in": want idle=DURATION, once, or type=TYPE`},
		{"a channel that is idle twice", channelsOf("a idle=1s idle=2s"), `"idle=2s": want idle=DURATION, once`},
		{"a channel that is idle without a unit", channelsOf("a idle=30"), `"idle=30": want a time with its unit, such as idle=30s`},
		{"a channel that is never idle", channelsOf("a idle=0s"), `"idle=0s": want a time with its unit, such as idle=30s; without`},
		{"a channel that is idle at once", channelsOf("a idle=1ms"), `--channel "a idle=1ms": idle after 1ms: want 1s to 1h0m0s`},
		{"a channel of a long type", channelsOf("a type=" + strings.Repeat("x", 65)), "want at most 16 types of 1 to 64 bytes"},
		{"a channel of no type", channelsOf("a type="), `"type=": want idle=DURATION, once, or type=TYPE`},
		{"a channel twice", channelsOf("a", "a type=x"), `--channel "a": it is opened already`},
		{"too many channels", channelsOf(strings.Fields("c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 f0 f1 f2")...), "--channel: 33 channels, at most 32"},
		{"a name with a blank", func(c *Config) { c.Name = "web 1" }, "--name"},
		{"another node's name as a tag", func(c *Config) { c.Tags = []string{"node = web2"} }, "--tag \"node = web2\": the tag node is this node's name, web1"},
		{"its own name as a tag", func(c *Config) { c.Tags = []string{"node=web1"} }, ""},
		{"no upstream", func(c *Config) { c.Upstream = "" }, "--upstream is missing"},
		{"no upstream, embedded", func(c *Config) { c.Upstream, c.Embedded = "", true }, ""},
		{"an upstream, embedded", func(c *Config) { c.Embedded = true }, "Config.Embedded goes without Upstream, Listen"},
		{"an upstream without a scheme", func(c *Config) { c.Upstream = "127.0.0.1:9000" }, "want http://host:port"},
		{"an upstream without a host", func(c *Config) { c.Upstream = "http://:9000" }, "want http://host:port"},
		{"an admin address without a port", func(c *Config) { c.Admin = "127.0.0.1" }, "--admin \"127.0.0.1\": want host:port, such as 127.0.0.1:7940"},
		{"a seed without a port", func(c *Config) { c.Join = []string{"web2"} }, "such as 10.0.0.5:7946"},
		{"an upstream with a query", func(c *Config) { c.Upstream = "http://h:1/?a" }, "leave out user, query"},
		{"an upstream that is the front", func(c *Config) { c.Upstream = "http://127.0.0.1:8080" }, "this agent's own --listen"},
		{"the same by another word", func(c *Config) { c.Upstream = "http://localhost:8080" }, "this agent's own --listen"},
		{"the same on every address", func(c *Config) { c.Listen, c.Upstream = ":8080", "http://127.0.0.1:8080" }, "this agent's own --listen"},
		{"another loopback address is another", func(c *Config) { c.Upstream = "http://127.0.0.2:8080" }, ""},
		{"a port that is too large", func(c *Config) { c.Upstream = "http://127.0.0.1:99999" }, "--upstream"},
		{"a cluster that gossip has no room for", func(c *Config) { c.Cluster = strings.Repeat("x", 33) }, "--cluster"},
		{"an advertised port", func(c *Config) { c.Advertise = "10.0.0.1:7946" }, "without a port"},
		{"another port is fine", func(c *Config) { c.Listen = ":8081" }, ""},
		{"a listen address without a port", func(c *Config) { c.Listen = "127.0.0.1" }, "--listen"},
		{"a port that is none", func(c *Config) { c.Admin = "127.0.0.1:http!" }, "--admin"},
		{"a seed without a port number", func(c *Config) { c.Join = []string{"web2:0"} }, "--join"},
		{"a key of 7 bytes", func(c *Config) { c.Key = make([]byte, 7) }, "--key holds 7 bytes"},
		{"a certificate without its key", func(c *Config) { c.Cert = "x" }, "--ca, --cert and --cert-key go together"},
		{"open to others without keys", func(c *Config) { c.Bind = "0.0.0.0:7946" }, "--insecure"},
		{"an unknown transport", func(c *Config) { c.Transport = "udp" }, "want tcp or quic"},
		{"open to others, told so", func(c *Config) { c.Bind, c.Insecure = "0.0.0.0:7946", true }, ""},
		{"two purposes, one address", func(c *Config) { c.Admin = "127.0.0.1:8080" }, "give each its own port"},
		{"ports chosen by the system", func(c *Config) { c.Listen, c.Admin, c.Bind = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0" }, ""},
		{"hard below soft", func(c *Config) { c.SoftLimit, c.HardLimit = 9, 3 }, "--hard-limit 3 is below --soft-limit 9"},
		{"hard with auto", func(c *Config) { c.LearnLimit, c.HardLimit = true, 9 }, "--hard-limit 9 goes with a --soft-limit that is a number"},
		{"a bound without auto", func(c *Config) { c.SoftLimitMax = 9 }, "--soft-limit-max 9 goes with --soft-limit auto"},
		{"a bound below the start", func(c *Config) { c.LearnLimit, c.SoftLimitMax = true, 3 }, "--soft-limit-max 3: want 8"},
		{"a bound below 0", func(c *Config) { c.LearnLimit, c.SoftLimitMax = true, -1 }, "--soft-limit-max -1: want 8"},
		{"a deadline in Host", func(c *Config) { c.DeadlineHeader = "host" }, "--deadline-header \"host\""},
		{"a negative limit", func(c *Config) { c.SoftLimit = -1 }, "--soft-limit -1"},
		{"too many copies", func(c *Config) { c.Copies = 4 }, "--copies 4"},
		{"copies for nobody", func(c *Config) { c.Copies = 2 }, "--copies 2 goes with --policy paper"},
		{"a wait for nobody", func(c *Config) { c.ForwardAfter = time.Second }, "--forward-after 1s goes with --policy paper"},
		{"a policy that is none", func(c *Config) { c.Policy = "best" }, `--policy "best": want one of auto, offers, push, none, paper`},
		{"an end that is none", func(c *Config) { c.Policy, c.Cancel = "race", "late" }, `--cancel "late": want complete, start or none`},
		{"an end for nobody", func(c *Config) { c.Cancel = "start" }, "--cancel start goes with --policy paper or race or hedge: auto has no copies"},
		{"a backup that ends at its start", func(c *Config) { c.Policy, c.Cancel = "hedge", "start" }, "--cancel start is no hedge"},
		{"a race that ends at the start", func(c *Config) { c.Policy, c.Cancel = "race", "start" }, ""},
		{"a queue with no memory", func(c *Config) { c.QueueBytes = 100 }, "--queue-bytes 100: want at least 65536"},
		{"a race of one", func(c *Config) { c.Policy, c.Copies = "race", 1 }, "--copies 1 is no race"},
		{"a hedge after a while", func(c *Config) { c.Policy, c.Copies, c.ForwardAfter = "hedge", 2, time.Second }, ""},
		{"a weight of nothing", func(c *Config) { c.Weight = new(float64) }, ""},
		{"a weight below 0", func(c *Config) { w := -1.0; c.Weight = &w }, "--weight -1: want 0.1 to 10"},
		{"a zone that does not fit", func(c *Config) { c.Zone = strings.Repeat("z", 65) }, "--zone"},
		{"a wait beyond the timeout", func(c *Config) { c.Policy, c.ForwardAfter = "paper", time.Minute }, "no request would ever be forwarded"},
		{"two conditions", func(c *Config) {
			c.Overflow = "cpu > 0.85 cancel < 0.7, rate(load1, 10s) > 5 cancel < 1,leaky(throttled, 0.1/s) > 0.5 cancel < 0.1"
		}, ""},
		{"a condition with a wrong side", func(c *Config) { c.Overflow = "cpu > 0.85 cancel < 0.9" }, `--overflow "cpu > 0.85 cancel < 0.9", column 19: cancel on the wrong side`},
		{"a condition that never ends", func(c *Config) { c.Overflow = "cpu > 0.85" }, `--overflow "cpu > 0.85" needs a value at which overflow ends`},
		{"a condition on a watermark", func(c *Config) { c.Overflow = "high(cpu) > 0.85 cancel < 0.7" }, "a watermark does not come back"},
		{"a condition on what nobody reads", func(c *Config) { c.Overflow = "disk > 1 cancel < 0" }, `--overflow "disk > 1 cancel < 0": there is no gauge disk: the machine has cpu, load1, memory, pressure_cpu, pressure_io, pressure_memory, throttled, and the names of all others have a dot`},
		{"a condition on one of many", func(c *Config) { c.Overflow = "cpu{item=0} > 1 cancel < 0" }, "there is no gauge cpu{item=0}"},
		{"a per cent figure", func(c *Config) { c.Overflow = "cpu > 85 cancel < 70" }, `--overflow "cpu > 85 cancel < 70": cpu is a share from 0 to 1: write 0.85`},
		{"one that always holds", func(c *Config) { c.Overflow = "memory < 5 cancel > 6" }, "memory is a share from 0 to 1"},
		{"one side of it", func(c *Config) { c.Overflow = "throttled > 0.5 cancel < -1" }, "throttled is a share from 0 to 1"},
		{"one of the application's", func(c *Config) { c.Overflow = "app.utilization > 0.9 cancel < 0.7" }, ""},
		{"thresholds", func(c *Config) {
			c.Thresholds = []string{"rate(load1, 10s) > 5", "high(app.queue{item=a}) > 100 do event=alerts/queue webhook=https://hooks.test/x?token=1"}
		}, ""},
		{"a threshold without a condition", func(c *Config) { c.Thresholds = []string{"do overflow"} }, `--threshold "do overflow", column 4: want >`},
		{"an unknown action", func(c *Config) { c.Thresholds = []string{"cpu > 0.5 do page me"} }, `want overflow, event=CHANNEL/TYPE or webhook=URL, found "page"`},
		{"overflow that never ends", func(c *Config) { c.Thresholds = []string{"cpu > 0.5 do overflow"} }, `--threshold "cpu > 0.5" needs a value at which overflow ends`},
		{"a webhook that is none", func(c *Config) { c.Thresholds = []string{"cpu > 0.5 do webhook=hooks.test/x"} }, `--threshold "cpu > 0.5": its webhook is no URL`},
		{"a load URL that is none", func(c *Config) { c.LoadURL = "127.0.0.1:9000/load" }, "--load-url"},
		{"asked too often", func(c *Config) { c.LoadEvery = time.Millisecond }, "--load-every 1ms: want 100ms to 1h"},
		{"half a lane", func(c *Config) { c.FastLane = "yes" }, `--fast-lane "yes": want on or off`},
		{"two load reports", func(c *Config) { c.ORCA, c.PassLoad = true, true }, "--orca and --pass-load"},
		{"an agent check without a port", func(c *Config) { c.AgentCheck = "127.0.0.1" }, `--agent-check "127.0.0.1": want host:port, such as 127.0.0.1:7950`},
		{"an agent check where clients come in", func(c *Config) { c.AgentCheck = "127.0.0.1:8080" }, "--listen and --agent-check are both"},
		{"the ends of a share", func(c *Config) { c.Overflow = "cpu >= 1 cancel <= 0" }, ""},
		{"tasks are no share", func(c *Config) { c.Overflow = "load1 > 16 cancel < 8, leaky(throttled, 0.1/s) > 5 cancel < 1" }, ""},
		{"an advertised host and no port", func(c *Config) { c.Bind, c.Advertise = "127.0.0.1:0", "10.0.0.1" }, "--advertise"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			err := c.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestValidateOnce holds that one mistake is one line.
func TestValidateOnce(t *testing.T) {
	for _, c := range []Config{
		{Timeout: -time.Second},
		{Bind: "127.0.0.1"},
	} {
		c.Name, c.Upstream = "web1", "http://127.0.0.1:9000"
		if err := c.Validate(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one of one line", err)
		}
	}
}

// TestValidateAll holds that one look shows everything that is wrong.
func TestValidateAll(t *testing.T) {
	err := Config{Name: "?", Listen: "x", SoftLimit: -1}.Validate()
	for _, flag := range []string{"--name", "--upstream", "--listen", "--soft-limit"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("error %v does not name %s", err, flag)
		}
	}
}

// TestLearnedLimit: what is learned has an upper bound and no hard limit, and
// is what the agent says of itself.
func TestLearnedLimit(t *testing.T) {
	c := Config{Name: "web1", Upstream: "http://127.0.0.1:9000", LearnLimit: true}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	c = c.withDefaults()
	core := c.core()
	if core.Check() != nil || core.Places != 8 || core.MaxPlaces != 64 || core.Hard != 0 || core.Queue != 1024 {
		t.Errorf("%+v: %v", core, core.Check())
	}
	c = Config{LearnLimit: true, SoftLimit: 100}.withDefaults()
	if core := c.core(); core.Check() != nil || core.Places != 100 || core.MaxPlaces != 100 || core.Queue != 1600 {
		t.Errorf("%+v: %v", core, core.Check())
	}
}

// TestNameOnce holds that a bad name is told once, and not of the tag that is
// made of it too.
func TestNameOnce(t *testing.T) {
	err := Config{Name: "web 1", Upstream: "http://127.0.0.1:9000"}.Validate()
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want one line", err)
	}
}

// TestExposed has an API that others reach, and a cluster that anybody may
// join, each say so.
func TestExposed(t *testing.T) {
	for _, test := range []struct {
		cfg  Config
		want string // the beginning of each
	}{
		{Config{Admin: "127.0.0.1:7940"}, ""},
		{Config{Admin: "[::1]:7940"}, ""},
		{Config{Admin: ":7940"}, "--admin :7940 can"},
		{Config{Admin: "10.0.0.1:7940", Insecure: true}, "running --insecur;--admin 10.0.0.1:"},
	} {
		var got []string
		for _, warning := range test.cfg.exposed() {
			got = append(got, warning[:17])
		}
		if text := strings.Join(got, ";"); text != test.want {
			t.Errorf("%+v: %q, want %q", test.cfg, text, test.want)
		}
	}
}

func channelsOf(all ...string) func(*Config) {
	return func(c *Config) { c.Channels = all }
}

func gatewayTo(change func(*GatewayConfig)) func(*Config) {
	return func(c *Config) {
		c.Gateway = &GatewayConfig{Cluster: "west", Share: []string{"news"}}
		if change != nil {
			change(c.Gateway)
		}
	}
}
