package live

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes one goroutine at a time, to within a tenth of a millisecond: the
// runtime's timers are up to a millisecond late, which is the whole of a short
// service. It is a timerfd, which the poller waits for like for a socket.
type alarm struct {
	fd   int
	file *os.File // of fd; reads wait for it
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	return &alarm{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}, nil
}

// sleep waits for d; false when ctx ended first.
func (a *alarm) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(a.fd, 0, &at, nil); err != nil {
		panic("live: timerfd_settime: " + err.Error()) // only of a wrong argument
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		a.file.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	var expired [8]byte
	a.file.Read(expired[:]) // the only error is that deadline
	if stop() {
		return true
	}
	<-interrupted
	a.file.SetReadDeadline(time.Time{})
	return false
}

func (a *alarm) close() { a.file.Close() }
