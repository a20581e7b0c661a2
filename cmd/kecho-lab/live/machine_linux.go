package live

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of CPU times in /proc/stat: USER_HZ, 100 on every Linux.
const tick = 10 * time.Millisecond

// detach has a child die with this process, and not hear of its terminal's
// signals. The thread that starts a child must outlive it: Go ends none that no
// goroutine was locked to.
func detach() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// cpuOf is the CPU time of a process so far, by its clock (clock_getcpuclockid);
// 0 when it is gone.
func cpuOf(pid int) time.Duration {
	const scheduled = 2 // CPUCLOCK_SCHED: in nanoseconds, where /proc has 10 ms
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid)<<3|scheduled, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
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

// residentOf is the resident memory of a process in MiB; 0 when it is gone.
func residentOf(pid int) float64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status") // or it is gone
	_, rest, _ := strings.Cut(string(text), "\nVmRSS:")
	if f := strings.Fields(rest); len(f) > 0 {
		kib, _ := strconv.ParseFloat(f[0], 64) // the kernel writes numbers
		return kib / 1024
	}
	return 0
}

// onCPU has do start processes that run on one CPU only. It reports an error of
// do's, or that there is no such CPU.
func onCPU(cpu int, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("find the CPUs of this process: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("use CPU %d: %w", cpu, err)
	}
	return errors.Join(do(), unix.SchedSetaffinity(0, &before))
}

// stayOn has this process run on one CPU from now on.
func stayOn(cpu int) error {
	var one unix.CPUSet
	one.Set(cpu)
	runtime.GOMAXPROCS(1)
	threads, err := os.ReadDir("/proc/self/task") // those to come do as the one that makes them
	for _, t := range threads {
		id, _ := strconv.Atoi(t.Name()) // the kernel writes numbers
		if e := unix.SchedSetaffinity(id, &one); e != nil && e != unix.ESRCH {
			err = errors.Join(err, fmt.Errorf("use CPU %d: %w", cpu, e))
		}
	}
	return err
}

// cpus are those that this process may use.
func cpus() (all []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for i := range 8 * len(set) * 8 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all
}

// inMemory reports whether a directory is on no disk.
func inMemory(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && (s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC)
}
