package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// trigger is one that is armed.
type trigger struct {
	doubt
	resource, file string
	fd             int
}

// arm asks the kernel for events. The trigger lives as long as fd is open.
func arm(resource, file string, stall, window time.Duration) (*trigger, error) {
	total, err := stalledTime(file)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Open(file, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: file, Err: err}
	}
	order := fmt.Sprintf("some %d %d\x00", stall.Microseconds(), window.Microseconds())
	if _, err := syscall.Write(fd, []byte(order)); err != nil {
		syscall.Close(fd)
		return nil, &os.PathError{Op: "write", Path: file, Err: err}
	}
	return &trigger{doubt: doubt{stall: stall, total: total}, resource: resource, file: file, fd: fd}, nil
}

func (t *trigger) close() { syscall.Close(t.fd) }

// real asks the kernel how long tasks really stood still.
func (t *trigger) real() (bool, error) {
	total, err := stalledTime(t.file)
	return err == nil && t.doubt.real(total), err
}

// await calls fired for each event of one of all, until ctx is done. Go's own
// poller does not wait for exceptional conditions, which PSI's events are, so
// this has one of its own, on a thread that sleeps in the kernel.
func await(ctx context.Context, all []*trigger, fired func(*trigger)) error {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer syscall.Close(poll)
	var end [2]int
	if err := syscall.Pipe2(end[:], syscall.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	defer syscall.Close(end[0])
	stop := context.AfterFunc(ctx, func() { syscall.Close(end[1]) })
	defer func() {
		if stop() {
			syscall.Close(end[1])
		}
	}()
	add := func(fd int, events uint32, index int) error {
		err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: events, Fd: int32(index)})
		return os.NewSyscallError("epoll_ctl", err)
	}
	errs := []error{add(end[0], 0, len(all))} // its end is always told
	for i, t := range all {
		errs = append(errs, add(t.fd, syscall.EPOLLPRI, i))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	events := make([]syscall.EpollEvent, len(all)+1)
	for ctx.Err() == nil {
		n, err := syscall.EpollWait(poll, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:max(n, 0)] {
			switch i := int(e.Fd); {
			case i == len(all): // ctx is done
			case e.Events&syscall.EPOLLPRI != 0:
				fired(all[i])
			default: // the kernel has taken it away
				_ = syscall.EpollCtl(poll, syscall.EPOLL_CTL_DEL, all[i].fd, nil)
			}
		}
	}
	return nil
}
