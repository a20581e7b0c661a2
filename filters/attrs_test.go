package filters

import (
	"math"
	"testing"

	"kecho/channel"
)

func TestLoadIn(t *testing.T) {
	for _, c := range []struct {
		name  string
		attrs channel.Attrs
		want  float64
		ok    bool
	}{
		{"none", nil, 0, false},
		{"honest", channel.Attrs{Load.Of(0.4)}, 0.4, true},
		{"idle", channel.Attrs{Load.Of(0)}, 0, true},
		{"integer", channel.Attrs{channel.Key[int64](Load).Of(1)}, 0, false},
		{"not a number", channel.Attrs{Load.Of(math.NaN())}, 0, false},
		{"negative", channel.Attrs{Load.Of(-1)}, 0, false},
		{"minus infinity", channel.Attrs{Load.Of(math.Inf(-1))}, 0, false},
		{"absurd", channel.Attrs{Load.Of(1e308)}, MaxLoad, true},
		{"infinite", channel.Attrs{Load.Of(math.Inf(1))}, MaxLoad, true},
	} {
		if got, ok := LoadIn(c.attrs); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestCapacityIn(t *testing.T) {
	for _, c := range []struct {
		attrs channel.Attrs
		want  int64
		ok    bool
	}{
		{nil, 0, false},
		{channel.Attrs{Capacity.Of(4)}, 4, true},
		{channel.Attrs{Capacity.Of(0)}, 0, true},
		{channel.Attrs{Capacity.Of(math.MinInt64)}, 0, true},
		{channel.Attrs{Capacity.Of(math.MaxInt64)}, MaxCapacity, true},
		{channel.Attrs{channel.Key[float64](Capacity).Of(4)}, 0, false},
	} {
		if got, ok := CapacityIn(c.attrs); got != c.want || ok != c.ok {
			t.Errorf("%v: %v, %v; want %v, %v", c.attrs, got, ok, c.want, c.ok)
		}
	}
}

func TestWeightIn(t *testing.T) {
	for _, c := range []struct {
		attrs channel.Attrs
		want  float64
	}{
		{nil, 1},
		{channel.Attrs{Weight.Of(2.5)}, 2.5},
		{channel.Attrs{Weight.Of(0)}, 0},
		{channel.Attrs{Weight.Of(math.Copysign(0, -1))}, 0},
		{channel.Attrs{Weight.Of(1e-9)}, MinWeight},
		{channel.Attrs{Weight.Of(math.Inf(1))}, MaxWeight},
		{channel.Attrs{Weight.Of(math.NaN())}, 1},
		{channel.Attrs{Weight.Of(-1)}, 1},
		{channel.Attrs{channel.Key[int64](Weight).Of(4)}, 1},
	} {
		if got := WeightIn(c.attrs); got != c.want {
			t.Errorf("%v: %v, want %v", c.attrs, got, c.want)
		}
	}
}
