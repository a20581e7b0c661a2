package dynamic

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
)

// programs compiles "pass", "drop", "fail" and "wait", whose runs end when the
// test lets them, and knows which are closed.
type programs struct {
	release chan struct{}
	closed  atomic.Int64
	late    atomic.Int64 // runs that a closed program was asked for
}

type program struct {
	of     *programs
	word   string
	closed atomic.Bool
}

func (p *programs) Compile(_ Direction, source []byte) (Program, error) {
	switch word := string(source); word {
	case "pass", "drop", "fail", "wait":
		return &program{of: p, word: word}, nil
	}
	return nil, fmt.Errorf("no word %q", source)
}

func (p *program) Run(_ *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	if p.closed.Load() {
		p.of.late.Add(1)
	}
	switch p.word {
	case "drop":
		return sinks[:0], nil
	case "fail":
		return nil, errors.New("it failed")
	case "wait":
		<-p.of.release
	}
	if p.closed.Load() {
		p.of.late.Add(1)
	}
	return sinks, nil
}

func (p *program) Close() error {
	if p.closed.Swap(true) {
		panic("closed twice")
	}
	p.of.closed.Add(1)
	return nil
}

func newRuntime() (*Runtime, *programs) {
	p := &programs{release: make(chan struct{})}
	return New(Config{Compilers: map[string]Compiler{"word": p, "stock": NewStock(StockConfig{})}}), p
}

func word(s string) Spec { return Spec{Kind: "word", Source: []byte(s)} }

func mustPut(t *testing.T, r *Runtime, ch string, d Direction, s Spec) Info {
	t.Helper()
	info, err := r.Put(ch, d, s)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestRuntimeOnChannels puts filters on two live channels and takes them off.
func TestRuntimeOnChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := channeltest.Nodes(t, 2)
		r, p := newRuntime()
		got := map[string]*channeltest.Recorder{}
		from := map[string]*channel.Channel{}
		for _, name := range []string{"jobs", "news"} {
			opened := channeltest.Open(t, name, nodes...)
			from[name], got[name] = opened[0], channeltest.Record(t, opened[1], channel.Match{})
			for d, set := range map[Direction]func(channel.Filter){Out: opened[0].SetOut, In: opened[1].SetIn} {
				if err := r.Attach(Place{Channel: name, Direction: d, Set: set}); err != nil {
					t.Fatal(err)
				}
			}
		}
		submit := func(name, body string) error {
			_, err := from[name].Submit(t.Context(), channel.Event{Type: "work", Body: []byte(body)})
			synctest.Wait()
			return err
		}
		submit("jobs", "1")
		first := mustPut(t, r, "jobs", Out, Spec{Kind: "stock", Source: []byte("types except=work")})
		second := mustPut(t, r, "news", In, word("drop"))
		if err := submit("jobs", "2"); !errors.Is(err, channel.ErrNoSink) {
			t.Error("an OUT-filter that drops: ", err)
		}
		submit("news", "3")
		mustPut(t, r, "jobs", Out, word("pass"))
		submit("jobs", "4")
		if _, err := r.Remove("news", In); err != nil {
			t.Error(err)
		}
		submit("news", "5")
		if jobs, news := strings.Join(got["jobs"].Bodies(), ""), strings.Join(got["news"].Bodies(), ""); jobs != "14" || news != "5" {
			t.Errorf("jobs got %s, want 14; news got %s, want 5", jobs, news)
		}
		if first.Revision == 0 || second.Revision <= first.Revision {
			t.Error("revisions do not rise:", first.Revision, second.Revision)
		}
		list := r.List()
		if len(list) != 1 || list[0].Channel != "jobs" || list[0].Stats.Runs != 1 || string(list[0].Source) != "pass" {
			t.Errorf("list: %+v", list)
		}
		r.Close()
		if n := p.closed.Load(); n != 2 {
			t.Errorf("%d programs closed, want 2", n)
		}
	})
}

// TestRuntimeInFlight: an event ends with the revision that it began with, and
// only then is that closed.
func TestRuntimeInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p := newRuntime()
		filter := attached(t, r, Pass)
		mustPut(t, r, "c", Out, word("wait"))
		var kept []channel.Sink
		go func() { kept = (*filter)(&channel.Event{}, make([]channel.Sink, 2)) }()
		synctest.Wait()
		mustPut(t, r, "c", Out, word("drop"))
		if n := len((*filter)(&channel.Event{}, make([]channel.Sink, 2))); n != 0 {
			t.Errorf("the new revision left %d sinks", n)
		}
		if p.closed.Load() != 0 {
			t.Error("the old revision was closed with an event in it")
		}
		close(p.release)
		synctest.Wait()
		if len(kept) != 2 || p.closed.Load() != 1 || p.late.Load() != 0 {
			t.Errorf("the event in flight kept %d sinks, %d programs closed, %d runs late", len(kept), p.closed.Load(), p.late.Load())
		}
	})
}

// attached attaches the OUT-filter of a channel "c" and is where it is set.
func attached(t *testing.T, r *Runtime, f Fallback) *channel.Filter {
	t.Helper()
	var filter channel.Filter
	err := r.Attach(Place{Channel: "c", Direction: Out, Fallback: f, Set: func(f channel.Filter) { filter = f }})
	if err != nil {
		t.Fatal(err)
	}
	return &filter
}

// TestRuntimeSwapsUnderLoad: no event is ever run by a closed program, and each
// program is closed once.
func TestRuntimeSwapsUnderLoad(t *testing.T) {
	r, p := newRuntime()
	filter := attached(t, r, Pass)
	mustPut(t, r, "c", Out, word("pass"))
	f := *filter
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			sinks := make([]channel.Sink, 2)
			for !stop.Load() {
				f(&channel.Event{}, sinks)
			}
		})
	}
	for range 500 {
		mustPut(t, r, "c", Out, word("pass"))
	}
	stop.Store(true)
	wg.Wait()
	r.Close()
	if p.late.Load() != 0 || p.closed.Load() != 501 {
		t.Errorf("%d runs by closed programs, %d closed, want 0 and 501", p.late.Load(), p.closed.Load())
	}
}

// TestRevisionEnter: what is closed is never entered again.
func TestRevisionEnter(t *testing.T) {
	_, p := newRuntime()
	made, _ := p.Compile(Out, []byte("pass"))
	rev := &revision{program: made}
	rev.users.Store(1)
	if !rev.enter() {
		t.Fatal("a current revision is not entered")
	}
	rev.leave()
	if p.closed.Load() != 0 {
		t.Error("closed while it is current")
	}
	rev.leave() // the place's share
	if p.closed.Load() != 1 || rev.enter() {
		t.Error("a replaced revision is not closed, or is entered")
	}
}

func TestRuntimeFallback(t *testing.T) {
	for _, c := range []struct {
		place, spec Fallback
		left        int
	}{{"", "", 2}, {Pass, "", 2}, {Drop, "", 0}, {"", Drop, 0}, {Drop, Pass, 2}} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := newRuntime()
			filter := attached(t, r, c.place)
			mustPut(t, r, "c", Out, Spec{Kind: "word", Source: []byte("fail"), Fallback: c.spec})
			run := func() {
				if n := len((*filter)(&channel.Event{}, make([]channel.Sink, 2))); n != c.left {
					t.Errorf("fallbacks %+v left %d sinks", c, n)
				}
			}
			for range 10 {
				run()
			}
			time.Sleep(restTime)
			run()
			run()
			info, err := r.Get("c", Out)
			s := info.Stats
			if err != nil || s.Runs != strikes+1 || s.Failed != strikes+1 || s.Skipped != 12-s.Runs || s.LastError != "it failed" {
				t.Errorf("%v, %+v", err, s)
			}
		})
	}
}

// TestRuntimeRecovers: a run that succeeds ends the streak.
func TestRuntimeRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := true
		rev := &revision{now: time.Now, program: failing(func() bool { return fails })}
		for range strikes {
			rev.run(&channel.Event{}, nil)
		}
		time.Sleep(restTime)
		fails = false
		rev.run(&channel.Event{}, nil)
		fails = true
		for range strikes + 3 {
			rev.run(&channel.Event{}, nil)
		}
		if s := rev.report().Stats; s.Failed != 2*strikes || s.Skipped != 3 || s.Sampled.Count != 1 {
			t.Errorf("%+v", s)
		}
	})
}

type failing func() bool

func (f failing) Run(_ *channel.Event, sinks []channel.Sink) ([]channel.Sink, error) {
	if f() {
		return nil, errors.New("it failed")
	}
	return sinks, nil
}

func (f failing) Close() error { return nil }

func TestRuntimeRefuses(t *testing.T) {
	r, p := newRuntime()
	filter := attached(t, r, Pass)
	for _, c := range []struct {
		channel string
		d       Direction
		spec    Spec
		is      error
		want    string
	}{
		{"x", Out, word("pass"), ErrNoPlace, `channel "x", out-filter: no such place for a filter`},
		{"c", In, word("pass"), ErrNoPlace, `channel "c", in-filter: no such place`},
		{"c", Out, word("bogus"), ErrSource, `filter does not compile: no word "bogus"`},
		{"c", Out, Spec{Kind: "lua"}, ErrSource, `filter does not compile: unknown kind "lua": there are stock, word`},
	} {
		_, err := r.Put(c.channel, c.d, c.spec)
		if !errors.Is(err, c.is) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.channel, c.d, err, c.want)
		}
	}
	if _, err := r.Remove("c", Out); !errors.Is(err, ErrNoFilter) {
		t.Error("removing nothing:", err)
	}
	if err := r.Attach(Place{Channel: "c", Direction: Out}); !errors.Is(err, ErrAttached) {
		t.Error("attaching twice:", err)
	}
	mustPut(t, r, "c", Out, word("drop"))
	if _, err := r.Put("c", Out, word("bogus")); err == nil || *filter == nil {
		t.Error("a source that does not compile took the filter off:", err)
	}
	r.Detach("c")
	if *filter != nil || p.closed.Load() != 1 {
		t.Error("a detached place keeps its filter")
	}
	if _, err := r.Get("c", Out); !errors.Is(err, ErrNoPlace) {
		t.Error("after Detach:", err)
	}
}

func TestRuntimeTest(t *testing.T) {
	r, p := newRuntime()
	sinks := fourSinks()
	out, err := r.Test(Out, Spec{Kind: "stock", Source: []byte("remote | least-loaded")}, &channel.Event{}, sinks)
	if err != nil || out.Err != nil || len(out.Kept) != 1 || out.Kept[0].Node != 3 {
		t.Errorf("%+v, %v", out, err)
	}
	if sinks[0].Node != 1 {
		t.Error("Test wrote to the caller's sinks")
	}
	out, err = r.Test(In, word("fail"), &channel.Event{}, sinks)
	if err != nil || out.Err == nil || len(out.Kept) != 4 || p.closed.Load() != 1 {
		t.Errorf("%+v, %v, %d closed", out, err, p.closed.Load())
	}
	if _, err := r.Test("up", word("pass"), &channel.Event{}, nil); !errors.Is(err, ErrSource) {
		t.Error(err)
	}
}

// BenchmarkSlot is what a filter costs more for being replaceable.
func BenchmarkSlot(b *testing.B) {
	rev := &revision{now: time.Now, program: Native(func(_ *channel.Event, s []channel.Sink) []channel.Sink { return s })}
	rev.users.Store(1)
	s := &slot{}
	s.current.Store(rev)
	e, sinks := &channel.Event{}, make([]channel.Sink, 8)
	b.ReportAllocs()
	for b.Loop() {
		s.filter(e, sinks)
	}
}
