package dynamic

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kecho/channel"
)

// What callers branch on.
var (
	ErrNoPlace  = errors.New("no such place for a filter")
	ErrNoFilter = errors.New("no filter there")
	ErrAttached = errors.New("attached already")
	ErrSource   = errors.New("filter does not compile")
)

// Config configures a Runtime.
type Config struct {
	// Compilers has the kinds of filters by name. It is copied.
	Compilers map[string]Compiler
	// Now is the clock of Stats, Info.Since and rests. Nil: time.Now.
	Now func() time.Time
}

// Place is where a filter can be put.
type Place struct {
	Channel   string
	Direction Direction
	// Set installs a filter, or with nil takes it off: a channel's SetIn or
	// SetOut, or what combines it with filters of somebody else. It must not
	// block.
	Set func(channel.Filter)
	// Fallback is for events whose filter failed, unless its Spec says. Zero:
	// Pass.
	Fallback Fallback
}

// Info describes one revision.
type Info struct {
	Channel   string
	Direction Direction
	Kind      string
	Source    []byte // shared: not to be written to
	Revision  uint64
	Since     time.Time
	Fallback  Fallback
	Stats     Stats
}

// Runtime holds the places of one node's channels and the filters on them.
type Runtime struct {
	compilers map[string]Compiler
	now       func() time.Time
	last      atomic.Uint64 // revision number drawn last

	mu    sync.Mutex
	slots map[placeKey]*slot // guarded by mu
}

type placeKey struct {
	channel   string
	direction Direction
}

// New makes a Runtime without places. It starts nothing; Detach or Close frees
// what filters hold.
func New(cfg Config) *Runtime {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Runtime{compilers: maps.Clone(cfg.Compilers), now: cfg.Now, slots: map[placeKey]*slot{}}
}

// Attach makes a place known. It has no filter yet, and Set is not called
// until one is put: a channel without a filter does not pay for this package.
func (r *Runtime) Attach(p Place) error {
	if p.Fallback == "" {
		p.Fallback = Pass
	}
	key := placeKey{p.Channel, p.Direction}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slots[key] != nil {
		return fmt.Errorf("channel %q, %s-filter: %w", p.Channel, p.Direction, ErrAttached)
	}
	r.slots[key] = &slot{place: p}
	return nil
}

// Detach forgets a channel's places and takes their filters off. Detaching
// what is not attached does nothing.
func (r *Runtime) Detach(channelName string) {
	for _, d := range []Direction{In, Out} {
		key := placeKey{channelName, d}
		r.mu.Lock()
		s := r.slots[key]
		delete(r.slots, key)
		r.mu.Unlock()
		if s != nil {
			retire(s.detach())
		}
	}
}

// Close detaches every channel.
func (r *Runtime) Close() {
	r.mu.Lock()
	slots := r.slots
	r.slots = map[placeKey]*slot{}
	r.mu.Unlock()
	for _, s := range slots {
		retire(s.detach())
	}
}

// Put compiles spec and makes it the filter of a place, in place of the one
// that is there, which stays when there is an error: ErrNoPlace, or ErrSource
// with what the compiler says.
func (r *Runtime) Put(channelName string, d Direction, spec Spec) (Info, error) {
	s, err := r.slot(channelName, d)
	if err != nil {
		return Info{}, err
	}
	program, err := r.compile(d, spec)
	if err != nil {
		return Info{}, err
	}
	fallback := cmp.Or(spec.Fallback, s.place.Fallback)
	next := &revision{program: program, fallback: fallback, now: r.now, info: Info{
		Channel: channelName, Direction: d, Kind: spec.Kind, Source: slices.Clone(spec.Source),
		Revision: r.last.Add(1), Since: r.now(), Fallback: fallback,
	}}
	next.users.Store(1)
	old, ok := s.swap(next)
	if !ok {
		retire(next)
		return Info{}, noPlace(channelName, d)
	}
	retire(old)
	return next.report(), nil
}

// Remove takes the filter of a place off and returns what it did; ErrNoPlace
// or ErrNoFilter when there is none.
func (r *Runtime) Remove(channelName string, d Direction) (Info, error) {
	s, err := r.slot(channelName, d)
	if err != nil {
		return Info{}, err
	}
	old, ok := s.swap(nil)
	if !ok {
		return Info{}, noPlace(channelName, d)
	}
	if old == nil {
		return Info{}, fmt.Errorf("channel %q, %s-filter: %w", channelName, d, ErrNoFilter)
	}
	retire(old)
	return old.report(), nil
}

// Get describes the filter of a place; ErrNoPlace or ErrNoFilter when there is
// none.
func (r *Runtime) Get(channelName string, d Direction) (Info, error) {
	s, err := r.slot(channelName, d)
	if err != nil {
		return Info{}, err
	}
	now := s.current.Load()
	if now == nil {
		return Info{}, fmt.Errorf("channel %q, %s-filter: %w", channelName, d, ErrNoFilter)
	}
	return now.report(), nil
}

// List describes every filter that is on, by channel and direction.
func (r *Runtime) List() []Info {
	r.mu.Lock()
	slots := slices.Collect(maps.Values(r.slots))
	r.mu.Unlock()
	var infos []Info
	for _, s := range slots {
		if now := s.current.Load(); now != nil {
			infos = append(infos, now.report())
		}
	}
	slices.SortFunc(infos, func(a, b Info) int {
		return cmp.Or(strings.Compare(a.Channel, b.Channel), strings.Compare(string(a.Direction), string(b.Direction)))
	})
	return infos
}

// Outcome is what a filter did in a Test.
type Outcome struct {
	// Kept is the sinks that are left, in the filter's order; all that were
	// given when Err is set.
	Kept []channel.Sink
	// Took is the time of the run, without compiling.
	Took time.Duration
	// Err is why the run failed; the fallback would decide.
	Err error
}

// Test compiles spec and runs it once on e and a copy of sinks. The error is
// ErrSource; what goes wrong in the run is in the Outcome.
func (r *Runtime) Test(d Direction, spec Spec, e *channel.Event, sinks []channel.Sink) (Outcome, error) {
	program, err := r.compile(d, spec)
	if err != nil {
		return Outcome{}, err
	}
	sinks = slices.Clone(sinks)
	began := r.now()
	kept, err := program.Run(e, sinks)
	out := Outcome{Kept: kept, Took: r.now().Sub(began), Err: err}
	if err != nil {
		out.Kept = sinks
	}
	return out, program.Close()
}

func (r *Runtime) compile(d Direction, spec Spec) (Program, error) {
	if _, err := ParseDirection(string(d)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	c := r.compilers[spec.Kind]
	if c == nil {
		kinds := slices.Sorted(maps.Keys(r.compilers))
		return nil, fmt.Errorf("%w: unknown kind %.40q: there are %s", ErrSource, spec.Kind, strings.Join(kinds, ", "))
	}
	program, err := c.Compile(d, spec.Source)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	return program, nil
}

func (r *Runtime) slot(channelName string, d Direction) (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.slots[placeKey{channelName, d}]; s != nil {
		return s, nil
	}
	return nil, noPlace(channelName, d)
}

func noPlace(channelName string, d Direction) error {
	return fmt.Errorf("channel %.80q, %.20s-filter: %w", channelName, string(d), ErrNoPlace)
}

// retire gives up the place's share of a revision, if any.
func retire(r *revision) {
	if r != nil {
		r.leave()
	}
}
