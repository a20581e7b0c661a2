package agent

import (
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
		a.socket.http.Close()
		return nil
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           a.front(),
		Protocols:         &protocols,
		ConnContext:       balancer.GuardContext,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		// Without it OPTIONS * is answered by net/http, which the guard does
		// not see.
		DisableGeneralOptionsHandler: true,
	}
	a.announceStart()
	clients := a.socket.http
	if a.cfg.ProxyProtocol {
		clients = proxied(clients, a.cfg.Trust)
	}
	return serve(ctx, server, []net.Listener{balancer.Guard(clients, a.certificate)}, a.finishInFlight)
}

// finishInFlight waits, the drain timeout at most, for what server and the
// balancer still do.
func (a *Agent) finishInFlight(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		a.log.Warn("requests are cut off: they took longer than --drain-timeout", "timeout", a.cfg.DrainTimeout)
		server.Close()
	}
	for s := a.balancer.Stats(); s.Exchanges+s.Websockets > 0; s = a.balancer.Stats() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			a.log.Warn("requests of peers and websockets are cut off: they took longer than --drain-timeout",
				"timeout", a.cfg.DrainTimeout, "requests", s.Exchanges, "websockets", s.Websockets)
			return
		}
	}
}

func (a *Agent) serveAdmin(ctx context.Context) error {
	server := &http.Server{
		Handler: api.NewHandler(api.Config{
			Node: a.describeNode, Members: a.members, Ready: a.checks, Metrics: a.metrics.Handler(), Version: a.cfg.Version,
			Gauges: a.gauges, Filters: a.filters, Events: a.news, Leases: a.leases.manager, Channels: a.channels,
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
	return serve(ctx, server, listeners, func(server *http.Server) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
}

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
