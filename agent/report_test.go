package agent

import (
	"testing"

	"kecho/resmgr/monitor/host"
)

// What is reported is the worse of the machine and the container, and absent
// where neither could be read.
func TestReportIsTheWorse(t *testing.T) {
	var r report
	r.store(host.Sample{
		CPU: 0.2, HasCPU: true, Memory: 0.8, HasMemory: true,
		Container: host.Container{CPU: 0.9, HasCPU: true, Memory: 0.3, HasMemory: true},
	})
	if v, ok := share(&r.cpu); !ok || v != 0.9 {
		t.Errorf("CPU %v (%v), want the container's 0.9", v, ok)
	}
	if v, ok := share(&r.memory); !ok || v != 0.8 {
		t.Errorf("memory %v (%v), want the machine's 0.8", v, ok)
	}
	r.store(host.Sample{})
	if v, ok := share(&r.cpu); ok {
		t.Errorf("CPU %v of a machine that could not be read", v)
	}
}
