package channel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// groupsOf reads "a+b,c@2": a, and b or c from node 2.
func groupsOf(s string) (groups [][]Match) {
	for group := range strings.SplitSeq(s, "+") {
		var terms []Match
		for term := range strings.SplitSeq(group, ",") {
			typ, at, _ := strings.Cut(term, "@")
			m := Match{Type: Type(strings.Trim(typ, "*"))}
			fmt.Sscan(at, &m.Source)
			terms = append(terms, m)
		}
		groups = append(groups, terms)
	}
	return groups
}

// Each word is an event: type, node, number, and the second at which its
// deadline is, if any; one comes each second. A set is written in parentheses
// behind the event that completed it.
func TestCorrelationScripts(t *testing.T) {
	for _, c := range []struct{ groups, in, want string }{
		{"a,b", "a1 b2", "(a1) (b2); 0 displaced 0 late 0 held"},
		{"a+b", "a1 b2", "(a1 b2); 0 displaced 0 late 0 held"},
		{"a+b", "b1 a2 a3", "(a2 b1); 0 displaced 0 late 1 held"},
		{"a+b", "a1 a2 a3 b4", "(a3 b4); 2 displaced 0 late 0 held"},
		{"a+b,c", "a1 c2 b3 a4", "(a1 c2) (a4 b3); 0 displaced 0 late 0 held"},
		{"a+*", "a1 a2", "(a1) (a2); 0 displaced 0 late 0 held"},
		{"a+*+b", "a1 a2 b3", "(a2 b3); 1 displaced 0 late 0 held"},
		{"a+*+b", "a1 c2 b3", "(a1 b3); 1 displaced 0 late 0 held"},
		{"a@1+a@2", "a1 a3 a2", "(a1 a2); 0 displaced 0 late 0 held"},
		{"a+b", "a1/1 c2 b3 a4", "(a4 b3); 0 displaced 1 late 0 held"},
		{"a+*+b", "a1/1 c2 c3 b4 a5", "(a5 b4); 2 displaced 1 late 0 held"},
	} {
		groups := groupsOf(c.groups)
		cor := correlation{groups: groups, have: make([]*Event, len(groups))}
		start := time.Unix(0, 0)
		var sets []string
		displaced, late := 0, 0
		for i, word := range strings.Fields(c.in) {
			e := &Event{Type: Type(word[:1])}
			word, deadline, ok := strings.Cut(word, "/")
			fmt.Sscan(word[1:], &e.ID.Source)
			if ok {
				seconds := 0
				fmt.Sscan(deadline, &seconds)
				e.Deadline = start.Add(time.Duration(seconds) * time.Second)
			}
			o := cor.offer(e, start.Add(time.Duration(i)*time.Second))
			displaced, late = displaced+o.displaced, late+o.late
			if o.set != nil {
				var names []string
				for _, e := range o.set {
					names = append(names, fmt.Sprint(e.Type, uint64(e.ID.Source)))
				}
				sets = append(sets, "("+strings.Join(names, " ")+")")
			}
		}
		got := fmt.Sprintf("%s; %d displaced %d late %d held", strings.Join(sets, " "), displaced, late, cor.clear())
		if got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.groups, c.in, got, c.want)
		}
	}
}

// Of every event one thing becomes: it is in a set, gave way, was late or is
// held; and each set satisfies every group.
func TestCorrelationLosesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		groups := groupsOf([]string{"a,b", "a+b", "a+b,c+*", "a@1+*@2", "*+a+b@1,c"}[round%5])
		cor := correlation{groups: groups, have: make([]*Event, len(groups))}
		taken, ended := 0, 0
		for i := range 40 {
			now := time.Unix(int64(i), 0)
			e := &Event{Type: Type([]string{"a", "b", "c"}[rnd.IntN(3)]), ID: ID{Source: NodeID(1 + rnd.IntN(3))}}
			if rnd.IntN(4) == 0 {
				e.Deadline = now.Add(time.Duration(rnd.IntN(5)) * time.Second)
			}
			for _, g := range groups {
				if slices.ContainsFunc(g, func(m Match) bool { return m.matches(e) }) {
					taken++
					break
				}
			}
			o := cor.offer(e, now)
			ended += o.displaced + o.late + len(o.set)
			for _, g := range groups {
				if o.set != nil && !slices.ContainsFunc(o.set, func(e *Event) bool {
					return slices.ContainsFunc(g, func(m Match) bool { return m.matches(e) })
				}) {
					t.Fatalf("round %d: a set without an event for %v", round, g)
				}
			}
		}
		if ended += cor.clear(); ended != taken {
			t.Fatalf("round %d: %d events came, %d are accounted for", round, taken, ended)
		}
	}
}
