package balancer

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadTimeout(t *testing.T) {
	const none = time.Duration(-1)
	for value, want := range map[string]time.Duration{
		"250": 250 * time.Millisecond, "0": 0, "-5": 0, " 7 ": 7 * time.Millisecond, "+3": 3 * time.Millisecond,
		"1.5s": 1500 * time.Millisecond, "250ms": 250 * time.Millisecond, "2m": 2 * time.Minute, "-1s": 0,
		"999999999999": maxPatience, "9999h": maxPatience,
		"": none, "1.5": none, "soon": none, "1e3": none, "99999999999999999999": none, "5 s": none, "0x10": none,
	} {
		got, ok := readTimeout(value)
		if !ok {
			got = none
		}
		if got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
	for value, want := range map[string]time.Duration{
		"100m": 100 * time.Millisecond, "1S": time.Second, "2M": 2 * time.Minute, "1H": time.Hour,
		"5u": 5 * time.Microsecond, "0n": 0, "99999999H": maxPatience, "99999999m": maxPatience,
		"": none, "m": none, "100": none, "100000000m": none, "1.5S": none, "-1S": none, "1s": none, "1 m": none, "+1m": none,
	} {
		got, ok := readGRPC(value)
		if !ok {
			got = none
		}
		if got != want {
			t.Errorf("grpc-timeout %q is %v, want %v", value, got, want)
		}
	}
}

// TestDeadlinesLeft: of all that is said the least counts.
func TestDeadlinesLeft(t *testing.T) {
	d := newDeadlines("x-timeout")
	for _, c := range []struct {
		h    http.Header
		want time.Duration
		said bool
	}{
		{http.Header{}, 0, false},
		{http.Header{"X-Timeout": {"nonsense"}}, 0, false},
		{http.Header{"X-Timeout": {"300"}}, 300 * time.Millisecond, true},
		{http.Header{"X-Timeout": {"x", "300", "200"}}, 200 * time.Millisecond, true},
		{http.Header{"X-Timeout": {"300"}, "Grpc-Timeout": {"1S"}}, 300 * time.Millisecond, true},
		{http.Header{"X-Timeout": {"3s"}, "Grpc-Timeout": {"1S"}}, time.Second, true},
		{http.Header{"Other": {"3"}}, 0, false},
	} {
		if got, said := d.left(c.h); got != c.want || said != c.said {
			t.Errorf("%v: %v, %v; want %v, %v", c.h, got, said, c.want, c.said)
		}
	}
	h := http.Header{"X-Timeout": {"3"}, "Grpc-Timeout": {"1S"}}
	if got, _ := newDeadlines("").left(h); got != time.Second {
		t.Errorf("with no header named: %v, want what grpc-timeout says", got)
	}
}

func TestDeadlinesRewrite(t *testing.T) {
	d := newDeadlines("x-timeout")
	from := http.Header{"X-Timeout": {"300", "nonsense", "1.5s"}, "Grpc-Timeout": {"2S"}, "Other": {"3"}}
	h := from.Clone()
	d.rewrite(h, from, 100*time.Millisecond, time.Second)
	want := http.Header{"X-Timeout": {"200", "1000ms"}, "Grpc-Timeout": {"1000m"}, "Other": {"3"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	d.rewrite(h, from, time.Hour, time.Second) // there is always something left for whoever asks
	if h.Get("X-Timeout") != "1" || h.Get("Grpc-Timeout") != "1m" {
		t.Error("when it is over:", h)
	}
	for name, values := range h {
		for _, v := range values {
			if _, ok := d.left(http.Header{name: {v}}); !ok && name != "Other" {
				t.Errorf("%s: %s is written and cannot be read", name, v)
			}
		}
	}
	untold := http.Header{"X-Timeout": {"nonsense"}}
	d.rewrite(untold, untold, 0, time.Second)
	if untold.Get("X-Timeout") != "nonsense" {
		t.Error("what says nothing does not stay:", untold)
	}
}

func FuzzDeadlines(f *testing.F) {
	f.Add("250", "100m")
	f.Add("1.5s", "99999999H")
	f.Fuzz(func(t *testing.T, own, grpc string) {
		d := newDeadlines("x-timeout")
		h := http.Header{"X-Timeout": {own}, "Grpc-Timeout": {grpc}}
		left, said := d.left(h)
		if left < 0 || left > maxPatience {
			t.Fatalf("%q, %q: %v", own, grpc, left)
		}
		d.rewrite(h, h, time.Millisecond, time.Hour)
		again, ok := d.left(h)
		if ok != said || ok && (again > max(left-time.Millisecond, time.Millisecond) || again > time.Hour) {
			t.Fatalf("%q, %q: %v was left, and a millisecond later %v", own, grpc, left, again)
		}
	})
}
