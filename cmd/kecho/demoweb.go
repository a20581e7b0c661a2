package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
	"kecho/cmd/kecho/demo"
)

// webFlags describe the demo's web servers, alone and in a cluster.
func webFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "workers", Value: 4, Usage: "how many requests a web server works on at once"},
		&cli.DurationFlag{Name: "work", Value: 38 * time.Millisecond, Usage: "how long it works on one"},
	}
}

func demoWebCommand() *cli.Command {
	return &cli.Command{
		Name:  "web",
		Usage: "the demo's web server alone: a few workers, who finds none waits in line",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:9000", Usage: "`ADDRESS` to listen on; port 0 is a free one"},
			&cli.StringFlag{Name: "name", Value: "web", Usage: "goes into the header " + demo.ServedBy},
		}, webFlags()...),
		Action: demoWeb,
	}
}

func demoWeb(c *cli.Context) error {
	if err := checkWebFlags(c); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.String("listen"))
	if err != nil {
		return &api.Error{Code: api.Failed, Err: err, Detail: fmt.Sprintf("--listen %s: %v; port 0 takes a free one", c.String("listen"), err)}
	}
	web := demo.NewWeb(demo.WebConfig{
		Name:    c.String("name"),
		Workers: c.Int("workers"),
		Work:    c.Duration("work"),
	})
	fmt.Fprintf(c.App.ErrWriter, "%s listens on http://%s\n", c.String("name"), listener.Addr())
	return serveUntil(c.Context, listener, web)
}

func checkWebFlags(c *cli.Context) error {
	if n := c.Int("workers"); n < 1 || n > 100_000 {
		return usageError(c, "--workers %d: want 1 to 100000", n)
	}
	if d := c.Duration("work"); d <= 0 {
		return usageError(c, "--work %v: want more than 0", d)
	}
	return nil
}

// serveUntil serves h on l until ctx ends, then gives what is open a second.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	ctx, failed := context.WithCancel(ctx)
	var closing sync.WaitGroup
	defer closing.Wait()
	defer failed()
	closing.Go(func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
