package dynamic

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kecho/channel"
	"kecho/filters"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fourSinks is this node, 1, and three others of load .9, .1 and .4; 4 was not
// heard for 5 s.
func fourSinks() []channel.Sink {
	sink := func(node channel.NodeID, load float64, zone string, age time.Duration) channel.Sink {
		return channel.Sink{
			Node: node, Heard: start.Add(-age), Local: node == 1,
			Attrs: channel.Attrs{filters.Load.Of(load), filters.Zone.Of(zone), filters.Capacity.Of(4)},
		}
	}
	return []channel.Sink{sink(1, 0, "a", 0), sink(2, .9, "a", 0), sink(3, .1, "b", 0), sink(4, .4, "b", 5*time.Second)}
}

func nodesOf(sinks []channel.Sink) []channel.NodeID {
	var nodes []channel.NodeID
	for _, s := range sinks {
		nodes = append(nodes, s.Node)
	}
	return nodes
}

func testStock() *Stock {
	return NewStock(StockConfig{
		Zone: "a", Now: func() time.Time { return start }, Rand: func() float64 { return 0 },
		Sent: func(n channel.NodeID) int { return map[channel.NodeID]int{3: 3}[n] },
	})
}

func TestStockKeeps(t *testing.T) {
	for source, want := range map[string][]channel.NodeID{
		"remote":                                 {2, 3, 4},
		"remote | fresh":                         {2, 3},
		"remote|fresh max-age=6s":                {2, 3, 4},
		"remote | least-loaded n=2":              {4, 3}, // three of this node's are on their way to 3
		"least-loaded":                           {1},
		"near":                                   {1, 2},
		"near zone=b":                            {3, 4},
		"near zone=c":                            {1, 2, 3, 4},
		"sample n=2":                             {1, 2},
		"sample n=9 weight=capacity":             {1, 2, 3, 4},
		"taking | thin":                          {1, 2, 3, 4},
		"origin":                                 {3},
		"none":                                   nil,
		"types only=job,work":                    {1, 2, 3, 4},
		"types only=job":                         nil,
		"types except=work":                      nil,
		"types except=job\n| remote |\n\torigin": {3},
	} {
		p, err := testStock().Compile(Out, []byte(source))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		e := &channel.Event{Type: "work", Re: channel.ID{Source: 3, Seq: 1}}
		kept, err := p.Run(e, fourSinks())
		if got := nodesOf(kept); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s keeps %v, %v; want %v", source, got, err, want)
		}
	}
}

func TestStockRefuses(t *testing.T) {
	for _, c := range []struct {
		direction Direction
		source    string
		want      string // the start
	}{
		{Out, "", "column 1: a filter's name is missing: want one of: fresh, least-loaded, near"},
		{Out, "remote | ", "column 10: a filter's name is missing"},
		{Out, "remote |  leastloaded", `column 11: no stock filter "leastloaded": want one of: fresh, least-loaded`},
		{Out, "least-loaded m=2", `column 1: least-loaded: no parameter "m": it has n`},
		{Out, "remote n=2", `column 1: remote: no parameter "n": it has none`},
		{Out, "sample n=0", `column 1: sample: parameter n: "0" is not a number from 1 to 10000`},
		{Out, "sample n=1 n=2", "column 1: sample: parameter n is given twice"},
		{Out, "sample 3", `column 1: sample: "3" is not name=value`},
		{Out, "sample weight=load", `column 1: sample: parameter weight: "load" is not one of none, weight, capacity`},
		{Out, "fresh max-age=-1s", `column 1: fresh: parameter max-age: "-1s" is not a duration above 0`},
		{Out, "types only=a,,b", `column 1: types: parameter only: "a,,b" is empty or has an empty word`},
		{In, "remote", "column 1: remote picks among nodes: it can only be an OUT-filter"},
		{In, "x", `column 1: no stock filter "x": want one of: none, types`},
		{Out, strings.Repeat(" ", 5000), "stock filter of 5000 bytes, at most 4096"},
	} {
		_, err := testStock().Compile(c.direction, []byte(c.source))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %.40q: %v, want %s", c.direction, c.source, err, c.want)
		}
	}
}

// TestStockDescribes: each filter can be made with its defaults and has what a
// list shows.
func TestStockDescribes(t *testing.T) {
	s := testStock()
	if !slices.IsSortedFunc(s.Filters(), func(a, b StockFilter) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("filters are not in the order of their names")
	}
	for _, f := range s.Filters() {
		if f.About == "" {
			t.Errorf("%s says nothing about itself", f.Name)
		}
		for _, p := range f.Params {
			if p.About == "" || p.Default != "" && p.check(p.Default) != nil {
				t.Errorf("%s: parameter %s has no description, or a default that is refused", f.Name, p.Name)
			}
		}
		if _, err := s.Compile(Out, []byte(f.Name)); err != nil {
			t.Errorf("%s with defaults: %v", f.Name, err)
		}
	}
}
