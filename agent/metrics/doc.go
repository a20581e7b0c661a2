// Package metrics turns what an agent's parts count into Prometheus metrics.
//
// # Vocabulary
//
// A Snapshot is what the parts have counted at one moment; the agent fills it
// when somebody scrapes. A Route is where a request was served. Names begin
// with kecho_, units are seconds and bytes. Every label has a closed set of
// values, listed here and never a path, a host or a client; "peer" is bounded
// by the members of the cluster. A value outside its set counts as "other".
//
//	kecho_requests_total{route,code_class}        requests answered
//	kecho_request_duration_seconds{route}         until the end of the answer
//	kecho_soft_limit                              learned or given
//	kecho_in_flight, kecho_queue_length           at this moment
//	kecho_websockets                              open ones of this agent's clients
//	kecho_overflow_total{reason}                  requests, each once per reason: soft_limit (no local place, went to the
//	                                              peers), no_peer (none took it at first), shed, displaced
//	                                              (of these, had waited), timeout, early (of these, not begun)
//	kecho_overflow_raised                         1 while a threshold raises overflow
//	kecho_threshold_crossings_total{state}        raised, cancelled
//	kecho_threshold_messages_total{result}        crossings with an event or a webhook: told, failed, dropped
//	kecho_copies_total{result}                    what became of each copy sent to a peer
//	kecho_duplicates_dropped_total                answers that came second
//	kecho_moves_total{how}                        offers, claims, late claims, unanswered claims, grants, pushes, refusals, copies, backups
//	kecho_control_messages_total                  sent before requests moved, and about them
//	kecho_ejections_total, kecho_ejected_peers    peers that failed and are left alone
//	kecho_upstream_failing                        1 while the web server fails and its requests go to peers first
//	kecho_upstream_up                             1 while the web server is given requests
//	kecho_upstream_checks_total{result}           health checks of it, good and bad
//	kecho_wasted_seconds_total                    of the web server, for peers in vain
//	kecho_client_connections, kecho_client_connections_busy, kecho_client_connections_max
//	kecho_client_connections_accepted_total
//	kecho_client_connections_limited_total{reason} address, room, busy, files, flood
//	kecho_leases, kecho_lease_requests_waiting, kecho_leases_closed
//	kecho_resource_capacity{kind}, kecho_resource_free{kind}
//	kecho_cancels_total                           cancels sent to peers
//	kecho_peer_load{peer}, kecho_peer_heard_age_seconds{peer}
//	kecho_members, kecho_links                    this node not counted
//	kecho_rejoin_attempts_total
//	kecho_channel_events_total{channel,direction}, kecho_channel_bytes_total{channel,direction}
//	kecho_channel_drops_total{channel,reason}
//	kecho_channel_sinks{channel}, kecho_channel_readers{channel}
//	kecho_channel_queued_events{channel}, kecho_channel_queued_bytes{channel}     waiting for handlers
//	kecho_channel_delivery_seconds{channel}       from arrival to handler: _count and _sum
//	kecho_filter_runs_total{channel,direction}
//	kecho_filter_run_seconds{channel,direction}   of the runs that were timed: _count and _sum
//	kecho_filter_failures_total, kecho_filter_rests_total{channel,direction}      of operators' filters
//	kecho_link_frames_total{peer,direction}, kecho_link_bytes_total{peer,direction}
//	kecho_link_drops_total{peer,reason}           refused, late
//	kecho_link_queued_frames{peer}, kecho_link_queued_bytes{peer}, kecho_link_rtt_seconds{peer}
//	kecho_gateway_events_total{channel,from,to,result}, kecho_gateway_queued{channel,from,to}
//	kecho_build_info{version,go_version}, go_*, process_*
//
// # How it is used
//
//	m := metrics.New(metrics.Config{Version: v, Snapshot: agent.snapshot})
//	m.Observe(metrics.Local, 200, took)
//	mux.Handle("/metrics", m.Handler())
//
// # Concurrency
//
// Observe may be called from any number of goroutines. Snapshot is called once
// a scrape; scrapes may overlap.
//
// # Limits
//
// Each Collector has a registry of its own, so two agents run in one process.
// At most 64 channels and 1,024 peers are shown; of two of one name, the
// first.
package metrics
