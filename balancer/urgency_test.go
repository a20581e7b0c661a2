package balancer

import (
	"strings"
	"testing"

	"kecho/balancer/policy"
)

func TestUrgency(t *testing.T) {
	for value, want := range map[string]policy.Class{
		"": 0, "u=0": -3, "u=3": 0, "u=7": 4, "u=5, i": 2, "i, u=1": -2, "i": 0, "u=1;x=y": -2,
		"u=2, u=6": 3, "u=8": 0, "u=-1": 0, "u=1.0": 0, "u": 0, "u=(1 2)": 0, `u="1"`: 0,
		"u=": 0, "U=1": 0, "u=1,": 0, "u = 1": 0, "\x00": 0, "u=99999999999999999999": 0,
		"x=1, u=6": 3, strings.Repeat("a, ", 10_000) + "u=0": -3,
	} {
		if got := urgencyOf([]string{value}); got != want {
			t.Errorf("%.40q has class %d, want %d", value, got, want)
		}
	}
	if got := urgencyOf([]string{"i", "u=1"}); got != -2 {
		t.Errorf("on two lines: class %d, want -2", got)
	}
	if got := urgencyOf(nil); got != 0 {
		t.Errorf("without the header: class %d, want 0", got)
	}
}

func FuzzUrgency(f *testing.F) {
	f.Add("u=1, i")
	f.Add(`u=(1 2);a=:YQ==:, i=?0, x=@1659578233, y=%"f%c3%bc"`)
	f.Fuzz(func(t *testing.T, value string) {
		if c := urgencyOf([]string{value}); c < policy.FirstClass || c > policy.LastClass {
			t.Errorf("%q has class %d", value, c)
		}
	})
}
