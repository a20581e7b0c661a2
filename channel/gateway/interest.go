package gateway

import (
	"slices"
	"strings"

	"kecho/channel"
)

// disjunction is what the nodes of the cluster there want, as it is told to the
// cluster here: with the path from here. What leads back here is left out, and
// what is farther than hops. Of several paths to one cluster the shortest is
// taken, so that as much is told of a ring as of a tree.
//
// It serves for what is brought, too, with the two clusters exchanged.
func disjunction(all []channel.Interest, there, here string, hops int, types []channel.Type) []channel.Interest {
	type goal struct {
		cluster string
		term    channel.Match
	}
	paths := make(map[goal][]string)
	for _, in := range all {
		if len(in.Path) >= hops || slices.Contains(in.Path, here) || slices.Contains(in.Path, there) {
			continue
		}
		path := append([]string{there}, in.Path...)
		for _, term := range allowed(in.Terms, types) {
			g := goal{path[len(path)-1], term}
			if have, ok := paths[g]; !ok || shorter(path, have) {
				paths[g] = path
			}
		}
	}
	terms := make(map[string]*channel.Interest)
	for g, path := range paths {
		key := strings.Join(path, "\x00")
		in := terms[key]
		if in == nil {
			in = &channel.Interest{Path: path}
			terms[key] = in
		}
		in.Terms = append(in.Terms, g.term)
	}
	var told []channel.Interest
	for _, in := range terms {
		in.Terms = concise(in.Terms, types)
		told = append(told, *in)
	}
	slices.SortFunc(told, channel.CompareInterests)
	return told[:min(len(told), channel.MaxInterests)]
}

// wants is what all of them want.
func wants(all []channel.Wanting) (left []channel.Interest) {
	for i := range all {
		left = append(left, all[i].Interests...)
	}
	return left
}

// brings is what all of them bring.
func brings(all []channel.Wanting) (left []channel.Interest) {
	for i := range all {
		for _, in := range all[i].Brings {
			if len(in.Path) > 0 { // who says that it brings this cluster's own has no say
				left = append(left, in)
			}
		}
	}
	return left
}

func shorter(a, b []string) bool {
	return channel.CompareInterests(channel.Interest{Path: a}, channel.Interest{Path: b}) < 0
}

// allowed is the terms as far as they are of types; nil: of all.
func allowed(terms []channel.Match, types []channel.Type) []channel.Match {
	if types == nil {
		return terms
	}
	var left []channel.Match
	for _, m := range terms {
		switch {
		case m.Type == "":
			for _, t := range types {
				left = append(left, channel.Match{Type: t, Source: m.Source})
			}
		case slices.Contains(types, m.Type):
			left = append(left, m)
		}
	}
	return left
}

// concise is the terms in order, or what stands for all where they say so or are
// too many.
func concise(terms []channel.Match, types []channel.Type) []channel.Match {
	if len(terms) > channel.MaxInterestTerms || slices.Contains(terms, channel.Match{}) {
		terms = allowed([]channel.Match{{}}, types)
	}
	slices.SortFunc(terms, channel.CompareMatches)
	return terms
}

func sameInterest(a, b channel.Interest) bool {
	return slices.Equal(a.Path, b.Path) && slices.Equal(a.Terms, b.Terms)
}

// table is what a flow decides by. It is immutable.
type table struct {
	wanted   []channel.Interest
	gateways []channel.Wanting  // the gateways from here to there, this one among them
	brings   []channel.Interest // what is brought there, by this gateway too
	alone    bool               // no other node of here is in sight
}

// way reports whether events like e come there from here: of all ways from where
// it was submitted that is the shortest, and where two are equally short, the
// first by the names of the clusters.
func (t *table) way(here string, e *channel.Event) bool {
	if t == nil || t.alone {
		return true
	}
	source := here
	if len(e.Path) > 0 {
		source = e.Path[0]
	}
	var best []string
	for i := range t.brings {
		in := &t.brings[i]
		if in.Path[len(in.Path)-1] == source && (best == nil || shorter(in.Path, best)) && in.Brings(e) {
			best = in.Path
		}
	}
	return best == nil || best[0] == here
}

// siblings is who forwards from here to there: what each of them wants on behalf
// of there and beyond.
func siblings(all []channel.Wanting, there string) []channel.Wanting {
	var left []channel.Wanting
	for _, node := range all {
		var through []channel.Interest
		for _, in := range node.Interests {
			if len(in.Path) > 0 && in.Path[0] == there {
				through = append(through, in)
			}
		}
		if through != nil {
			left = append(left, channel.Wanting{Node: node.Node, Interests: through})
		}
	}
	return left
}

// mine reports whether it is for the gateway whose node is self to forward e: it
// has the highest rank of those that would.
func (t *table) mine(self channel.NodeID, e *channel.Event) bool {
	if t == nil {
		return true
	}
	own := rank(self, e.ID.Source)
	for _, g := range t.gateways {
		if g.Node == self || rank(g.Node, e.ID.Source) <= own {
			continue
		}
		if slices.ContainsFunc(g.Interests, func(in channel.Interest) bool { return in.Wants(e) }) {
			return false
		}
	}
	return true
}

// rank is a hash of both: each gateway is first for its part of the sources, and
// which part does not change when another one comes or goes.
func rank(gateway, source channel.NodeID) uint64 {
	x := uint64(gateway) ^ uint64(source)*0x9e3779b97f4a7c15
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
