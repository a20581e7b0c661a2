package live

import (
	"strings"
	"testing"
	"time"
)

func TestChannelResult(t *testing.T) {
	tr := &channelTurns{load: ChannelLoad{Sinks: 2, Size: 100, Rate: 1000}, all: []speaker{{name: "kecho"}, {name: "nats"}}}
	turn := func(delivered int, took float64, cpu time.Duration) channelTurn {
		return channelTurn{events: 10, delivered: delivered, took: []float64{took, took, 2 * took}, passed: time.Second, cpu: cpu}
	}
	done := [][]channelTurn{
		{turn(20, 50, 10*time.Microsecond), turn(20, 40, 30*time.Microsecond)},
		{turn(20, 100, 40*time.Microsecond), turn(19, 100, 40*time.Microsecond)},
	}
	run := tr.result(done, gauges{all: 100, used: 50, self: 10, front: usage{cpu: 25}})
	if run.OthersCPU != .15 || len(run.Took) != 2 {
		t.Fatalf("%+v", run)
	}
	if k := run.Took[0]; k.Events != 20 || k.P99 != 100 || k.CPU != 2 || k.PerSecond != 10 || k.KechoP50 != (Beside{1, 1, 1}) {
		t.Errorf("kecho: %+v", k)
	}
	if n := run.Took[1]; n.Lost != 1 || n.KechoP50 != (Beside{.5, .4, .5}) || n.KechoCPU != (Beside{.5, .25, .75}) || n.KechoRate.Ratio != 1 {
		t.Errorf("nats: %+v", n)
	}
	for _, want := range []string{"others had 15 %", "nats lost 1 of 40"} {
		if said := strings.Join(run.Busy, "; "); !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	tr.load.Rate = 0
	if run = tr.result(done, gauges{}); run.Took[0].P50 != 0 {
		t.Errorf("a flood has times: %+v", run.Took[0])
	}
}

func TestChannelLoads(t *testing.T) {
	cfg := ChannelConfig{Sizes: []int{100, 1000}}
	cfg.defaults()
	var got []string
	for _, l := range cfg.loads() {
		got = append(got, l.String())
	}
	if len(got) != 6 || got[1] != "100 B to 8 sinks, 1000 events/s" || got[5] != "1000 B to 8 sinks, as fast as they are taken" {
		t.Errorf("%q", got)
	}
}
