package alarm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Alarm wakes one goroutine at a time, to within a tenth of a millisecond: the
// runtime's timers are up to a millisecond late, which is the whole of a short
// service. It is a timerfd, which the poller waits for like for a socket. It is
// set and read without a word to the scheduler, whose monitor would wake for that
// and look about while what is measured goes on.
type Alarm struct {
	file *os.File
	fd   syscall.RawConn // of file
}

// New makes an alarm; Close it.
func New() (*Alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	a := &Alarm{file: os.NewFile(uintptr(fd), "timerfd")}
	if a.fd, err = a.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a timer: %w", err), a.file.Close())
	}
	return a, nil
}

// Sleep waits for d; false when ctx ended first.
func (a *Alarm) Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		a.file.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	set := false
	a.fd.Read(func(fd uintptr) bool { // the only error is that deadline
		if !set {
			set = true
			setTimer(fd, d)
			return false
		}
		return expired(fd)
	})
	if stop() {
		return true
	}
	<-interrupted
	a.file.SetReadDeadline(time.Time{})
	return false
}

func setTimer(fd uintptr, d time.Duration) {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	_, _, err := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	if err != 0 {
		panic("alarm: timerfd_settime: " + err.Error()) // only of a wrong argument
	}
}

// expired reports whether the timer has, and takes note.
func expired(fd uintptr) bool {
	var times [8]byte
	_, _, err := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&times)), unsafe.Sizeof(times))
	return err == 0
}

// Close frees it; nobody may be asleep.
func (a *Alarm) Close() { a.file.Close() }
