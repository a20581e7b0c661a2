//go:build !linux

package host

import (
	"context"
	"errors"
	"time"
)

// trigger does not exist on this system.
type trigger struct {
	doubt
	resource string
}

func arm(string, string, time.Duration, time.Duration) (*trigger, error) {
	return nil, errors.ErrUnsupported
}

func (t *trigger) close() {}

func (t *trigger) real() (bool, error) { return false, errors.ErrUnsupported }

func await(context.Context, []*trigger, func(*trigger)) error { return errors.ErrUnsupported }
