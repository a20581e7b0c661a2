package metrics_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"kecho/agent/metrics"
)

func full() metrics.Snapshot {
	load := 0.75
	return metrics.Snapshot{
		InFlight: 3, Queued: 2, OverflowRaised: true,
		Crossings: map[string]uint64{"raised": 6, "cancelled": 5}, Told: map[string]uint64{"told": 4, "failed": 3},
		Overflow:          map[string]uint64{"soft_limit": 7, "timeout": 0, "no such reason": 4, "nor this": 1},
		Copies:            map[string]uint64{"answered": 5, "busy": 2},
		DuplicatesDropped: 1, Cancels: 2, Control: 12, Wasted: 1500 * time.Millisecond,
		Ejections: 3, Ejected: 1, Sick: true, Websockets: 7, UpstreamUp: true, Checks: map[string]uint64{"good": 5, "bad": 2},
		Connections: metrics.Connections{Open: 5, Busy: 2, Most: 9, Accepted: 31, Limited: map[string]uint64{"address": 4, "no such": 1}},
		Leases:      &metrics.Leases{Live: 2, Waiting: 1, Closed: true, Kinds: []metrics.Resource{{Kind: "cpu", Capacity: 4, Free: 0.5}}},
		Flows: []metrics.Flow{
			{Channel: "news", From: "east", To: "west", Events: map[string]uint64{"forwarded": 6, "far": 1, "no such": 2}, Queued: 3},
		},
		Moves: map[string]uint64{"offer": 8, "late_claim": 2},
		Peers: []metrics.Peer{
			{Name: "web2", Load: &load, HeardAge: 1500 * time.Millisecond},
			{Name: "web2", Load: &load},
			{Name: "web3", HeardAge: -1},
			{Name: "bad\xff", HeardAge: time.Second},
		},
		Members: 2, Links: 1, RejoinAttempts: 9,
		Channels: []metrics.Channel{
			{Name: "balancer", Submitted: 10, Arrived: 11, BytesOut: 12, BytesIn: 13, Drops: map[string]uint64{"decode": 1},
				Sinks: 3, Readers: 2, Queued: 4, QueuedBytes: 500, Delivered: metrics.Timing{Count: 9, Total: 3 * time.Second},
				In:  metrics.Filter{Runs: 128, Timed: metrics.Timing{Count: 2, Total: time.Millisecond}},
				Out: metrics.Filter{Runs: 64, Failed: 5, Rested: 6}},
			{Name: "balancer", Submitted: 99},
		},
		PerLink: []metrics.Link{
			{Peer: "web2", RTT: time.Millisecond, FramesOut: 1, FramesIn: 2, BytesOut: 3, BytesIn: 4, Queued: 5, QueuedBytes: 6, Drops: map[string]uint64{"late": 7, "refused": 8}},
			{Peer: "web4"}, {Peer: "web4", FramesIn: 1},
		},
	}
}

func scrape(t *testing.T, c *metrics.Collector) string {
	t.Helper()
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, _ := io.ReadAll(w.Result().Body)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, body)
	}
	return string(body)
}

func TestScrapeShowsEverything(t *testing.T) {
	c := metrics.New(metrics.Config{Version: "v1.2.3", Snapshot: full})
	c.Observe(metrics.Local, 200, 30*time.Millisecond)
	c.Observe(metrics.Local, 304, 30*time.Millisecond)
	c.Observe(metrics.Forwarded, 0, time.Second)
	c.Observe(metrics.Received, 99, time.Second)
	c.Observe(metrics.Rejected, 503, 0)
	c.Observe("elsewhere", 600, 0) // no such route, no such class
	got := scrape(t, c)
	for _, want := range []string{
		`kecho_requests_total{code_class="2xx",route="local"} 1`,
		`kecho_requests_total{code_class="3xx",route="local"} 1`,
		`kecho_requests_total{code_class="none",route="forwarded"} 1`,
		`kecho_requests_total{code_class="none",route="received"} 1`,
		`kecho_requests_total{code_class="5xx",route="rejected"} 1`,
		`kecho_requests_total{code_class="none",route="rejected"} 1`,
		`kecho_requests_total{code_class="2xx",route="received"} 0`,
		`kecho_request_duration_seconds_count{route="local"} 2`,
		`kecho_request_duration_seconds_bucket{route="local",le="0.032"} 2`,
		`kecho_request_duration_seconds_bucket{route="local",le="0.016"} 0`,
		`kecho_threshold_crossings_total{state="raised"} 6`, `kecho_threshold_messages_total{result="failed"} 3`,
		"kecho_in_flight 3", "kecho_queue_length 2", "kecho_overflow_raised 1",
		`kecho_overflow_total{reason="soft_limit"} 7`,
		`kecho_overflow_total{reason="other"} 5`,
		`kecho_overflow_total{reason="timeout"} 0`,
		`kecho_copies_total{result="answered"} 5`,
		"kecho_ejections_total 3", "kecho_ejected_peers 1", "kecho_upstream_failing 1", "kecho_upstream_up 1", "kecho_websockets 7", `kecho_upstream_checks_total{result="bad"} 2`,
		"kecho_client_connections 5", "kecho_client_connections_busy 2", "kecho_client_connections_max 9", "kecho_client_connections_accepted_total 31",
		`kecho_client_connections_limited_total{reason="address"} 4`, `kecho_client_connections_limited_total{reason="other"} 1`,
		`kecho_gateway_events_total{channel="news",from="east",result="forwarded",to="west"} 6`,
		`kecho_gateway_events_total{channel="news",from="east",result="other",to="west"} 2`,
		`kecho_gateway_queued{channel="news",from="east",to="west"} 3`,
		"kecho_leases 2", "kecho_lease_requests_waiting 1", "kecho_leases_closed 1",
		`kecho_resource_capacity{kind="cpu"} 4`, `kecho_resource_free{kind="cpu"} 0.5`,
		"kecho_duplicates_dropped_total 1", "kecho_cancels_total 2",
		"kecho_control_messages_total 12", "kecho_wasted_seconds_total 1.5",
		`kecho_moves_total{how="offer"} 8`, `kecho_moves_total{how="late_claim"} 2`,
		`kecho_peer_load{peer="web2"} 0.75`,
		`kecho_peer_heard_age_seconds{peer="web2"} 1.5`,
		`kecho_peer_heard_age_seconds{peer="bad?"} 1`,
		"kecho_members 2", "kecho_links 1", "kecho_rejoin_attempts_total 9",
		`kecho_channel_events_total{channel="balancer",direction="out"} 10`,
		`kecho_channel_events_total{channel="balancer",direction="in"} 11`,
		`kecho_channel_bytes_total{channel="balancer",direction="out"} 12`,
		`kecho_channel_bytes_total{channel="balancer",direction="in"} 13`,
		`kecho_channel_drops_total{channel="balancer",reason="decode"} 1`,
		`kecho_channel_sinks{channel="balancer"} 3`, `kecho_channel_readers{channel="balancer"} 2`, `kecho_channel_queued_events{channel="balancer"} 4`, `kecho_channel_queued_bytes{channel="balancer"} 500`,
		`kecho_channel_delivery_seconds_sum{channel="balancer"} 3`, `kecho_channel_delivery_seconds_count{channel="balancer"} 9`,
		`kecho_filter_runs_total{channel="balancer",direction="in"} 128`, `kecho_filter_run_seconds_sum{channel="balancer",direction="in"} 0.001`,
		`kecho_filter_failures_total{channel="balancer",direction="out"} 5`, `kecho_filter_rests_total{channel="balancer",direction="out"} 6`,
		`kecho_link_frames_total{direction="in",peer="web2"} 2`, `kecho_link_bytes_total{direction="out",peer="web2"} 3`,
		`kecho_link_drops_total{peer="web2",reason="late"} 7`, `kecho_link_queued_frames{peer="web2"} 5`, `kecho_link_queued_bytes{peer="web2"} 6`,
		`kecho_link_rtt_seconds{peer="web2"} 0.001`,
		`version="v1.2.3"`, "go_goroutines", "process_start_time_seconds",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in the scrape", want)
		}
	}
	if strings.Contains(got, `peer="web3"`) {
		t.Error("a peer that was never heard is shown with a value")
	}
	if strings.Contains(got, "no such reason") {
		t.Error("a label has a value outside its closed set")
	}
}

func TestNamesAndHelpPassTheLinter(t *testing.T) {
	c := metrics.New(metrics.Config{Snapshot: full})
	c.Observe(metrics.Local, 200, time.Millisecond)
	problems, err := testutil.GatherAndLint(metrics.Gatherer(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestTwoCollectorsInOneProcess(t *testing.T) {
	a, b := metrics.New(metrics.Config{}), metrics.New(metrics.Config{})
	a.Observe(metrics.Local, 200, time.Millisecond)
	if got := scrape(t, b); !strings.Contains(got, `kecho_requests_total{code_class="2xx",route="local"} 0`) {
		t.Error("one collector shows what the other has counted")
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	c := metrics.New(metrics.Config{})
	c.Observe(metrics.Local, 200, time.Millisecond) // makes the native bucket
	if n := testing.AllocsPerRun(1000, func() { c.Observe(metrics.Local, 200, time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations an observation", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	c := metrics.New(metrics.Config{})
	b.ReportAllocs()
	for b.Loop() {
		c.Observe(metrics.Local, 200, time.Millisecond)
	}
}
