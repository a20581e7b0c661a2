package live

import (
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	turns := func(cpu ...time.Duration) (all []work) {
		for _, c := range cpu {
			all = append(all, work{requests: 10, passed: time.Second, cpu: c})
		}
		return all
	}
	if got, want := spread(turns(200, 400), turns(100, 100), cpuPerRequest), (Spread{3, 2, 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := spread(turns(200), nil, cpuPerRequest); got != (Spread{}) {
		t.Errorf("beside nobody: %+v", got)
	}
	doors := []*door{{name: byKecho}, {name: byHAProxy}}
	rows := costsOf(doors, [][]work{turns(50000, 50000), turns(40000, 40000)})
	if r := rows[0]; r.Requests != 20 || r.PerSecond != 10 || r.CPU != 5 || r.HAProxy.Ratio != 1.25 || r.Reverse.Ratio != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAddedLatency(t *testing.T) {
	doors := []*door{{name: direct}, {name: byKecho}, {name: byHAProxy}}
	rows := latenciesOf(doors, [][][]float64{
		{{10, 10, 12}, {10, 10, 12}, {100, 100, 100}}, // somebody else had the machine in the last turn
		{{40, 40, 52}, {40, 40, 52}, {9, 9, 9}},
		{{30, 30, 32}, {30, 30, 32}, {30, 30, 32}},
	})
	if r := rows[1]; r.Requests != 9 || r.P50 != 40 || r.AddedP50 != 30 || r.AddedP99 != 40 || r.X50 != 1.5 || r.X99 != 2 {
		t.Errorf("%+v", r)
	}
}

func TestBytesBesideRelay(t *testing.T) {
	rows := bytesOf([]FrontBytes{{Name: byKecho, cpu: []float64{2, 4}}, {Name: byRelay, cpu: []float64{1, 4}}})
	if r := rows[0]; r.CPU != 3*1024 || r.Relay != (Spread{1.2, 1, 2}) {
		t.Errorf("%+v", r)
	}
}

func TestFrontsConfig(t *testing.T) {
	if err := (FrontsConfig{}).Check(); err != nil {
		t.Error(err)
	}
	for want, cfg := range map[string]FrontsConfig{
		"no part \"x\"":    {Parts: []string{"x"}},
		"1001 connections": {Connections: 1001},
		"answers of -1":    {Size: -1},
		"want a length":    {Length: time.Millisecond},
		"0.5 requests":     {Rate: .5},
		"60000 idle":       {Idle: 60_000},
		"5 bytes through":  {Bytes: 5},
	} {
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", cfg, err, want)
		}
	}
}
