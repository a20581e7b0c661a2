package demo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kecho/cmd/kecho/demo"
)

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// after answers with status, as server, after d of the bubble's time.
func after(d time.Duration, status int, server string) transport {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return &http.Response{
			StatusCode: status,
			Header:     http.Header{demo.ServedBy: {server}},
			Body:       io.NopCloser(strings.NewReader("hello")),
		}, nil
	}
}

func measure(t *testing.T, cfg demo.LoadConfig) demo.Result {
	t.Helper()
	cfg.Target = "http://target.invalid/"
	load, err := demo.NewLoad(cfg)
	if err != nil {
		t.Fatal(err)
	}
	result, err := load.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Sent != result.OK+result.Errors {
		t.Errorf("sent %d, of them %d well and %d badly", result.Sent, result.OK, result.Errors)
	}
	return result
}

func TestLoadIsOpenLoopAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		// Answers take 20 times the gap between requests: a closed loop
		// would send a twentieth.
		r := measure(t, demo.LoadConfig{Rate: 1000, Duration: 20 * time.Second, Transport: after(20*time.Millisecond, 200, "web1")})
		if d := time.Since(start); d < 20*time.Second || d > 20*time.Second+20*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		// 20,000 expected with a deviation of 141: ten of them.
		if r.OK < 18_590 || r.OK > 21_410 || r.Errors != 0 {
			t.Errorf("%d well and %d badly, want near 20000 and 0", r.OK, r.Errors)
		}
		if r.P50 != 20 || r.P99 != 20 || r.Mean != 20 {
			t.Errorf("p50 %v, p99 %v, mean %v; all took 20 ms", r.P50, r.P99, r.Mean)
		}
		if r.ServedBy["web1"] != r.OK || r.ByStatus[200] != r.OK {
			t.Errorf("served by %v, by status %v", r.ServedBy, r.ByStatus)
		}
	})
}

// The gaps of a Poisson process vary as much as they last. A metronome would
// make every queue look better than it is.
func TestArrivalsAreRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var last time.Time
		var sum, squares float64
		var n int
		measure(t, demo.LoadConfig{Rate: 100, Duration: 50 * time.Second, Transport: transport(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			if !last.IsZero() {
				gap := time.Since(last).Seconds()
				sum, squares, n = sum+gap, squares+gap*gap, n+1
			}
			last = time.Now()
			mu.Unlock()
			return after(0, 200, "")(r)
		})})
		mean := sum / float64(n)
		if variation := squares/float64(n)/(mean*mean) - 1; variation < 0.8 || variation > 1.2 {
			t.Errorf("squared coefficient of variation %.2f, want near 1", variation)
		}
	})
}

func TestLoadCountsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := measure(t, demo.LoadConfig{Rate: 100, Duration: 10 * time.Second, Transport: after(time.Hour, 200, "")})
		if r.Errors == 0 || r.ByFailure["timeout"] != r.Errors || r.P99 != 0 {
			t.Errorf("a server that hangs: %+v", r)
		}
		r = measure(t, demo.LoadConfig{Rate: 100, Duration: 10 * time.Second, Transport: after(0, 503, "web1")})
		if r.Errors == 0 || r.ByStatus[503] != r.Errors || len(r.ServedBy) != 0 {
			t.Errorf("a server that refuses: %+v", r)
		}
		r = measure(t, demo.LoadConfig{Rate: 100, Duration: 10 * time.Second, Transport: transport(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused")
		})})
		if r.Errors == 0 || r.ByFailure["connection"] != r.Errors {
			t.Errorf("no server: %+v", r)
		}
		r = measure(t, demo.LoadConfig{Rate: 100, Duration: time.Second, InFlight: 3, Timeout: time.Minute, Transport: after(time.Minute-1, 200, "")})
		if r.OK != 3 || r.ByFailure["in-flight"] != r.Errors {
			t.Errorf("three in flight at most: %+v", r)
		}
	})
}

func TestLoadStopsWhenToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		load, err := demo.NewLoad(demo.LoadConfig{Target: "http://h/", Rate: 100, Duration: time.Hour, Transport: after(time.Second, 200, "")})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		r, err := load.Run(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if r.OK == 0 || r.Errors != 0 {
			t.Errorf("what was given up counts as failed: %+v", r)
		}
	})
}

func TestLoadShowsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []demo.Progress
		measure(t, demo.LoadConfig{
			Rate: 0.1, Duration: 10 * time.Second, Transport: after(0, 200, ""),
			Progress: func(p demo.Progress) { seen = append(seen, p) },
		})
		// Also while nothing is sent, which at this rate is nearly always.
		if len(seen) < 19 || seen[0].Elapsed != 500*time.Millisecond {
			t.Errorf("%d times in 10 s: %v", len(seen), seen)
		}
	})
}

func TestNewLoadRefuses(t *testing.T) {
	good := demo.LoadConfig{Target: "http://h/", Rate: 1, Duration: 1}
	for want, spoil := range map[string]func(*demo.LoadConfig){
		"--target":   func(c *demo.LoadConfig) { c.Target = "h:80" },
		"--rate":     func(c *demo.LoadConfig) { c.Rate = -1 },
		"--duration": func(c *demo.LoadConfig) { c.Duration = 0 },
		"--method":   func(c *demo.LoadConfig) { c.Method = "GE T" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := demo.NewLoad(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one about %s", err, want)
		}
	}
}

func TestLoadFollowsItsPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ended := map[int]demo.Ended{}
		start, asked := time.Now(), []string{"", "", ""}
		r := measure(t, demo.LoadConfig{
			Duration: 3 * time.Second,
			Plan:     slices.Values([]time.Duration{time.Second, time.Second, 2 * time.Second, 4 * time.Second}),
			Prepare:  func(n int, r *http.Request) { r.URL.Path = "/" + strconv.Itoa(n) },
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				asked[int(r.URL.Path[1]-'0')] = r.URL.Path
				mu.Unlock()
				return after(100*time.Millisecond, 503, "web1")(r)
			}),
			Ended: func(n int, e demo.Ended) { mu.Lock(); defer mu.Unlock(); ended[n] = e },
			// One second late, always.
			Sleep: func(_ context.Context, d time.Duration) { time.Sleep(d + time.Second) },
		})
		if r.Sent != 3 || !slices.Equal(asked, []string{"/0", "/1", "/2"}) {
			t.Errorf("%d sent, to %q; want the three that are due in time", r.Sent, asked)
		}
		e := ended[2]
		if e.Due.Sub(start) != 2*time.Second || e.Sent.Before(e.Due) || e.Done.Sub(e.Sent) < 100*time.Millisecond || e.Status != 503 || e.Failure != "" {
			t.Errorf("%+v", e)
		}
		if e := ended[0]; !e.Sent.After(e.Due) {
			t.Errorf("%+v, want it late", e)
		}
	})
}
