package agent

import (
	"context"
	"fmt"
	"slices"
)

// layer is one part of a running agent. run blocks until its context is done
// and has ended everything that it started when it returns.
type layer struct {
	name string
	run  func(ctx context.Context) error
}

// runLayers starts the layers in order and, when ctx is done or one of them
// has failed, stops them in reverse, each whole before the next. It returns
// what made it stop, nil for ctx. stopping is called first, with the same.
func runLayers(ctx context.Context, layers []layer, stopping func(cause error)) error {
	type running struct {
		layer
		cancel context.CancelFunc
		done   chan error
	}
	failed := make(chan error, len(layers))
	var all []running
	for _, l := range layers {
		// Not derived from ctx: a layer ends when its turn has come.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := running{layer: l, cancel: cancel, done: make(chan error, 1)}
		go func() {
			err := l.run(own)
			if err != nil {
				err = fmt.Errorf("%s: %w", l.name, err)
			}
			if own.Err() == nil {
				failed <- err
			}
			r.done <- err
		}()
		all = append(all, r)
	}
	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
	}
	stopping(cause)
	for _, r := range slices.Backward(all) {
		r.cancel()
		if err := <-r.done; err != nil && cause == nil {
			cause = err
		}
	}
	return cause
}
