package dynamic

import (
	"fmt"

	"kecho/channel"
)

// Direction is which of a channel's two filters is meant.
type Direction string

const (
	// In is the IN-filter: it runs when an event arrives from another node.
	In Direction = "in"
	// Out is the OUT-filter: it runs when an event is submitted here.
	Out Direction = "out"
)

// ParseDirection reads "in" or "out".
func ParseDirection(s string) (Direction, error) {
	switch d := Direction(s); d {
	case In, Out:
		return d, nil
	}
	return "", fmt.Errorf("direction %.20q: want in or out", s)
}

// Fallback is what becomes of an event whose filter failed.
type Fallback string

const (
	// Pass keeps every sink, as if there were no filter. It is the zero
	// Fallback's meaning too.
	Pass Fallback = "pass"
	// Drop leaves no sink.
	Drop Fallback = "drop"
)

// Program is a compiled filter.
type Program interface {
	// Run is a channel.Filter that can fail. With an error sinks is as it was
	// given. It is called by many goroutines at once and its time is bounded.
	Run(e *channel.Event, sinks []channel.Sink) ([]channel.Sink, error)
	// Close frees what the program holds. It is called once, and no Run is
	// under way or follows.
	Close() error
}

// Compiler makes programs of one kind of source.
type Compiler interface {
	// Compile reads source for a filter of direction d. The error is for the
	// person who wrote the source: what is wrong and where. source is lent.
	Compile(d Direction, source []byte) (Program, error)
}

// Spec is a filter as its operator writes it.
type Spec struct {
	// Kind is the name of one of Config.Compilers.
	Kind string
	// Source is the filter's text or module, as its kind defines.
	Source []byte
	// Fallback is for events whose run failed. Zero: the place's.
	Fallback Fallback
}

// native is a Program of a filter that cannot fail.
type native channel.Filter

// Native is a Program of a filter in Go, which cannot fail and holds nothing.
func Native(f channel.Filter) Program { return native(f) }

func (f native) Run(e *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	return f(e, sinks), nil
}

func (f native) Close() error { return nil }
