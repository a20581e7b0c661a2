package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
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
	// Plan, when set, is when each request is due, since the start and in
	// order, in place of a Poisson process of Rate. What is due after Duration
	// is not sent.
	Plan iter.Seq[time.Duration]
	// Prepare, when set, may change request n, the first is 0, just before it
	// is sent. Many goroutines call it at once.
	Prepare func(n int, r *http.Request)
	// Ended, when set, is told what request n came to. Many goroutines call it
	// at once.
	Ended func(n int, e Ended)
	// Sleep, when set, waits until d has passed or ctx has ended, in place of a
	// timer, which may be a millisecond late.
	Sleep func(ctx context.Context, d time.Duration)
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

// Ended is what one request came to.
type Ended struct {
	// Due is when it was to be sent, Sent when it was, Done when the last byte
	// of the answer had come, or it had failed. One that the bound InFlight
	// kept back has no Sent.
	Due, Sent, Done time.Time
	// Status is the answer's; 0: there was none, for the reason Failure, one of
	// the keys of Result.ByFailure.
	Status  int
	Failure string
}

// Load sends requests in an open loop: when they are due, not when earlier
// ones have been answered, as the clients of a web server do.
type Load struct {
	cfg LoadConfig

	mu     sync.Mutex // guards what is below
	sample *sample
	first  error // why the first request failed that got no answer
}

// NewLoad checks cfg; it sends nothing.
func NewLoad(cfg LoadConfig) (*Load, error) {
	u, err := url.Parse(cfg.Target)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("--target %.200q: want a URL such as http://127.0.0.1:8080/", cfg.Target)
	}
	if cfg.Plan == nil && !(cfg.Rate > 0 && cfg.Rate <= 1e6) {
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
	if cfg.Plan == nil {
		cfg.Plan = poisson(cfg.Rate)
	}
	if cfg.Sleep == nil {
		cfg.Sleep = pause
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
	l.arrivals(ctx, func(n int, due time.Time) {
		select {
		case slots <- struct{}{}:
		default:
			l.note(n, outcome{failure: "in-flight"}, Ended{Due: due, Done: time.Now()})
			return
		}
		open.Go(func() {
			defer func() { <-slots }()
			e := Ended{Due: due}
			if o := l.send(ctx, n, &e); ctx.Err() == nil {
				l.note(n, o, e)
			}
		})
	})
	open.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sample.finish(), context.Cause(ctx)
}

// arrivals calls arrive when requests are due. A moment that was slept through
// is made up for at once, and its request counts from when it was due.
func (l *Load) arrivals(ctx context.Context, arrive func(n int, due time.Time)) {
	pace := newPace(l.cfg.Sleep, l.progress)
	n := 0
	for after := range l.cfg.Plan {
		if after > l.cfg.Duration {
			break
		}
		due := pace.start.Add(after)
		if !pace.until(ctx, due) {
			return
		}
		arrive(n, due)
		n++
	}
	pace.until(ctx, pace.start.Add(l.cfg.Duration))
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

// note counts what request n came to.
func (l *Load) note(n int, o outcome, e Ended) {
	if l.cfg.Ended != nil {
		e.Status, e.Failure = o.status, o.failure
		l.cfg.Ended(n, e)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sample.add(o)
}

// send sends request n, which is due when e says, and notes in e when it was
// sent and done.
func (l *Load) send(ctx context.Context, n int, e *Ended) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, l.cfg.Method, l.cfg.Target, strings.NewReader(l.cfg.Body))
	if err != nil {
		return outcome{failure: "connection"} // NewLoad has tried the same
	}
	if l.cfg.Prepare != nil {
		l.cfg.Prepare(n, req)
	}
	e.Sent = time.Now()
	defer func() {
		e.Done = time.Now()
		o.took = e.Done.Sub(e.Due)
	}()
	res, err := l.cfg.Transport.RoundTrip(req)
	if err != nil {
		return l.failed(ctx, err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return l.failed(ctx, err)
	}
	return outcome{status: res.StatusCode, servedBy: res.Header.Get(ServedBy)}
}

// failed is what a request without an answer came to.
func (l *Load) failed(ctx context.Context, err error) outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil && !errors.Is(ctx.Err(), context.Canceled) {
		l.first = err
	}
	return outcome{failure: failureOf(err)}
}

// FirstError is why the first request got no answer; nil: all got one.
func (l *Load) FirstError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func failureOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "connection"
}
