package agent

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"kecho/agent/api"
	"kecho/balancer"
)

// What the configuration says of the web server, and what is shown of it.

// KeepAlive is which connections to the web server are kept.
type KeepAlive = balancer.KeepAlive

// Health is how it is found out that the web server cannot serve.
type Health = balancer.Health

func (c Config) validateHealth() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	h := c.Health
	check(h.Path == "" || h.Path[0] == '/' && strings.IndexFunc(h.Path, notInTarget) < 0,
		"--health-path %.80q: want a path of the web server, with its query if need be, such as /healthz", h.Path)
	check(h.Every == 0 || h.Every >= 100*time.Millisecond && h.Every <= time.Hour, "--health-interval %v: want 100ms to 1h", h.Every)
	check(h.Timeout == 0 || h.Timeout >= 10*time.Millisecond && h.Timeout <= time.Minute, "--health-timeout %v: want 10ms to 1m", h.Timeout)
	check(h.Fall >= 0 && h.Fall <= 100, "--health-fall %d: want 1 to 100", h.Fall)
	check(c.Failures >= -1 && c.Failures <= 20, "--health-failures %d: want 1 to 20, or -1 for never", c.Failures)
	check(h.Rise >= 0 && h.Rise <= 100, "--health-rise %d: want 1 to 100", h.Rise)
	if h.Path == "" {
		check(h.Timeout == 0, "--health-timeout %v goes with --health-path: without one a connection is enough, and has 1 s", h.Timeout)
		check(h.Fall == 0, "--health-fall %d goes with --health-path: without one the first refused connection decides", h.Fall)
	}
	return errors.Join(errs...)
}

func (c Config) validateKeepAlive() error {
	var errs []error
	k := c.KeepAlive
	if k.Idle < 0 || k.Idle > 1e6 {
		errs = append(errs, fmt.Errorf("--upstream-idle %d: want 1 to 1000000", k.Idle))
	}
	if k.Timeout < 0 || k.Timeout > 0 && k.Timeout < 10*time.Millisecond || k.Timeout > 24*time.Hour {
		errs = append(errs, fmt.Errorf("--upstream-idle-timeout %v: want 10ms to 24h", k.Timeout))
	}
	if k.Requests < 0 {
		errs = append(errs, fmt.Errorf("--upstream-requests %d: want 1, which keeps no connection, or more", k.Requests))
	}
	if o, err := balancer.ParseOrigin(c.Upstream); err == nil && o.HTTP2 && (k.Idle > 0 || k.Requests > 0) {
		errs = append(errs, errors.New("--upstream-idle and --upstream-requests mean nothing over HTTP/2, which --upstream says: leave them out"))
	}
	return errors.Join(errs...)
}

func notInTarget(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }

// showUpstream is the web server, as the API shows it.
func (a *Agent) showUpstream(s balancer.UpstreamState) api.Upstream {
	shown := api.Upstream{URL: a.upstreamName(), Up: s.Up, Failing: s.Failing, Why: s.Why}
	if !s.Since.IsZero() {
		shown.Since = &s.Since
	}
	return shown
}

// checkUpstream is whether somebody can serve requests that come here.
func (a *Agent) checkUpstream(s balancer.UpstreamState, helpers int) api.Check {
	check := api.Check{Name: "upstream", OK: s.Up || helpers > 0}
	switch {
	case !s.Up:
		check.Detail = fmt.Sprintf("%s cannot be used; peers that can take its requests: %d; %.200s", a.upstreamName(), helpers, s.Why)
	case s.Failing:
		check.Detail = a.upstreamName() + " fails too many of its requests; they go to peers first"
	}
	return check
}
