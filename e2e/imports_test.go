package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// imports is one line of the table: what a package may import besides the
// standard library.
type imports struct {
	ours    []string // packages of this module
	modules []string // third-party modules, by the prefix of their import paths
	tests   []string // packages of this module that its test files may import too
}

// importTable is the import direction of docs/design.md, "Direction". cmd -> agent ->
// {balancer, resmgr} -> filters -> channel, and balancer and resmgr do not know
// each other. A package without a line fails: whoever adds one says here where
// it stands.
var importTable = map[string]imports{
	"channel": {
		modules: []string{msgpack},
		tests:   []string{"channel/link", "channel/registry"},
	},
	"channel/gateway":   {ours: []string{"channel"}},
	"channel/nonblock":  {},
	"channel/link":      {ours: []string{"channel", "channel/nonblock"}},
	"channel/link/quic": {ours: []string{"channel/link"}, modules: []string{quicgo}, tests: []string{"channel"}},
	"channel/registry":  {ours: []string{"channel"}, modules: []string{serf, memberlist}, tests: []string{"channel/link"}},
	"channel/memnet":    {ours: []string{"channel"}, modules: []string{memberlist}},
	"channel/channeltest": {
		ours: []string{"channel", "channel/link", "channel/registry", "channel/memnet"},
	},
	"filters":            {ours: []string{"channel"}},
	"filters/dynamic":    {ours: []string{"channel", "filters"}},
	"filters/expression": {ours: []string{"channel", "filters", "filters/dynamic"}, modules: []string{exprlang}},
	"filters/wasm":       {ours: []string{"channel", "filters/dynamic"}, modules: []string{wazero}},
	"balancer": {
		ours:    []string{"channel", "channel/nonblock", "filters", "balancer/clients", "balancer/h1", "balancer/policy", "balancer/choice"},
		modules: []string{httpguts, httpsfv},
		tests:   []string{"channel/link", "channel/registry"},
	},
	"balancer/clients":    {},
	"balancer/h1":         {ours: []string{"channel/nonblock"}},
	"balancer/policy":     {},
	"balancer/choice":     {ours: []string{"channel", "filters", "balancer/policy"}},
	"balancer/sim":        {ours: []string{"channel", "filters", "balancer/policy", "balancer/choice"}},
	"resmgr":              {ours: []string{"channel", "filters", "resmgr/syntax"}},
	"resmgr/journal":      {ours: []string{"channel", "resmgr"}, modules: []string{bbolt}},
	"resmgr/monitor":      {ours: []string{"resmgr/syntax"}},
	"resmgr/syntax":       {},
	"resmgr/monitor/host": {ours: []string{"resmgr/monitor"}, modules: []string{gopsutil}},
	"agent": {
		ours: []string{
			"channel", "channel/gateway", "channel/link", "channel/link/quic", "channel/registry", "filters", "balancer", "balancer/clients", "balancer/policy",
			"resmgr", "resmgr/journal", "resmgr/monitor", "resmgr/monitor/host", "agent/api", "agent/channels", "agent/filtering", "agent/gauges", "agent/metrics", "agent/news", "agent/orca",
		},
		modules: []string{proxyproto},
		tests:   []string{"agent/cloudevents"},
	},
	"agent/api":         {ours: []string{"agent/channels", "agent/cloudevents", "agent/news", "resmgr", "resmgr/monitor"}, modules: []string{huma, websocket}, tests: []string{"channel"}},
	"agent/channels":    {ours: []string{"channel", "agent/cloudevents", "agent/news"}},
	"agent/cloudevents": {},
	"agent/filtering":   {ours: []string{"agent/api", "channel", "filters/dynamic", "filters/expression", "filters/wasm"}},
	"agent/gauges":      {ours: []string{"agent/api", "channel", "resmgr/monitor"}},
	"agent/news":        {},
	"agent/orca":        {ours: []string{"resmgr/monitor"}},
	"agent/metrics":     {modules: []string{prometheus}},
	"agent/agenttest": {
		ours: []string{"channel", "channel/memnet", "channel/registry", "agent", "agent/api", "balancer", "resmgr/monitor/host"},
	},
	"cmd/kecho":            {ours: []string{"agent", "agent/api", "agent/cloudevents", "cmd/kecho/demo", "resmgr/monitor/host"}, modules: []string{urfave, "golang.org/x/sys/unix"}},
	"cmd/kecho-lab":        {ours: []string{"balancer/policy", "balancer/sim", "cmd/kecho-lab/events", "cmd/kecho-lab/fronts", "cmd/kecho-lab/live", "cmd/kecho-lab/paper"}, modules: []string{urfave, gonum}},
	"cmd/kecho-lab/paper":  {ours: []string{"channel", "channel/link", "filters", "filters/dynamic", "filters/expression"}},
	"cmd/kecho-lab/fronts": {ours: []string{"cmd/kecho-lab/alarm"}},
	"cmd/kecho-lab/alarm":  {modules: []string{"golang.org/x/sys/unix"}}, // timerfd
	"cmd/kecho-lab/events": {
		ours:    []string{"channel", "channel/link", "channel/link/quic", "channel/registry", "cmd/kecho-lab/alarm"},
		modules: []string{nats, "golang.org/x/sys/unix"}, // the clock that processes share
	},
	"cmd/kecho-lab/live": {
		ours:    []string{"agent/api", "balancer", "balancer/policy", "balancer/sim", "cmd/kecho-lab/alarm", "cmd/kecho-lab/events", "cmd/kecho-lab/fronts", "cmd/kecho/demo"},
		modules: []string{"golang.org/x/sys/unix"},
	},
	"cmd/kecho/demo":       {ours: []string{"agent", "agent/api"}, tests: []string{"channel/registry"}},
	"examples/filter-wasm": {},
	"examples/middleware":  {ours: []string{"agent"}},
	"e2e":                  {tests: []string{"agent/api", "channel", "channel/link", "cmd/kecho-lab/live", "cmd/kecho-lab/paper", "cmd/kecho/demo", "resmgr/monitor/host"}},
}

// testHelpers are packages that only test files may import, and each other.
var testHelpers = []string{"channel/channeltest", "channel/memnet", "agent/agenttest"}

const (
	msgpack    = "github.com/vmihailenco/msgpack/v5"
	serf       = "github.com/hashicorp/serf"
	memberlist = "github.com/hashicorp/memberlist"
	gopsutil   = "github.com/shirou/gopsutil/v3"
	urfave     = "github.com/urfave/cli/v2"
	bbolt      = "go.etcd.io/bbolt"
	httpguts   = "golang.org/x/net/http/httpguts"
	httpsfv    = "github.com/dunglas/httpsfv"
	gonum      = "gonum.org/v1/plot"
	prometheus = "github.com/prometheus"
	proxyproto = "github.com/pires/go-proxyproto"
	exprlang   = "github.com/expr-lang/expr"
	wazero     = "github.com/tetratelabs/wazero"
	quicgo     = "github.com/quic-go/quic-go"
	huma       = "github.com/danielgtaylor/huma/v2"
	websocket  = "github.com/coder/websocket"
	nats       = "github.com/nats-io/nats.go"
)

// testModules may be imported by any test file and by nothing else, besides
// the modules of the package's own line.
var testModules = []string{
	"pgregory.net/rapid",
	"github.com/google/go-cmp",
	"github.com/anishathalye/porcupine",
	"github.com/rogpeppe/go-internal",
	"go.uber.org/goleak",
	"golang.org/x/net/nettest",
	"golang.org/x/net/http2", // frames to order
	"golang.org/x/sys/unix",  // network namespaces
	"google.golang.org/grpc", // its own client and server
	"github.com/prometheus/client_golang/prometheus/testutil",
}

func TestImports(t *testing.T) {
	sources := tree(t)
	report(t, checkImports(sources, importTable))
	report(t, staleLines(sources, importTable))
}

func TestImportsCheckFinds(t *testing.T) {
	table := map[string]imports{
		"low":     {},
		"high":    {ours: []string{"low"}, modules: []string{serf}},
		"gone":    {},
		"renamed": {},
	}
	sources := []source{
		parseSource(t, "low/a.go", "package low\nimport \"fmt\"\nimport \"kecho/high\"\nvar _ = fmt.Sprint"),
		parseSource(t, "low/b.go", "package low\nimport \"github.com/hashicorp/serf/serf\""),
		parseSource(t, "low/c.go", "package low\nimport \"pgregory.net/rapid\""),
		parseSource(t, "low/d.go", "package low\nimport \"kecho/channel/memnet\""),
		parseSource(t, "low/a_test.go", "package low_test\nimport (\n\"kecho/low\"\n\"kecho/channel/memnet\"\n\"pgregory.net/rapid\"\n)"),
		parseSource(t, "high/a.go", "package high\nimport (\n\"kecho/low\"\n\"github.com/hashicorp/serf/serf\"\n)"),
		parseSource(t, "high/b.go", "package high\nimport \"github.com/hashicorp/serfdom\""),
		parseSource(t, "new/a.go", "package new"),
		parseSource(t, "renamed/a.go", "package renamed"),
	}
	expect(t, checkImports(sources, table),
		"low/a.go imports kecho/high",
		"low/b.go imports github.com/hashicorp/serf/serf",
		"low/c.go imports pgregory.net/rapid",
		"low/d.go imports kecho/channel/memnet",
		"high/b.go imports github.com/hashicorp/serfdom",
		"package new has no line",
	)
	expect(t, staleLines(sources, table), "gone")
}

// checkImports names every import outside its package's line, and every
// package without a line.
func checkImports(sources []source, table map[string]imports) []string {
	var bad []string
	unknown := map[string]bool{}
	for _, s := range sources {
		line, ok := table[s.pkg]
		if !ok {
			unknown[s.pkg] = true
			continue
		}
		for _, p := range s.imports() {
			if !allowed(s, line, p) {
				bad = append(bad, fmt.Sprintf("%s imports %s, which importTable does not allow to package %s", s.name, p, s.pkg))
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(unknown)) {
		bad = append(bad, fmt.Sprintf("package %s has no line in importTable: say there what it may import", pkg))
	}
	return bad
}

func allowed(s source, line imports, p string) bool {
	if ours, ok := strings.CutPrefix(p, modulePath+"/"); ok {
		if slices.Contains(line.ours, ours) {
			return true
		}
		return s.test && (ours == s.pkg || slices.Contains(line.tests, ours) || slices.Contains(testHelpers, ours))
	}
	first, _, _ := strings.Cut(p, "/")
	if !strings.Contains(first, ".") {
		return true // the standard library
	}
	return within(p, line.modules) || s.test && within(p, testModules)
}

// within reports whether the import path p is one of modules or below one.
func within(p string, modules []string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return p == m || strings.HasPrefix(p, m+"/") })
}

// staleLines names every line of the table whose package does not exist.
func staleLines(sources []source, table map[string]imports) []string {
	exist := packages(sources)
	var bad []string
	for _, pkg := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(exist, pkg) {
			bad = append(bad, fmt.Sprintf("importTable has a line for %s, which does not exist", pkg))
		}
	}
	return bad
}
