package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kecho/channel"
)

// paths reads "a,b:x" as what is wanted of type x, or of all for *, at the end
// of the path a, b.
func paths(t *testing.T, texts ...string) (all []channel.Interest) {
	t.Helper()
	for _, text := range texts {
		path, terms, ok := strings.Cut(text, ":")
		if !ok {
			t.Fatalf("%q has no terms", text)
		}
		var in channel.Interest
		if path != "" {
			in.Path = strings.Split(path, ",")
		}
		for _, typ := range strings.Split(terms, "|") {
			in.Terms = append(in.Terms, channel.Match{Type: channel.Type(strings.TrimPrefix(typ, "*"))})
		}
		all = append(all, in)
	}
	return all
}

func TestDisjunction(t *testing.T) {
	for _, c := range []struct {
		name      string
		said      []string
		types     []channel.Type
		want      []string
		wantTerms int // when it is not worth writing down
	}{
		{name: "nothing"},
		{name: "of the cluster itself", said: []string{":x", ":y|x"}, want: []string{"b:x|y"}},
		{name: "all is more than some", said: []string{":x", ":*"}, want: []string{"b:*"}},
		{name: "from beyond", said: []string{"c:x", "c,d:y", ":z"}, want: []string{"b:z", "b,c:x", "b,c,d:y"}},
		{name: "what leads back", said: []string{"a:x", "c,a:x", "c,a,d:x"}},
		{name: "too far", said: []string{"c,d,e:x", "c,d,e,f:x"}, want: []string{"b,c,d,e:x"}},
		{name: "the shortest of two ways", said: []string{"c,e,d:x", "c,d:x|y", "e,d:x"}, want: []string{"b,c,d:x|y"}},
		{name: "each term by its shortest way", said: []string{"c,e,d:x", "d:y"}, want: []string{"b,d:y", "b,c,e,d:x"}},
		{name: "of two as short the first by name", said: []string{"e,d:x", "c,d:x"}, want: []string{"b,c,d:x"}},
		{name: "only some types", said: []string{":x|y", "c:*", "d:y"}, types: []channel.Type{"x", "z"}, want: []string{"b:x", "b,c:x|z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := disjunction(paths(t, c.said...), "b", "a", 4, c.types)
			if want := paths(t, c.want...); !slices.EqualFunc(got, want, sameInterest) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestDisjunctionIsBounded(t *testing.T) {
	var many, far []channel.Interest
	for i := range channel.MaxInterestTerms + 1 {
		many = append(many, channel.Interest{Terms: []channel.Match{{Type: "x", Source: channel.NodeID(i + 1)}}})
		far = append(far, channel.Interest{Path: []string{fmt.Sprint("c", i)}, Terms: []channel.Match{{}}})
	}
	got := disjunction(many, "b", "a", 4, nil)
	if want := paths(t, "b:*"); !slices.EqualFunc(got, want, sameInterest) {
		t.Errorf("too many terms became %v, want all", got)
	}
	got = disjunction(many, "b", "a", 4, []channel.Type{"x"})
	if want := paths(t, "b:x"); !slices.EqualFunc(got, want, sameInterest) {
		t.Errorf("too many terms of a share's one type became %v, want the type", got)
	}
	got = disjunction(append(far, many[0]), "b", "a", 4, nil)
	if len(got) != channel.MaxInterests || len(got[0].Path) != 1 {
		t.Errorf("%d interests, the first at the end of %q: want %d, the nearest among them", len(got), got[0].Path, channel.MaxInterests)
	}
}

func TestEachSourceHasOneGateway(t *testing.T) {
	gateways := []channel.Wanting{
		{Node: 1, Interests: paths(t, "b:x")}, {Node: 2, Interests: paths(t, "b:*")}, {Node: 3, Interests: paths(t, "b,c:*")},
	}
	tab := &table{gateways: gateways}
	count := make(map[channel.NodeID]int)
	for source := range channel.NodeID(3000) {
		for _, e := range []*channel.Event{
			{ID: channel.ID{Source: source + 10}, Type: "x"},
			{ID: channel.ID{Source: source + 10}, Type: "y"},
			{ID: channel.ID{Source: source + 10}, Type: "y", Path: []string{"c"}},
		} {
			owners := 0
			for _, g := range gateways {
				if wants(gateways[g.Node-1 : g.Node])[0].Wants(e) && tab.mine(g.Node, e) {
					owners++
					count[g.Node]++
				}
			}
			if owners != 1 {
				t.Fatalf("%d gateways forward %s of %v by %q, want 1", owners, e.Type, e.ID.Source, e.Path)
			}
		}
	}
	// x goes to any of three, y to the last two, and what was in c to the second.
	for node, want := range map[channel.NodeID]int{1: 1000, 2: 1000 + 1500 + 3000, 3: 1000 + 1500} {
		if got := count[node]; got < want*9/10 || got > want*11/10 {
			t.Errorf("gateway %v forwards %d, want about %d", node, got, want)
		}
	}
}

func TestWay(t *testing.T) {
	tab := &table{brings: paths(t, "s:x", "u,s:*", "a,s:*", "v:*")}
	for _, c := range []struct {
		here, typ, path string
		want            bool
	}{
		{"s", "x", "", true},   // the shortest
		{"a", "x", "s", false}, // longer
		{"s", "y", "", false},  // not by that way
		{"a", "y", "s", true},  // of two the first by name
		{"u", "y", "s", false}, //
		{"w", "y", "q", true},  // nobody brings what is of q: then by any way
		{"v", "y", "", true},   //
		{"u", "y", "s,t", false},
	} {
		e := &channel.Event{ID: channel.ID{Source: 1}, Type: channel.Type(c.typ)}
		if c.path != "" {
			e.Path = strings.Split(c.path, ",")
		}
		if got := tab.way(c.here, e); got != c.want {
			t.Errorf("%s that has been in %q may come by %s: %v, want %v", c.typ, c.path, c.here, got, c.want)
		}
	}
	if !(&table{brings: tab.brings, alone: true}).way("a", &channel.Event{Type: "x"}) {
		t.Error("who is alone forwards nothing of its own")
	}
	if n := testing.AllocsPerRun(100, func() { tab.way("a", &channel.Event{Type: "x", Path: []string{"s"}}) }); n > 0 {
		t.Errorf("%v allocations to decide", n)
	}
}
