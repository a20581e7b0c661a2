// Package orca reads and writes load reports in the forms of ORCA, Open Request
// Cost Aggregation, which Envoy and gRPC use: a web server says in each answer
// how busy it is.
//
//	endpoint-load-metrics: TEXT cpu_utilization=0.3,application_utilization=0.6,named_metrics.queue=12
//	endpoint-load-metrics: JSON {"cpu_utilization": 0.3, "named_metrics": {"queue": 12}}
//
// # Vocabulary
//
// A report is a number of metrics. Each is a gauge of the application's here:
//
//	cpu_utilization          app.cpu
//	mem_utilization          app.memory
//	application_utilization  app.utilization
//	rps_fractional, rps      app.rps
//	eps                      app.eps
//	utilization.NAME         app.utilization{item=NAME}
//	named_metrics.NAME       app.named{item=NAME}; so is any other NAME
//
// What a request has cost (request_cost) is no load, and left out. The binary
// form is not read. The fields are those of xds.data.orca.v3.OrcaLoadReport.
//
// # How it is used
//
//	metrics, err := orca.Parse(res.Header.Get(orca.Header))
//	w.Header().Set(orca.Header, orca.Report{CPU: &cpu}.Text())
//
// # Concurrency
//
// It has no state.
//
// # Limits
//
// A report is 16 KiB of text and 64 metrics at most, all of them finite, and
// each there once; what breaks that is an error and no report. The parser is
// fuzzed.
package orca
