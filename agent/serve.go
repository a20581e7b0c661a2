package agent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"kecho/agent/api"
	"kecho/balancer"
)

// serveHTTP is where clients come in. When ctx is done it closes the listener
// and waits for what is in flight, here and for peers.
func (a *Agent) serveHTTP(ctx context.Context) error {
	select {
	case <-a.registry.Ready():
	case <-ctx.Done():
		if a.socket.http != nil {
			a.socket.http.Close()
		}
		return nil
	}
	if a.cfg.Embedded {
		return a.serveEmbedded(ctx)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           a.balancer,
		Protocols:         &protocols,
		ConnContext:       balancer.GuardContext,
		ConnState:         balancer.GuardState,
		HTTP2:             balancer.HTTP2(a.cfg.HTTP2Streams),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		// Without it OPTIONS * is answered by net/http, which the guard does
		// not see.
		DisableGeneralOptionsHandler: true,
	}
	a.announceStart()
	listener := a.clients.Listen(a.socket.http)
	if a.cfg.ProxyProtocol {
		listener = proxied(listener, a.cfg.Trust, a.log)
	}
	if a.cfg.FastLane == "off" {
		return serve(ctx, server, []net.Listener{balancer.Guard(listener, a.certificate)}, func(server *http.Server) {
			a.finishInFlight(server, nil, nil)
		})
	}
	lane := balancer.NewLane(balancer.LaneConfig{
		Balancer: a.balancer, Listener: listener, Certificate: a.certificate, Idle: server.IdleTimeout,
	})
	return a.serveLane(ctx, server, lane)
}

// serveLane has lane serve what it can, and server the rest.
func (a *Agent) serveLane(ctx context.Context, server *http.Server, lane *balancer.Lane) error {
	serving, cut := context.WithCancel(context.Background())
	defer cut()
	var failed error
	ended := make(chan struct{})
	go func() {
		failed = lane.Run(serving)
		close(ended)
	}()
	err := serve(ctx, server, []net.Listener{lane}, func(server *http.Server) { a.finishInFlight(server, lane, ended) })
	cut()
	<-ended
	return cmp.Or(failed, err) // it has closed itself then, which err says
}

// finishInFlight waits, the drain timeout at most, for what server and lane, if
// there are such, and the balancer still do; the lane is done when ended is closed.
func (a *Agent) finishInFlight(server *http.Server, lane *balancer.Lane, ended <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTimeout)
	defer cancel()
	if lane != nil {
		lane.Drain(ctx)
	}
	if server == nil {
		// The program's own server goes on.
	} else if err := server.Shutdown(ctx); err != nil || !over(ctx, ended) {
		a.log.Warn("requests are cut off: they took longer than --drain-timeout", "timeout", a.cfg.DrainTimeout)
		server.Close()
	}
	for s := a.balancer.Stats(); s.Calls+s.Exchanges+s.Websockets > 0; s = a.balancer.Stats() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			a.log.Warn("requests of peers, requests at peers and websockets are cut off: they took longer than --drain-timeout",
				"timeout", a.cfg.DrainTimeout, "requests", s.Exchanges, "at_peers", s.Calls, "websockets", s.Websockets)
			return
		}
	}
}

// over waits for ended to be closed, if it is one, and reports false when ctx is
// done first.
func over(ctx context.Context, ended <-chan struct{}) bool {
	if ended == nil {
		return true
	}
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *Agent) serveAdmin(ctx context.Context) error {
	server := &http.Server{
		Handler: api.NewHandler(api.Config{
			Node: a.describeNode, Members: a.members, Ready: a.checks, Metrics: a.metrics.Handler(), Version: a.cfg.Version,
			Gauges: a.gauges, Filters: a.filters, StockFilters: a.filters.Stock(), Events: a.news, Leases: a.leases.manager, Channels: a.channels, Gateway: a.describeGateway,
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(a.news.Close) // else streams would hold it up
	server.RegisterOnShutdown(a.channels.End)
	listeners := []net.Listener{a.socket.admin}
	if a.socket.unix != nil {
		listeners = append(listeners, a.socket.unix)
	}
	err := serve(ctx, server, listeners, func(server *http.Server) {
		ctx, cancel := context.WithTimeout(context.Background(), adminPatience)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
	a.channels.End()
	last, cancel := context.WithTimeout(context.Background(), adminPatience)
	defer cancel()
	a.channels.Wait(last) // websockets are not the server's any more
	return err
}

// adminPatience is how long the API's last answers may take.
const adminPatience = time.Second

// serve runs server on the listeners until ctx is done, and then stop, which
// must end it.
func serve(ctx context.Context, server *http.Server, listeners []net.Listener, stop func(*http.Server)) error {
	served := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { served <- server.Serve(l) }()
	}
	var failed error
	left := len(listeners)
	select {
	case failed = <-served:
		left--
		server.Close()
	case <-ctx.Done():
		stop(server)
	}
	for range left {
		if err := <-served; failed == nil && !errors.Is(err, http.ErrServerClosed) {
			failed = err
		}
	}
	return failed
}
