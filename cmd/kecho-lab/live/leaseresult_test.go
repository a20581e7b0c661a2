package live

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLeaseTurns(t *testing.T) {
	tr := &turns{clients: 2, all: []contender{{name: "kecho"}, {name: "etcd-1"}}}
	one := func(ms ...float64) turn {
		return turn{took: ms, passed: time.Second, cpu: time.Duration(len(ms)) * time.Millisecond}
	}
	done := [][]turn{
		{one(1, 2, 1), one(3, 2, 2)},
		{one(2, 2, 9), one(4, 4, 4, 1)},
	}
	run := tr.result(done, []float64{.5, .1, .2}, gauges{all: 100, used: 50, self: 10, front: usage{cpu: 25}})
	kecho, etcd := run.Took[0], run.Took[1]
	if run.Sync.P50 != .2 || run.OthersCPU != .15 || run.Clients != 2 {
		t.Errorf("%+v", run)
	}
	if kecho.Leases != 6 || kecho.P50 != 2 || kecho.P99 != 3 || kecho.PerSecond != 3 || kecho.CPU != 1000 || kecho.Ratio != 1 || kecho.Most != 1 {
		t.Errorf("%+v", kecho)
	}
	if etcd.Leases != 7 || etcd.P50 != 4 || etcd.Ratio != .5 || etcd.Least != .5 || etcd.Most != .5 {
		t.Errorf("%+v", etcd)
	}
	said := strings.Join(run.Busy, "; ")
	if !strings.Contains(said, "others had 15 %") || !strings.Contains(said, "etcd-1 gave 7 leases") || strings.Contains(said, "in another") {
		t.Error(said)
	}
	done[1][1] = one(slices.Repeat([]float64{10}, 200)...)
	if said := strings.Join(tr.result(done, nil, gauges{}).Busy, "; "); !strings.Contains(said, "0.20 in one turn and 0.50 in another") {
		t.Error(said)
	}
}

func TestLeaseConfigCheck(t *testing.T) {
	if err := (LeaseConfig{}).Check(); err != nil {
		t.Error(err)
	}
	if err := (LeaseConfig{Nodes: []int{3}, Managers: -1}).Check(); err == nil {
		t.Error("fewer than 0 managers pass")
	}
}
