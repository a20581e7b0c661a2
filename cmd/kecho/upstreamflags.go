package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"kecho/agent"
)

// upstreamFlags are what agent.Config says of how the web server is spoken to.
func upstreamFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "upstream", Usage: "`URL` of the web server to stand before, such as http://127.0.0.1:9000 or unix:///run/app.sock (required)"},
		&cli.StringFlag{Name: "health-path", Usage: "`PATH` of the web server that is asked whether it can serve: 200 to 399 says so (a connection is enough)"},
		&cli.DurationFlag{Name: "health-interval", Value: time.Second, Usage: "time between two such checks; without --health-path between two connections to a web server that is down"},
		&cli.DurationFlag{Name: "health-timeout", DefaultText: "1s", Usage: "how long a check may take"},
		&cli.IntFlag{Name: "health-fall", DefaultText: "3", Usage: "failed checks in a row after which the web server is given nothing; a refused connection is enough"},
		&cli.IntFlag{Name: "health-rise", DefaultText: "2 with --health-path, else 1", Usage: "good checks in a row after which it is again"},
		&cli.IntFlag{Name: "health-failures", Value: 10, Usage: "how many of its last 20 requests the web server must fail (no answer, 502, 503, 504) until they go to peers first; -1: never"},
		&cli.IntFlag{Name: "upstream-idle", DefaultText: "the hard limit", Usage: "connections to the web server that are kept between requests at most"},
		&cli.DurationFlag{Name: "upstream-idle-timeout", DefaultText: "90s", Usage: "how long one is kept, or less if the web server's Keep-Alive says so"},
		&cli.IntFlag{Name: "upstream-requests", DefaultText: "any number", Usage: "requests on one connection to the web server at most"},
	}
}

func upstreamKeepAlive(c *cli.Context) agent.KeepAlive {
	return agent.KeepAlive{Idle: c.Int("upstream-idle"), Timeout: c.Duration("upstream-idle-timeout"), Requests: c.Int("upstream-requests")}
}

func upstreamHealth(c *cli.Context) agent.Health {
	return agent.Health{
		Path: c.String("health-path"), Every: c.Duration("health-interval"), Timeout: c.Duration("health-timeout"),
		Fall: c.Int("health-fall"), Rise: c.Int("health-rise"),
	}
}
