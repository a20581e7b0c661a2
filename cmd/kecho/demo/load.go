package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// LoadConfig describes a load.
type LoadConfig struct {
	// Target is the URL that every request goes to. Required.
	Target string
	// Rate is how many requests a second are sent on average. Required.
	Rate float64
	// Duration is how long requests are sent; answers are waited for after
	// it. Required.
	Duration time.Duration
	// Method of the requests. Zero: GET.
	Method string
	// Body goes with every request.
	Body string
	// Timeout is how long one request may take. Zero: 5 s, the paper's.
	Timeout time.Duration
	// InFlight is how many requests are open at most; what is due beyond it
	// counts as an error. Zero: 2,000.
	InFlight int
	// Transport carries the requests. Nil: an http.Transport of the Load's
	// own, which keeps connections open and is closed by Run.
	Transport http.RoundTripper
	// Progress, when set, is called about twice a second while requests are
	// sent, on Run's goroutine.
	Progress func(Progress)
}

// Progress is how far a Load is.
type Progress struct {
	Elapsed, Duration time.Duration
	// OK and Errors are as in Result; requests that are open are in neither.
	OK, Errors int
}

// Load sends requests in an open loop: when they are due, not when earlier
// ones have been answered, as the clients of a web server do.
type Load struct {
	cfg LoadConfig

	mu     sync.Mutex
	sample *sample // guarded by mu
}

// NewLoad checks cfg; it sends nothing.
func NewLoad(cfg LoadConfig) (*Load, error) {
	u, err := url.Parse(cfg.Target)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("--target %.200q: want a URL such as http://127.0.0.1:8080/", cfg.Target)
	}
	if !(cfg.Rate > 0 && cfg.Rate <= 1e6) {
		return nil, fmt.Errorf("--rate %v: want more than 0 and at most 1000000 requests a second", cfg.Rate)
	}
	if cfg.Duration <= 0 {
		return nil, fmt.Errorf("--duration %v: want more than 0", cfg.Duration)
	}
	if cfg.Method == "" {
		cfg.Method = http.MethodGet
	}
	if _, err := http.NewRequest(cfg.Method, cfg.Target, nil); err != nil {
		return nil, fmt.Errorf("--method %.40q: want a method such as GET", cfg.Method)
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("--timeout %v: want more than 0", cfg.Timeout)
	}
	if cfg.InFlight < 0 {
		return nil, fmt.Errorf("--in-flight %d: want at least 1", cfg.InFlight)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.InFlight == 0 {
		cfg.InFlight = 2000
	}
	return &Load{cfg: cfg, sample: newSample()}, nil
}

// Run sends the load and waits for the last answer. When ctx ends it sends no
// more, gives up and forgets what is open, and returns what was measured until then with
// the cause of ctx. It is called once.
func (l *Load) Run(ctx context.Context) (Result, error) {
	if l.cfg.Transport == nil {
		t := &http.Transport{
			DisableCompression:  true,
			MaxIdleConnsPerHost: l.cfg.InFlight,
			IdleConnTimeout:     90 * time.Second,
		}
		defer t.CloseIdleConnections()
		l.cfg.Transport = t
	}
	var open sync.WaitGroup
	slots := make(chan struct{}, l.cfg.InFlight)
	l.arrivals(ctx, func(due time.Time) {
		select {
		case slots <- struct{}{}:
		default:
			l.note(outcome{failure: "in-flight"})
			return
		}
		open.Go(func() {
			defer func() { <-slots }()
			if o := l.send(ctx, due); ctx.Err() == nil {
				l.note(o)
			}
		})
	})
	open.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sample.finish(), context.Cause(ctx)
}

// arrivals calls arrive at the moments of a Poisson process. A moment that
// was slept through is made up for at once, and its request counts from when
// it was due.
func (l *Load) arrivals(ctx context.Context, arrive func(due time.Time)) {
	start := time.Now()
	const beat = 500 * time.Millisecond
	nextBeat := start.Add(beat)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := start; ; {
		gap := rand.ExpFloat64() / l.cfg.Rate * float64(time.Second)
		due = due.Add(time.Duration(gap))
		last := due.Sub(start) > l.cfg.Duration
		if last {
			due = start.Add(l.cfg.Duration)
		}
		for now := time.Now(); now.Before(due); now = time.Now() {
			if !now.Before(nextBeat) {
				l.progress(now.Sub(start))
				nextBeat = nextBeat.Add(beat)
			}
			wake := due
			if nextBeat.Before(due) {
				wake = nextBeat
			}
			timer.Reset(wake.Sub(now))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
		if last || ctx.Err() != nil {
			return
		}
		arrive(due)
	}
}

func (l *Load) progress(elapsed time.Duration) {
	if l.cfg.Progress == nil {
		return
	}
	l.mu.Lock()
	r := l.sample.result
	l.mu.Unlock()
	l.cfg.Progress(Progress{
		Elapsed: elapsed, Duration: l.cfg.Duration,
		OK: r.OK, Errors: r.Errors,
	})
}

func (l *Load) note(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sample.add(o)
}

func (l *Load) send(ctx context.Context, due time.Time) outcome {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, l.cfg.Method, l.cfg.Target, strings.NewReader(l.cfg.Body))
	if err != nil {
		return outcome{failure: "connection"} // NewLoad has tried the same
	}
	res, err := l.cfg.Transport.RoundTrip(req)
	if err != nil {
		return outcome{failure: failureOf(err)}
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return outcome{failure: failureOf(err)}
	}
	return outcome{
		status:   res.StatusCode,
		servedBy: res.Header.Get(ServedBy),
		took:     time.Since(due),
	}
}

func failureOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "connection"
}
