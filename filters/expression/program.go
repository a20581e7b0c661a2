package expression

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"kecho/channel"
)

// program is a compiled expression.
type program struct {
	code *vm.Program
	used fields
	now  func() time.Time
	runs sync.Pool // of *run
}

// run is what one run needs, kept for the next.
type run struct {
	vm    vm.VM
	env   environment
	event record
	from  record
	sinks []sink
	copy  []channel.Sink // the sinks as they were given
}

// memoryBudget is in the language's own count, about one for each element of a
// list that it makes.
const memoryBudget = 100_000

func newProgram(code *vm.Program, used map[string]bool, now func() time.Time) *program {
	p := &program{code: code, used: fieldsOf(used), now: now}
	p.runs.New = func() any {
		r := &run{vm: vm.VM{MemoryBudget: memoryBudget}}
		r.env.Urgent, r.env.Normal, r.env.Bulk = int(channel.Urgent), int(channel.Normal), int(channel.Bulk)
		r.env.Event, r.env.From = &r.event, &r.from
		return r
	}
	return p
}

// Run is dynamic.Program's.
func (p *program) Run(e *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	r := p.runs.Get().(*run)
	defer p.put(r)
	r.set(e, p.used)
	if p.used.sinks {
		r.setSinks(sinks, p.used, p.now)
	}
	result, err := r.vm.Run(p.code, &r.env)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", worded(err))
	}
	switch v := result.(type) {
	case bool:
		if v {
			return sinks, nil
		}
		return sinks[:0], nil
	case []*sink:
		return keep(r, v, sinks), nil
	case []any:
		return keep(r, v, sinks), nil
	}
	return nil, fmt.Errorf("expression: the result is a %T", result)
}

// worded has the language's panic about a take say what was wrong.
func worded(err error) error {
	var f *file.Error
	if errors.As(err, &f) && strings.HasSuffix(f.Message, "slice index out of bounds") {
		f.Message, f.Prev = belowZero, nil
	}
	return err
}

// Close is dynamic.Program's; there is nothing to free.
func (p *program) Close() error { return nil }

// put keeps r without anything of the event in it.
func (p *program) put(r *run) {
	r.env.Type, r.env.Source, r.env.Re = "", "", ""
	r.event, r.from = record{}, record{}
	clear(r.sinks)
	clear(r.copy)
	clear(r.vm.Stack[:cap(r.vm.Stack)])
	p.runs.Put(r)
}

func (r *run) set(e *channel.Event, used fields) {
	r.env.Type, r.env.Priority, r.env.Size = string(e.Type), int(e.Priority), len(e.Body)
	if used.source {
		r.env.Source = e.ID.Source.String()
	}
	if used.re {
		r.env.Re = reOf(e)
	}
	r.event.attrs, r.from.attrs = e.Attrs, e.From
}

func (r *run) setSinks(sinks []channel.Sink, used fields, now func() time.Time) {
	if cap(r.sinks) < len(sinks) {
		r.sinks = make([]sink, len(sinks))
	}
	r.sinks, r.env.Sinks = r.sinks[:len(sinks)], r.env.Sinks[:0]
	var at time.Time
	if used.age {
		at = now()
	}
	for i := range sinks {
		s := &r.sinks[i]
		s.index = i
		s.fill(&sinks[i], used, at)
		r.env.Sinks = append(r.env.Sinks, s)
	}
	r.copy = append(r.copy[:0], sinks...)
}

// keep writes the sinks that kept names to the front of sinks. No sink stands
// in kept twice: isSinks has seen to that.
func keep[S any](r *run, kept []S, sinks []channel.Sink) []channel.Sink {
	for k := range kept {
		sinks[k] = r.copy[any(kept[k]).(*sink).index]
	}
	return sinks[:len(kept)]
}
