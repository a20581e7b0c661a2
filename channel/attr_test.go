package channel_test

import (
	"fmt"
	"math"
	"testing"

	"kecho/channel"
)

func TestKeys(t *testing.T) {
	attrs := channel.Attrs{color.Of("red"), load.Of(-0.5), tries.Of(math.MinInt64), fresh.Of(true), fresh.Of(false)}
	if v, ok := color.In(attrs); v != "red" || !ok {
		t.Errorf("color %q, %v", v, ok)
	}
	if v, ok := load.In(attrs); v != -0.5 || !ok {
		t.Errorf("load %v, %v", v, ok)
	}
	if v, ok := tries.In(attrs); v != math.MinInt64 || !ok {
		t.Errorf("tries %v, %v", v, ok)
	}
	if v, ok := fresh.In(attrs); !v || !ok {
		t.Errorf("fresh %v, %v: the first of a name counts", v, ok)
	}
	if v, ok := channel.Key[int64]("load").In(attrs); v != 0 || ok {
		t.Errorf("load as an integer %v, %v", v, ok)
	}
	if v, ok := channel.Key[bool]("tries").In(attrs); v || ok {
		t.Errorf("tries as a bool %v, %v", v, ok)
	}
	if _, ok := color.In(nil); ok {
		t.Error("something is in nothing")
	}
	if got := fmt.Sprint(attrs, channel.Attr{}.Value()); got != "[color=red load=-0.5 tries=-9223372036854775808 fresh=true fresh=false] <nil>" {
		t.Errorf("printed as %s", got)
	}
}

func TestAttrsWith(t *testing.T) {
	a := channel.Attrs{color.Of("red"), tries.Of(1)}
	b := a.With(tries.Of(2), load.Of(3), load.Of(4))
	c := a.Clone()
	c[0] = color.Of("blue")
	if got := fmt.Sprint(a, b); got != "[color=red tries=1] [color=red tries=2 load=4]" {
		t.Errorf("got %s", got)
	}
}
