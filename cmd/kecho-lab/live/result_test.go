package live

import (
	"math"
	"strings"
	"testing"
	"time"

	"kecho/balancer/sim"
)

func TestOutcome(t *testing.T) {
	const timeout = 5 * time.Second
	for _, tt := range []struct {
		record Record
		want   outcome
	}{
		{Record{Status: 200, Took: 40}, answered},
		{Record{Status: 200, Took: 5001}, late},
		{Record{Status: 304, Took: 1}, answered},
		{Record{Status: 503, Took: 6000}, refused},
		{Record{Status: 504, Took: 4000}, late},
		{Record{Failure: "timeout", Took: 5000}, late},
		{Record{Failure: "connection"}, failed},
		{Record{Status: 502}, failed},
		{Record{}, failed},
	} {
		if got := tt.record.outcome(timeout); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.record, got, tt.want)
		}
	}
}

// played is a run of a second of four requests, a tenth of a second apart and
// of 10 ms each, whose clients got records.
func played(kill bool, records ...Record) *run {
	r := &run{cfg: Config{Scenario: sim.Scenario{Places: 1, Service: 10 * time.Millisecond}, Nodes: 2, Length: time.Second, Timeout: time.Second, Kill: kill}, records: records}
	for i := range records {
		r.arrivals = append(r.arrivals, sim.Arrival{At: time.Duration(i) * 100 * time.Millisecond, Service: 10 * time.Millisecond})
	}
	return r
}

func TestResultOfFour(t *testing.T) {
	ok := Record{Status: 200, Took: 20}
	r := played(false, ok, ok, Record{Status: 200, Took: 10}, Record{Status: 503})
	ms := 10 * time.Millisecond
	res, err := r.result(t.Context(), []execution{
		{0, 0, ms, ms, true}, {1, 0, ms, 11 * time.Millisecond, true}, {2, 0, ms, ms, false}, {2, 1, ms, ms, true},
	}, gauges{passed: time.Second, front: usage{cpu: 2 * time.Millisecond}},
		gauges{passed: time.Second, all: time.Second, used: time.Second, front: usage{cpu: 6 * time.Millisecond, messages: 8}})
	if err != nil {
		t.Fatal(err)
	}
	// The first is of the first tenth and not measured.
	if res.Requests != 3 || res.P50 != 20 || res.Mean != 15 || res.Refused < .33 || res.Failed != 0 || res.Late != 0 {
		t.Errorf("%+v", res)
	}
	if res.Central.P99 < 9.99 || res.Central.P99 > 10.01 || res.PerCentral.P99 < 1.99 || res.PerCentral.P99 > 2.01 {
		t.Errorf("beside %+v: %+v, want twice as long", res.Central, res.PerCentral)
	}
	if res.Executions != 3 || res.Twice != 1 || res.Wasted != 1 || res.Lost != 0 || res.Moved != .25 {
		t.Errorf("%+v: want 3 executed, 1 of them twice and so 1 wasted, and 1 of 4 elsewhere", res)
	}
	if res.Messages != 2 || res.Control != 1.5 || math.Abs(res.FrontCPU-1000) > 1e-6 || res.FrontRest != .002 {
		t.Errorf("%+v: want 2 messages, 1.5 of control and 1000 us a request", res)
	}
	if len(res.Busy) != 2 || !strings.Contains(res.Busy[0], "longer than told") || !strings.Contains(res.Busy[1], "100 %") {
		t.Errorf("busy: %q", res.Busy)
	}
}

func TestKilledRequestsAreNotWasted(t *testing.T) {
	gone := []Record{{Failure: "connection"}, {Status: 502}, {Status: 500}, {Failure: "timeout"}}
	for kill, want := range map[bool][2]int{false: {4, 0}, true: {2, 2}} {
		r := played(kill, gone...)
		var res Result
		if err := r.countExecutions(&res, []execution{{Request: 0}, {Request: 1}, {Request: 2}, {Request: 3}}); err != nil {
			t.Fatal(err)
		}
		if res.Wasted != want[0] || res.Lost != want[1] || res.Twice != 0 {
			t.Errorf("kill %v: %d wasted, %d lost, want %v", kill, res.Wasted, res.Lost, want)
		}
	}
}

func TestImpossibleExecutionsAreErrors(t *testing.T) {
	for want, ran := range map[string][]execution{
		"that no worker gave": {{Request: 0, Done: false}},
		"request 1 of 1":      {{Request: 1, Done: true}},
	} {
		err := played(false, Record{Status: 200}).countExecutions(new(Result), ran)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
}

func TestBusy(t *testing.T) {
	for _, tt := range []struct {
		machine Machine
		service float64
		want    int
	}{
		{Machine{LatenessP99: 1.8, OvertimeP99: 1.8, CPU: .79}, 38, 0},
		{Machine{LatenessP99: 2}, 38, 1},
		{Machine{OvertimeP99: 2}, 38, 1},
		{Machine{LatenessP99: .29}, 1, 0},
		{Machine{LatenessP99: .31, OvertimeP99: .31, CPU: .81}, 1, 3},
	} {
		if got := tt.machine.busy(tt.service); len(got) != tt.want {
			t.Errorf("%+v at %v ms: %q, want %d reasons", tt.machine, tt.service, got, tt.want)
		}
	}
}
