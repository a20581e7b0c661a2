package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent/api"
)

// askFlags are the flags of every command that asks an agent: whom, how long,
// and how the answer is printed.
func askFlags() []cli.Flag {
	return append([]cli.Flag{
		apiFlag(),
		&cli.DurationFlag{Name: "timeout", Value: 5 * time.Second, Usage: "how long to wait for the answer"},
	}, outputFlags()...)
}

func apiFlag() cli.Flag {
	return &cli.StringFlag{Name: "api", Value: "http://127.0.0.1:7940", EnvVars: env("api"), Usage: "the agent's `ADDRESS`: http://host:port or unix:///path"}
}

// ask is an action that has an agent to ask, for as long as --timeout says,
// and a printer for the answer.
func ask(action func(ctx context.Context, agent *api.Client, p *printer) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		return askLonger(c, 0, action)
	}
}

// askLonger asks now, and what is asked may take another while.
func askLonger(c *cli.Context, by time.Duration, action func(ctx context.Context, agent *api.Client, p *printer) error) error {
	p, err := newPrinter(c)
	if err != nil {
		return err
	}
	agent, patience, err := whom(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, patience+max(by, 0))
	defer cancel()
	return action(ctx, agent, p)
}

// whom is the agent that is asked, and how long it may take to answer.
func whom(c *cli.Context) (*api.Client, time.Duration, error) {
	agent, err := api.New(c.String("api"))
	if err != nil {
		return nil, 0, usageError(c, "--api: %v", err)
	}
	patience := c.Duration("timeout")
	if patience <= 0 {
		return nil, 0, usageError(c, "--timeout %v: want more than 0", patience)
	}
	return agent, patience, nil
}
