package e2e

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"kecho/resmgr/monitor/host"
)

// TestPressureTriggers has this machine's kernel say that tasks wait for its
// CPUs, while more of them run than there are CPUs.
func TestPressureTriggers(t *testing.T) {
	f, err := os.OpenFile("/proc/pressure/cpu", os.O_RDWR, 0)
	if err != nil {
		// Not every kernel has it, whoever runs the tests: no failure.
		t.Skipf("the kernel does not tell of pressure here: %v", err)
	}
	f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), settlePatience)
	defer cancel()
	for range 4 * runtime.NumCPU() { // processes: goroutines do not wait in the kernel
		start(t, loopback(), "busy", "/bin/sh", "-c", "while :; do :; done")
	}
	triggers := host.NewTriggers(host.TriggersConfig{Stall: 100 * time.Millisecond})
	heard := make(chan string, 16)
	done := make(chan error, 1)
	go func() {
		done <- triggers.Run(ctx, func(resource string) {
			select {
			case heard <- resource:
			default:
			}
		})
	}()
	for said := ""; said != "cpu"; {
		select {
		case said = <-heard:
		case err := <-done:
			t.Fatalf("the kernel said nothing in %v: %v", settlePatience, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
