package gauges_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent/api"
	"kecho/agent/gauges"
	"kecho/resmgr/monitor"
)

// rig is a running table and what it has said.
type rig struct {
	*gauges.Table
	mu       sync.Mutex
	overflow []bool         // guarded by mu
	crossed  []api.Crossing // guarded by mu
}

// start runs a table until the test ends.
func start(t *testing.T, cfg gauges.Config) *rig {
	t.Helper()
	r := new(rig)
	cfg.Node = "web1"
	cfg.Rules = gauges.Rules{Machine: []string{"cpu", "load1"}, Shares: []string{"cpu"}}
	cfg.Overflow = func(raised bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.overflow = append(r.overflow, raised)
	}
	cfg.Crossed = func(c api.Crossing) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.crossed = append(r.crossed, c)
	}
	var err error
	if r.Table, err = gauges.New(cfg); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) set(t *testing.T, name string, value float64, ttl time.Duration) {
	t.Helper()
	if _, err := r.Set(name, &value, ttl); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) gauge(t *testing.T, name string) api.Gauge {
	t.Helper()
	all := r.Gauges()
	i := slices.IndexFunc(all, func(g api.Gauge) bool { return g.Name == name })
	if i < 0 {
		t.Fatalf("no gauge %s in %v", name, all)
	}
	return all[i]
}

func (r *rig) lastOverflow() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.overflow) > 0 && r.overflow[len(r.overflow)-1]
}

func code(err error) api.Code {
	var coded *api.Error
	errors.As(err, &coded)
	if coded == nil {
		return ""
	}
	return coded.Code
}

// A value is not known any more when its time is over; setting it again
// begins that time anew, and what was raised on it is cancelled.
func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		if _, err := r.Watch("app.queue", api.NewThreshold{Condition: "app.queue > 5 cancel < 2", Actions: api.Actions{Overflow: true}}); err != nil {
			t.Fatal(err)
		}
		r.set(t, "app.queue", 9, 10*time.Second)
		r.set(t, "app.other", 1, time.Second)
		if !r.lastOverflow() {
			t.Error("not raised when Set had returned")
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if g := r.gauge(t, "app.other"); g.Value != nil || g.Expires != nil {
			t.Errorf("after its time: %+v", g)
		}
		if g := r.gauge(t, "app.queue"); g.Value == nil || *g.Value != 9 || g.Expires == nil || *g.Expires != 1000 {
			t.Errorf("before its time: %+v", g)
		}
		r.set(t, "app.queue", 8, 10*time.Second)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if g := r.gauge(t, "app.queue"); g.Value == nil || !r.lastOverflow() {
			t.Errorf("set again: %+v", g)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if g := r.gauge(t, "app.queue"); g.Value != nil || r.lastOverflow() {
			t.Errorf("absent, and still there: %+v, overflow %v", g, r.lastOverflow())
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if last := r.crossed[len(r.crossed)-1]; last.Raised || last.Value != nil {
			t.Errorf("the last crossing is %+v, want a cancel without a value", last)
		}
	})
}

// Only the machine sets its gauges, and names that could be a slip are no
// gauges.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		one := 1.0
		for name, want := range map[string]api.Code{
			"app.queue": "", "disk.used{item=/data}": "", `d.u{item="a b"}`: "",
			"cpu": api.Refused, "cpuu": api.NotFound, "cpu{item=0}": api.NotFound,
			"": api.Usage, "7": api.Usage, "app.x > 3": api.Usage, "app.x{item=}": api.Usage,
		} {
			if _, err := r.Set(name, &one, time.Minute); code(err) != want {
				t.Errorf("%q: %v, want the code %q", name, err, want)
			}
		}
		if err := r.Feed(monitor.Key{Name: "cpu"}, gauges.Machine, &one, 0); err != nil {
			t.Error(err)
		}
		if g := r.gauge(t, "cpu"); *g.Value != 1 || g.Source != "machine" || g.Expires != nil {
			t.Errorf("%+v", g)
		}
		if g := r.gauge(t, "load1"); g.Value != nil || g.Thresholds == nil {
			t.Errorf("%+v, want it absent, with an empty list", g)
		}
		if g, err := r.Set("app.queue", nil, time.Minute); err != nil || g.Value != nil || g.Source != "api" {
			t.Errorf("set to null: %+v %v", g, err)
		}
	})
}

// Strangers make a bounded number of gauges; absent ones make room.
func TestManyGauges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		if _, err := r.Watch("app.w", api.NewThreshold{Condition: "app.w > 1"}); err != nil {
			t.Fatal(err)
		}
		for i := range 999 {
			r.set(t, fmt.Sprintf("app.n%d", i), 1, time.Duration(1+i)*time.Second)
		}
		one := 1.0
		if _, err := r.Set("app.more", &one, time.Second); code(err) != api.Refused {
			t.Errorf("one too many: %v", err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for i := range 3 {
			r.set(t, fmt.Sprintf("app.m%d", i), 1, time.Hour)
		}
		if _, err := r.Set("app.more", &one, time.Second); code(err) != api.Refused {
			t.Errorf("one too many again: %v", err)
		}
		if r.gauge(t, "app.w").Thresholds == nil || len(r.Gauges()) != 1002 {
			t.Errorf("%d gauges", len(r.Gauges()))
		}
	})
}

// Whatever the interleaving, what was set last stays.
func TestSetAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, gauges.Config{})
		for i := range 200 {
			r.set(t, "app.x", float64(i), time.Second)
			time.Sleep(time.Second) // the very moment at which it expires
			r.set(t, "app.x", float64(i)+0.5, time.Minute)
			synctest.Wait()
			if g := r.gauge(t, "app.x"); g.Value == nil || *g.Value != float64(i)+0.5 {
				t.Fatalf("%+v, want %v", g, float64(i)+0.5)
			}
		}
	})
}
