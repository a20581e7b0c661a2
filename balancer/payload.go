package balancer

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
)

// Bounds of what is kept of requests' bodies so that they can be sent again.
const (
	maxReplay   = 64 << 10 // bytes of one request
	maxReplayed = 64 << 20 // bytes of all
)

// replayBudget counts the bytes kept.
type replayBudget struct{ kept atomic.Int64 }

// payload is a request's body: kept whole when it is small, else read once
// from the client. It is owned by its job.
type payload struct {
	rest   io.Reader // the client's body; nil once it is in whole
	whole  []byte
	length int64 // -1: not known
	begun  bool  // rest was handed out
	budget *replayBudget
}

// keep reads the body into memory if it is small enough. It blocks as long as
// the client takes to send it; the error is errUpload.
func (p *payload) keep() error {
	if p.rest == nil || p.begun || p.length < 0 || p.length > maxReplay {
		return nil
	}
	if p.length > 0 && p.budget.kept.Add(p.length) > maxReplayed {
		p.budget.kept.Add(-p.length)
		return nil
	}
	return p.read()
}

// hold is keep for a small body that is in memory already: it takes no more, however
// much is kept.
func (p *payload) hold() error {
	p.budget.kept.Add(p.length)
	return p.read()
}

// read reads a body into memory that was counted.
func (p *payload) read() error {
	if p.length > 0 {
		p.whole = make([]byte, p.length)
		if _, err := io.ReadFull(p.rest, p.whole); err != nil {
			return fmt.Errorf("%w: %w", errUpload, err)
		}
	}
	p.rest = nil
	return nil
}

// release gives back what keep took.
func (p *payload) release() {
	if p.budget != nil {
		p.budget.kept.Add(-int64(len(p.whole)))
	}
	p.whole = nil
}

// kept reports whether the whole body is in memory.
func (p *payload) kept() bool { return p.rest == nil }

// fits reports whether the whole body goes with the head in one event.
func (p *payload) fits() bool { return p.rest == nil && len(p.whole) <= maxChunk }

// fresh reports whether the body can still be sent from its start.
func (p *payload) fresh() bool { return p.rest == nil || !p.begun || p.length == 0 }

// reader is the body from its start; to be called only while fresh.
func (p *payload) reader() io.Reader {
	if p.rest == nil {
		if len(p.whole) == 0 {
			return nil
		}
		return bytes.NewReader(p.whole)
	}
	p.begun = true
	return p.rest
}
