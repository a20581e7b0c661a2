package balancer

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"kecho/balancer/h1"
)

// Health is how it is found out that the web server cannot serve. A connection
// that it refuses says so at once, whatever is here.
type Health struct {
	// Path is asked for with GET, over the protocol that the web server speaks:
	// an answer of 200 to 399 is good. Zero: a connection is enough, and is tried
	// only while the web server is down.
	Path string
	// Every is the time between two checks, a quarter more or less. Zero: 1 s.
	Every time.Duration
	// Timeout is how long a check of Path may take. Zero: 1 s.
	Timeout time.Duration
	// Fall is how many checks in a row must fail until the web server is down,
	// but for the first of all, which is enough. Zero: 3.
	Fall int
	// Rise is how many in a row must be good until it is up again. Zero: 2 with a
	// Path, else 1.
	Rise int
}

func (h Health) withDefaults() Health {
	setDefault(&h.Every, time.Second)
	setDefault(&h.Timeout, time.Second)
	setDefault(&h.Fall, 3)
	if h.Path != "" {
		setDefault(&h.Rise, 2)
	}
	setDefault(&h.Rise, 1)
	return h
}

// UpstreamState is what is known of the web server.
type UpstreamState struct {
	// Up is false while it is given no requests.
	Up bool
	// Failing is true while it is given what no peer takes, and now and then one
	// more: too many of its last 20 answers were none, or 502, 503 or 504
	// (policy.Config.Failures).
	Failing bool
	// Why says what is wrong, as it was last seen. Zero: nothing.
	Why string
	// Since is when that began. Zero: with the start.
	Since time.Time
	// Good and Bad are how many checks of Health.Path were which.
	Good, Bad uint64
}

// health is whether the web server can serve. Its methods may be called by many
// goroutines at once.
type health struct {
	Health
	changed func(up bool)
	sick    func() bool // whether it fails what it is given
	log     *slog.Logger
	name    string
	down    atomic.Bool
	fell    chan struct{} // one token: it is down

	telling sync.Mutex // held while changed is called: one at a time, the latest last

	mu    sync.Mutex
	row   int           // checks in a row that say other than state does; guarded by mu
	state UpstreamState // guarded by mu
}

func newHealth(cfg upstreamConfig, name string, log *slog.Logger) *health {
	h := &health{Health: cfg.Health.withDefaults(), changed: cfg.Changed, sick: cfg.Sick, log: log, name: name, fell: make(chan struct{}, 1)}
	if h.changed == nil {
		h.changed = func(bool) {}
	}
	if h.sick == nil {
		h.sick = func() bool { return false }
	}
	h.state.Up = true
	return h
}

// now is the state at this moment.
func (h *health) now() UpstreamState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

// dialled notes that a connection was made, or why not.
func (h *health) dialled(err error) {
	if err == nil && (!h.down.Load() || h.Path != "") {
		return // of one that is down for its answers a connection says nothing
	}
	h.note(err, true)
}

// checked notes how a check of Path went.
func (h *health) checked(err error) {
	h.mu.Lock()
	first := h.state.Good+h.state.Bad == 0
	if err == nil {
		h.state.Good++
	} else {
		h.state.Bad++
	}
	h.mu.Unlock()
	h.note(err, first)
}

// note has the web server be up or down when enough says so; sure says that a
// failure is enough.
func (h *health) note(err error, sure bool) {
	h.telling.Lock()
	defer h.telling.Unlock()
	if !h.turn(err, sure) {
		return
	}
	if err == nil {
		h.log.Info("the web server can be used again", "upstream", h.name)
	} else {
		h.log.Warn("the web server cannot be used: start it, or correct the address or --health-path; it is tried again all the time",
			"upstream", h.name, "err", err)
		select {
		case h.fell <- struct{}{}:
		default:
		}
	}
	h.changed(err == nil)
}

// turn reports whether the state is another now.
func (h *health) turn(err error, sure bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	up := err == nil
	if up == h.state.Up {
		if h.row = 0; !up {
			h.state.Why = err.Error() // it may be another by now: who has started it is to see what it answers
		}
		return false
	}
	if h.row++; up && h.row < h.Rise || !up && !sure && h.row < h.Fall {
		return false
	}
	h.row = 0
	h.state.Up, h.state.Why, h.state.Since = up, "", time.Now()
	if !up {
		h.state.Why = err.Error()
	}
	h.down.Store(!up)
	return true
}

// turned is called when sick may say something else.
func (h *health) turned() {
	h.mu.Lock()
	defer h.mu.Unlock()
	failing := h.sick()
	if failing == h.state.Failing {
		return
	}
	h.state.Failing, h.state.Since = failing, time.Now()
	if failing {
		h.log.Warn("the web server fails too many of its requests: they go to peers first until it does better", "upstream", h.name)
	} else {
		h.log.Info("the web server answers again", "upstream", h.name)
	}
}

// pause is how long after a check the next one is.
func (h *health) pause() time.Duration { return h.Every*3/4 + rand.N(h.Every/2+1) }

// watches says whether there is always a next check.
func (h *health) watches() bool { return h.Path != "" || h.down.Load() }

// reapEvery is how often connections are looked for that were idle too long.
const reapEvery = 30 * time.Second

// run checks the web server at once, so that it is known to be down before a
// client comes, and then as its health says, until ctx is done. Then it ends the
// websockets and closes the idle connections.
func (u *upstream) run(ctx context.Context) {
	defer u.client.CloseIdle()
	defer u.websockets.close()
	reap := time.NewTicker(reapEvery)
	defer reap.Stop()
	next := time.NewTimer(time.Hour)
	defer next.Stop()
	look := func() {
		if u.check(ctx); u.health.watches() {
			next.Reset(u.health.pause())
		} else {
			next.Stop()
		}
	}
	for look(); ; {
		select {
		case <-ctx.Done():
			return
		case <-reap.C:
			u.client.Reap()
		case <-u.health.fell:
			next.Reset(u.health.pause())
		case <-next.C:
			look()
		}
	}
}

// check finds out whether the web server can serve.
func (u *upstream) check(ctx context.Context) {
	switch {
	case u.health.Path != "":
		if err := u.ask(ctx); ctx.Err() == nil {
			u.health.checked(err)
		}
	case !u.inside:
		if conn, err := u.dialOnce(ctx); err == nil {
			_ = conn.Close() // no request has been waiting for it
		}
	}
}

// maxChecked is how much of a check's answer is read, so that its connection can
// be used again.
const maxChecked = 64 << 10

// ask asks for the path of the checks.
func (u *upstream) ask(parent context.Context) error {
	ctx, cancel := context.WithTimeoutCause(parent, u.health.Timeout, fmt.Errorf("no answer within %v", u.health.Timeout))
	defer cancel()
	res, err := u.client.Do(ctx, &h1.Request{
		Method: http.MethodGet, Target: u.health.Path, Host: cmp.Or(u.origin.Host, "localhost"),
		Header: http.Header{"User-Agent": {"kecho-health"}},
	})
	if err == nil {
		_, _ = io.CopyN(io.Discard, res.Body, maxChecked) // that it broke off is no matter of the check's
		_ = res.Body.Close()
		if res.StatusCode < 200 || res.StatusCode > 399 {
			err = fmt.Errorf("it answered %d", res.StatusCode)
		}
	} else if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", u.health.Path, err)
	}
	return nil
}
