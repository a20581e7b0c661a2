//go:build !linux

package main

import (
	"syscall"
	"time"
)

func childAttr(group bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: group} }

var started = time.Now()

// sinceBoot is a clock that does not go back. While the machine sleeps it
// stands still: what was asked to end when it wakes up may be late.
func sinceBoot() time.Duration { return time.Since(started) }
