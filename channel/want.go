package channel

import (
	"cmp"
	"slices"
	"strings"
)

// Interest is what somebody wants of a channel's events, and where that is; or
// what a gateway brings to the channel, and where from.
type Interest struct {
	// Path is the clusters between this one and who wants the events, or submits
	// them: first the next one, last the one in which that is. Nil: in this one.
	Path []string
	// Terms say which: those that match any of them. The zero Match is all.
	Terms []Match
}

// Limits on what a node says that it wants of one channel. More terms are told
// as all events; of more paths the longest are left out.
const (
	MaxInterests     = 16 // of them, one for each path
	MaxInterestTerms = 64 // of each
)

// Wants reports whether e is among what is wanted, and has not passed a cluster
// that it would have to pass again.
func (in *Interest) Wants(e *Event) bool {
	return in.Brings(e) &&
		!slices.ContainsFunc(in.Path, func(cluster string) bool { return slices.Contains(e.Path, cluster) })
}

// Brings reports whether e is among what is brought.
func (in *Interest) Brings(e *Event) bool {
	return slices.ContainsFunc(in.Terms, func(m Match) bool { return m.matches(e) })
}

// wantsAny reports whether e is wanted by any of them.
func wantsAny(all []Interest, e *Event) bool {
	for i := range all {
		if all[i].Wants(e) {
			return true
		}
	}
	return false
}

// CompareInterests orders by the length of the path, and then by its names.
func CompareInterests(a, b Interest) int {
	return cmp.Or(cmp.Compare(len(a.Path), len(b.Path)), slices.Compare(a.Path, b.Path))
}

// CompareMatches orders by type and then by source.
func CompareMatches(a, b Match) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Source, b.Source))
}

// disjunction is interests in the making: of each path all terms, once.
type disjunction struct {
	paths map[string]*Interest
	have  map[string]map[Match]bool
}

func newDisjunction() *disjunction {
	return &disjunction{paths: make(map[string]*Interest), have: make(map[string]map[Match]bool)}
}

// add takes in that these terms are wanted at the end of this path.
func (d *disjunction) add(path []string, terms []Match) {
	key := strings.Join(path, "\x00")
	in := d.paths[key]
	if in == nil {
		in = &Interest{Path: path}
		d.paths[key], d.have[key] = in, make(map[Match]bool)
	}
	have := d.have[key]
	for _, m := range terms {
		switch {
		case have[Match{}] || have[m]:
			continue
		case m == (Match{}) || len(in.Terms) == MaxInterestTerms:
			in.Terms = append(in.Terms[:0], Match{})
			have[Match{}] = true
			continue
		}
		have[m] = true
		in.Terms = append(in.Terms, m)
	}
}

// interests is what was added, in an order that depends on nothing else, within
// the limits.
func (d *disjunction) interests() []Interest {
	var all []Interest
	for _, in := range d.paths {
		slices.SortFunc(in.Terms, CompareMatches)
		all = append(all, *in)
	}
	slices.SortFunc(all, CompareInterests)
	return all[:min(len(all), MaxInterests)]
}

func sameInterests(a, b []Interest) bool {
	return slices.EqualFunc(a, b, func(a, b Interest) bool {
		return slices.Equal(a.Path, b.Path) && slices.Equal(a.Terms, b.Terms)
	})
}

// wanted is what the subscriptions of this node want now.
func (c *Channel) wanted() []Interest {
	d := newDisjunction()
	c.subs.every(func(s *Subscription) {
		switch {
		case s.suspended.Load() || s.closed.Load():
		case s.cfg.Interests == nil:
			d.add(nil, s.terms)
		default:
			for _, in := range s.cfg.Interests {
				d.add(in.Path, in.Terms)
			}
		}
	})
	return d.interests()
}
