package live

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux.
const tick = 10 * time.Millisecond

// detach has a child die with this process, and not hear of its terminal's
// signals. The thread that starts a child must outlive it: Go ends none that no
// goroutine was locked to.
func detach() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// cpuOf is the CPU time of a process so far; 0 when it is gone.
func cpuOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything; utime and stime are the
	// fields 14 and 15 of proc(5), 12 and 13 behind it.
	_, rest, _ := strings.Cut(string(stat), ") ")
	return ticks(strings.Fields(rest), 11, 12)
}

// machineCPU is the CPU time of all of the machine so far, in use and in all.
func machineCPU() (used, all time.Duration) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	used = ticks(f, 1, 2, 3, 6, 7, 8)
	return used, used + ticks(f, 4, 5)
}

func ticks(fields []string, which ...int) (sum time.Duration) {
	for _, i := range which {
		if i < len(fields) {
			n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel writes numbers
			sum += time.Duration(n) * tick
		}
	}
	return sum
}
