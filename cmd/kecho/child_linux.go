package main

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func childAttr(group bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: group, Pdeathsig: syscall.SIGKILL}
}

// sinceBoot is a clock that does not go back and also runs while the machine
// sleeps, as the clocks of others do.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("kecho: clock_gettime(CLOCK_BOOTTIME): " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}
