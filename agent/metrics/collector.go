package metrics

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what a Collector needs.
type Config struct {
	// Snapshot is called at each scrape. Nil: nothing but requests is shown.
	Snapshot func() Snapshot
	// Version is shown as a label of kecho_build_info. Zero: "unknown".
	Version string
}

// Collector counts requests, and shows them and the snapshot to Prometheus.
type Collector struct {
	snapshot  func() Snapshot
	registry  *prometheus.Registry
	requests  [len(routes)][classes]atomic.Uint64
	durations [len(routes)]prometheus.Observer
}

// New makes a collector with a registry of its own.
func New(cfg Config) *Collector {
	if cfg.Version == "" {
		cfg.Version = "unknown"
	}
	if cfg.Snapshot == nil {
		cfg.Snapshot = func() Snapshot { return Snapshot{} }
	}
	c := &Collector{snapshot: cfg.Snapshot, registry: prometheus.NewRegistry()}
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kecho_request_duration_seconds",
		Help: "Time from the arrival of a request to the end of its answer.",
		// Half a millisecond to eight seconds by factors of two, for those
		// who do not scrape the native form, which is exact to 10 %.
		Buckets:                         prometheus.ExponentialBuckets(0.0005, 2, 15),
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}, []string{"route"})
	for i, r := range routes {
		c.durations[i] = durations.WithLabelValues(string(r))
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "kecho_build_info",
		Help:        "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": valid(cfg.Version), "go_version": runtime.Version()},
	})
	info.Set(1)
	c.registry.MustRegister(durations, info, (*exposition)(c),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return c
}

// Observe counts one request that was answered with status (0: it got no
// answer) after took. An unknown route counts as Rejected. It takes no
// lock, and allocates only for the first duration of a size.
func (c *Collector) Observe(route Route, status int, took time.Duration) {
	i := route.index()
	c.requests[i][classOf(status)].Add(1)
	c.durations[i].Observe(took.Seconds())
}

// Handler answers scrapes.
func (c *Collector) Handler() http.Handler {
	return promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, // a scrape every few seconds is what this is for
	})
}
