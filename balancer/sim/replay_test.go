package sim

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

// record is the arrivals that a scenario's clients make.
func record(t *testing.T, name string, seconds float64) Recording {
	t.Helper()
	s, err := Named(name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Scenario: s, Policy: Central, Nodes: 8, Seconds: seconds, Seed: 1}
	arrivals, err := Arrivals(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return Recording{Arrivals: arrivals, Nodes: 8, Places: s.Places, Timeout: 5 * time.Second, From: cfg.length() / 10, Seed: 1}
}

// TestReplay: what was recorded of a scenario gives what the scenario gave, in
// whatever order it was written down.
func TestReplay(t *testing.T) {
	rec := record(t, "hot-4x", 60)
	slices.Reverse(rec.Arrivals)
	for _, limit := range []Policy{Central, JSQ} {
		got, err := Replay(t.Context(), limit, rec)
		if err != nil {
			t.Fatal(err)
		}
		want := simulate(t, "hot-4x", limit, 60)
		if got.Requests != want.Requests || got.P50 != want.P50 || got.P99 != want.P99 || got.P999 != want.P999 {
			t.Errorf("replayed under %s: %+v, want as simulated %+v", limit, got, want)
		}
	}
}

// TestReplayByHand: three requests of 10 ms for two servers; the third waits
// for the first.
func TestReplayByHand(t *testing.T) {
	const ms = time.Millisecond
	rec := Recording{Nodes: 2, Places: 1, Arrivals: []Arrival{{0, 0, 10 * ms}, {4 * ms, 0, 10 * ms}, {5 * ms, 0, 10 * ms}}}
	r, err := Replay(t.Context(), Central, rec)
	if err != nil || r.Requests != 3 || math.Abs(r.P50-10) > 1e-3 || math.Abs(r.P99-15) > 1e-3 || r.Late != 0 {
		t.Errorf("%+v, %v; want 10, 10 and 15 ms", r, err)
	}
	rec.Timeout, rec.From = 4*ms, ms
	if r, err = Replay(t.Context(), Central, rec); err != nil || r.Requests != 2 || r.Late != 1 {
		t.Errorf("%+v, %v; want both of those measured late", r, err)
	}
}

func TestArrivalsOfNothing(t *testing.T) {
	if all, err := Arrivals(Config{Policy: Central}); err == nil {
		t.Errorf("%d arrivals of no scenario", len(all))
	}
}

func TestReplayErrors(t *testing.T) {
	good := Recording{Nodes: 1, Places: 1, Arrivals: []Arrival{{0, 0, 1}}}
	if _, err := Replay(t.Context(), Auto, good); err == nil {
		t.Error("a policy that is no limit was replayed")
	}
	for name, change := range map[string]func(*Recording){
		"nodes": func(r *Recording) { r.Nodes = 0 }, "places": func(r *Recording) { r.Places = 0 },
		"none": func(r *Recording) { r.Arrivals = nil }, "timeout": func(r *Recording) { r.Timeout = -1 },
		"node": func(r *Recording) { r.Arrivals = []Arrival{{0, 1, 1}} }, "from": func(r *Recording) { r.From = -1 },
		"service": func(r *Recording) { r.Arrivals = []Arrival{{0, 0, 0}} }, "time": func(r *Recording) { r.Arrivals = []Arrival{{-1, 0, 1}} },
	} {
		rec := good
		change(&rec)
		if _, err := Replay(t.Context(), Central, rec); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	long := record(t, "uniform-.8", 1000)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := Replay(ctx, Central, long); !errors.Is(err, cause) {
		t.Error("a replay that is to end:", err)
	}
}
