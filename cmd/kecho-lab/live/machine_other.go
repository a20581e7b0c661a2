//go:build !linux

package live

import (
	"syscall"
	"time"
)

func detach() *syscall.SysProcAttr { return nil }

func cpuOf(int) time.Duration { return 0 }

func machineCPU() (used, all time.Duration) { return 0, 0 }

func residentOf(int) float64 { return 0 }

func onCPU(_ int, do func() error) error { return do() }

func stayOn(int) error { return nil }

func cpus() []int { return nil }

func inMemory(string) bool { return false }
