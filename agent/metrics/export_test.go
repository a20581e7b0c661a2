package metrics

import "github.com/prometheus/client_golang/prometheus"

// Gatherer is the collector's own registry.
func Gatherer(c *Collector) prometheus.Gatherer { return c.registry }
