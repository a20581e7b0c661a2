package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"kecho/agent"
)

func main() {
	name := flag.String("name", "web1", "of this node, unique in the cluster")
	listen := flag.String("listen", "127.0.0.1:8080", "where clients come in")
	admin := flag.String("admin", "127.0.0.1:7940", "where the agent's API is")
	bind := flag.String("bind", "127.0.0.1:7946", "where gossip comes in")
	join := flag.String("join", "", "gossip address of a member to meet")
	places := flag.Int("soft-limit", 4, "requests served here at once before others go to peers")
	flag.Parse()

	cfg := agent.Config{
		Name: *name, Embedded: true, SoftLimit: *places, Ephemeral: true,
		Admin: *admin, Bind: *bind, Logger: slog.Default(),
	}
	if *join != "" {
		cfg.Join = []string{*join}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cfg, *listen); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, cfg agent.Config, listen string) error {
	node, err := agent.New(cfg)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: node.Middleware(site(cfg.Name)), ReadHeaderTimeout: 5 * time.Second}
	// The server ends before the agent: what it has begun may be at a peer.
	member, leave := context.WithCancel(context.Background())
	defer leave()
	ended := make(chan error, 2)
	go func() { ended <- node.Run(member) }()
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended: // one of them could not begin
		server.Close()
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err = server.Shutdown(patience)
	leave()
	for range 2 {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// site is what this web server serves: slowly.
func site(name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(38 * time.Millisecond):
			w.Header().Set("X-Served-By", name)
			fmt.Fprintf(w, "hello from %s\n", name)
		case <-r.Context().Done():
		}
	})
	return mux
}
