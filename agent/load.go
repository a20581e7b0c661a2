package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"kecho/agent/orca"
	"kecho/resmgr/monitor"
)

// Who sets the application's gauges, as the API shows it.
const (
	fromAnswers = "upstream" // the ORCA field of its answers
	fromLoadURL = "load-url" // what is polled
)

// answerTTL is how long what an answer said holds: a server that answers
// nothing any more says nothing any more.
const answerTTL = 10 * time.Second

// maxLoadBody is how much of the load URL's answer is read.
const maxLoadBody = 16 << 10

// appLoad is what the application says of its own load.
type appLoad struct {
	feed func(key monitor.Key, source string, value *float64, ttl time.Duration) error
	log  *slog.Logger
	keep bool // the answers' field goes on to the client

	mu  sync.Mutex
	bad map[string]bool // sources whose last report could not be read; guarded by mu
}

// hear takes a report from an answer of the web server, and takes it out.
func (l *appLoad) hear(header http.Header) {
	values := header[orca.Header]
	if len(values) == 0 {
		return
	}
	metrics, err := orca.Parse(values[0])
	if !l.keep {
		delete(header, orca.Header)
	}
	if err == nil {
		err = l.set(metrics, fromAnswers, answerTTL)
	}
	l.say(fromAnswers, err)
}

func (l *appLoad) set(metrics []orca.Metric, source string, ttl time.Duration) error {
	var errs []error
	for _, m := range metrics {
		errs = append(errs, l.feed(m.Gauge, source, &m.Value, ttl))
	}
	return errors.Join(errs...)
}

// say logs that a source cannot be read when that begins, and when it ends.
func (l *appLoad) say(source string, err error) {
	l.mu.Lock()
	was := l.bad[source]
	l.bad[source] = err != nil
	l.mu.Unlock()
	switch {
	case err != nil && !was:
		l.log.Warn("the application's load cannot be read, going on without it", "source", source, "err", err)
	case err == nil && was:
		l.log.Info("the application's load can be read again", "source", source)
	}
}

// pollLoad asks the load URL, if there is one.
func (a *Agent) pollLoad(ctx context.Context) error {
	if a.cfg.LoadURL == "" {
		<-ctx.Done()
		return nil
	}
	return newLoadPoller(a.load, a.cfg.LoadURL, a.cfg.LoadEvery, a.cfg.Network.Dial).run(ctx)
}

// loadPoller asks a URL for the application's load.
type loadPoller struct {
	load   *appLoad
	url    string
	every  time.Duration
	client *http.Client
	known  map[monitor.Key]bool // what the last answer had; owned by run
}

func newLoadPoller(load *appLoad, url string, every time.Duration, dial func(context.Context, string, string) (net.Conn, error)) *loadPoller {
	return &loadPoller{load: load, url: url, every: every, known: make(map[monitor.Key]bool), client: &http.Client{
		Transport:     &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       min(every, 5*time.Second),
	}}
}

// run asks until ctx is done. What an answer does not have any more, or all of
// it after a failure, is absent.
func (p *loadPoller) run(ctx context.Context) error {
	defer p.client.CloseIdleConnections()
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		metrics, err := p.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		p.load.say(fromLoadURL, errors.Join(err, p.store(metrics)))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// store sets the gauges, those that are gone too.
func (p *loadPoller) store(metrics []orca.Metric) error {
	err := p.load.set(metrics, fromLoadURL, 3*p.every)
	now := make(map[monitor.Key]bool, len(metrics))
	for _, m := range metrics {
		now[m.Gauge] = true
	}
	for key := range p.known {
		if !now[key] {
			err = errors.Join(err, p.load.feed(key, fromLoadURL, nil, 0))
		}
	}
	p.known = now
	return err
}

func (p *loadPoller) ask(ctx context.Context) ([]orca.Metric, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "kecho")
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", p.url, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxLoadBody+1))
	if err != nil {
		return nil, err
	}
	return orca.Parse(string(text))
}
