package filters

import (
	"math"
	"time"

	"kecho/channel"
)

// The attributes that nodes describe themselves with (channel.Node.Describe)
// and that the filters here read.
const (
	// Name is what people call the node.
	Name channel.Key[string] = "name"
	// Load is (running + queued) / capacity: 1 is a server with all its places
	// taken and nobody waiting. Read it with LoadIn.
	Load channel.Key[float64] = "load"
	// Capacity is how many requests the node's server runs at once; 0: it
	// takes nothing. Read it with CapacityIn.
	Capacity channel.Key[int64] = "capacity"
	// Service is how long the node's server takes for a request, the mean in
	// seconds. Read it with ServiceIn.
	Service channel.Key[float64] = "service"
	// Draining says that the node finishes what it has and takes nothing new.
	Draining channel.Key[bool] = "draining"
	// Weight is what the operator says of the node: how often it is picked
	// beside others that are like it; 0: it takes nothing. Read it with
	// WeightIn.
	Weight channel.Key[float64] = "weight"
	// Zone is where the node is. Between two nodes of one zone messages are
	// quick, or cheap. A node without one is near to nobody.
	Zone channel.Key[string] = "zone"
)

// What a node can claim at most (docs/design.md, "Limits").
const (
	MaxLoad     = 1e6
	MaxCapacity = 1_000_000
	MinWeight   = 0.1 // above 0
	MaxWeight   = 10
)

// LoadIn is the load that attrs claim, at most MaxLoad. It reports false when
// there is none, and for what no node can honestly say (negative, not a
// number): such a claim is worth no more than silence, and clamping it to 0
// would make its sender everybody's favourite.
func LoadIn(attrs channel.Attrs) (load float64, ok bool) {
	load, ok = Load.In(attrs)
	if !ok || math.IsNaN(load) || load < 0 {
		return 0, false
	}
	return min(load, MaxLoad), true
}

// CapacityIn is the capacity that attrs claim, from 0 to MaxCapacity; a
// negative one reads as 0. It reports false when there is none.
func CapacityIn(attrs channel.Attrs) (places int64, ok bool) {
	places, ok = Capacity.In(attrs)
	return min(max(places, 0), MaxCapacity), ok
}

// ServiceIn is the mean service time that attrs claim. It reports false when
// there is none, and for what no server can take: nothing, or more than an
// hour.
func ServiceIn(attrs channel.Attrs) (mean time.Duration, ok bool) {
	s, ok := Service.In(attrs)
	if !ok || !(s > 0 && s <= time.Hour.Seconds()) {
		return 0, false
	}
	return max(time.Duration(s*float64(time.Second)), 1), true
}

// WeightIn is the weight that attrs claim, 0 or from MinWeight to MaxWeight.
// None is 1, and so is what no operator can have meant (negative, not a
// number): it draws no more than silence does.
func WeightIn(attrs channel.Attrs) float64 {
	w, ok := Weight.In(attrs)
	switch {
	case !ok || math.IsNaN(w) || w < 0:
		return 1
	case w == 0:
		return 0
	}
	return min(max(w, MinWeight), MaxWeight)
}
