package expression

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kecho/channel"
	"kecho/filters"
	"kecho/filters/dynamic"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func compiled(t testing.TB, d dynamic.Direction, source string) dynamic.Program {
	t.Helper()
	p, err := New(Config{Now: func() time.Time { return start }}).Compile(d, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func anEvent() *channel.Event {
	return &channel.Event{
		ID: channel.ID{Source: 0xab, Seq: 7}, Re: channel.ID{Source: 2, Seq: 1}, Type: "job", Priority: channel.Urgent,
		Attrs: channel.Attrs{
			channel.Key[int64]("size").Of(12), channel.Key[float64]("cost").Of(0.5),
			channel.Key[string]("user").Of("ann"), channel.Key[bool]("paid").Of(true),
		},
		From: channel.Attrs{filters.Load.Of(0.7)},
		Body: make([]byte, 100),
	}
}

// someSinks is n sinks of loads 0, 7/n, 14/n ... modulo 1, in the zones a and b
// in turn; the first is this node, the last says nothing.
func someSinks(n int) []channel.Sink {
	sinks := make([]channel.Sink, n)
	for i := range sinks {
		sinks[i] = channel.Sink{Node: channel.NodeID(i + 1), Local: i == 0, Heard: start.Add(-time.Duration(i) * time.Second)}
		if i < n-1 {
			sinks[i].Attrs = channel.Attrs{
				filters.Load.Of(float64(i*7%n) / float64(n)), filters.Zone.Of(string(rune('a' + i%2))),
				filters.Capacity.Of(int64(i)), channel.Key[int64]("gpu").Of(int64(i % 3)),
			}
		}
	}
	return sinks
}

func nodesOf(sinks []channel.Sink) []channel.NodeID {
	var nodes []channel.NodeID
	for _, s := range sinks {
		nodes = append(nodes, s.Node)
	}
	return nodes
}

func TestConditions(t *testing.T) {
	for source, want := range map[string]bool{
		`true`:                                true,
		`type == "job" && priority == urgent`: true,
		`priority < normal`:                   false,
		`priority in [bulk, urgent]`:          true,
		`source == "00000000000000ab"`:        true,
		`re == "0000000000000002"`:            true,
		`size == 100`:                         true,
		`number(event, "size", 0) == 12`:      true,
		`number(event, "cost", 0) < 0.6`:      true,
		`number(event, "user", 9) == 9`:       true,
		`number(event, "none", 2.5) == 2.5`:   true,
		`text(event, "user", "") == "ann"`:    true,
		`text(event, "size", "?") == "?"`:     true,
		`flag(event, "paid", false)`:          true,
		`flag(event, "user", false)`:          false,
		`has(event, "user")`:                  true,
		`has(event, "load")`:                  false,
		`number(from, "load", 1) > 0.6`:       true,
		`type matches "^j.b$"`:                true,
		`lower("JOB") == type`:                true,
	} {
		for _, d := range []dynamic.Direction{dynamic.In, dynamic.Out} {
			kept, err := compiled(t, d, source).Run(anEvent(), someSinks(3))
			if err != nil || (len(kept) == 3) != want || len(kept) != 0 && len(kept) != 3 {
				t.Errorf("%s-filter %s keeps %d of 3, %v; want %v", d, source, len(kept), err, want)
			}
		}
	}
}

func TestSinks(t *testing.T) {
	for source, want := range map[string][]channel.NodeID{
		`sinks`:                        {1, 2, 3, 4, 5, 6, 7, 8},
		`[]`:                           nil,
		`sinks | take(2)`:              {1, 2},
		`sinks | take(99)`:             {1, 2, 3, 4, 5, 6, 7, 8},
		`reverse(sinks) | take(1)`:     {8},
		`sinks | filter(!.local)`:      {2, 3, 4, 5, 6, 7, 8},
		`sinks | filter(.age > 5)`:     {7, 8},
		`sinks | filter(.zone == "b")`: {2, 4, 6},
		`sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)`:                     {7, 6},
		`sinks | sortBy(.load, "desc") | take(2)`:                                              {8, 2}, // 8 has no load: as good as the worst
		`sinks | filter(number(#, "gpu", 0) == 2 && .capacity > 3)`:                            {6},
		`sinks | filter(.node == "0000000000000003")`:                                          {3},
		`type == "job" ? take(sinks, 1) : []`:                                                  {1},
		`sinks | filter(.weight == 1 && !.draining && .service == 0 && .name == "") | take(1)`: {1},
		`sinks | filter(.capacity > len(sinks) - 3)`:                                           {7},
		`any(sinks, .load > 2)`:                                                                {1, 2, 3, 4, 5, 6, 7, 8},
		`count(sinks, .local) == 0`:                                                            nil,
		`sinks | filter(not has(#, "load"))`:                                                   {8},
	} {
		p := compiled(t, dynamic.Out, source)
		for range 2 { // the second run has the first one's scratch
			kept, err := p.Run(anEvent(), someSinks(8))
			if got := nodesOf(kept); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s keeps %v, %v; want %v", source, got, err, want)
			}
		}
		if _, err := p.Run(anEvent(), nil); err != nil {
			t.Errorf("%s of no sinks: %v", source, err)
		}
	}
}

// TestRunFails: an error of the run leaves the sinks as they were given.
func TestRunFails(t *testing.T) {
	for source, want := range map[string]string{
		`sinks | take(size - 200)`:     "take of a number below 0 (1:9)",
		`7 % (size - 100) == 1`:        "divide by zero",
		`sinks[size].load > 1`:         "out of range",
		`sinks | filter(7 % size > 0)`: "",
	} {
		sinks := someSinks(4)
		_, err := compiled(t, dynamic.Out, source).Run(anEvent(), sinks)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
		if want != "" && !slices.Equal(nodesOf(sinks), []channel.NodeID{1, 2, 3, 4}) {
			t.Errorf("%s: failed and left %v", source, nodesOf(sinks))
		}
	}
}

// BenchmarkRun is the cost per event, over 8 sinks.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct{ name, source string }{
		{"type", `type == "job"`},
		{"condition", `type == "job" && priority >= normal && number(event, "cost", 0) < 0.6`},
		{"filter", `sinks | filter(.load < 0.8)`},
		{"best2", `sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)`},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, e, given := compiled(b, dynamic.Out, c.source), anEvent(), someSinks(8)
			sinks := slices.Clone(given)
			b.ReportAllocs()
			for b.Loop() {
				copy(sinks, given)
				if _, err := p.Run(e, sinks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
