package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
)

// want is a flag and what its value should be.
type want struct{ flag, wanted string }

// Flags whose 0 or "" would become their default further down: whoever gives
// one means something else by it.
var (
	agentZeros = []want{
		{"name", "want 1 to 63 letters, digits, dots, dashes and underscores, such as web1"},
		{"cluster", "want 1 to 32 letters, digits, dots, dashes and underscores"},
		{"listen", "want host:port, such as 127.0.0.1:8080"},
		{"admin", "want host:port, such as 127.0.0.1:7940"},
		{"bind", "want host:port, such as 127.0.0.1:7946"},
		{"gateway-hops", "want 1 to 8"},
		{"gateway-bind", "want host:port, such as 127.0.0.1:7966"},
		{"soft-limit", "want at least 1"},
		{"soft-limit-max", "want at least 1"},
		{"hard-limit", "want at least 1"},
		{"upstream-idle", "want at least 1; --upstream-requests 1 keeps none"},
		{"upstream-idle-timeout", "want 10ms to 24h"},
		{"upstream-requests", "want 1, which keeps no connection, or more"},
		{"health-path", "want a path of the web server, such as /healthz"},
		{"health-interval", "want 100ms to 1h"},
		{"health-timeout", "want 10ms to 1m"},
		{"health-fall", "want 1 to 100"},
		{"health-failures", "want 1 to 20, or -1 for never"},
		{"health-rise", "want 1 to 100"},
		{"queue", "want at least 1"},
		{"queue-bytes", "want at least 65536"},
		{"cancel", "want complete, start or none"},
		{"connections", "want at least 1"},
		{"connections-per-address", "want at least 1"},
		{"http2-streams", "want 1 to 10000"},
		{"queue-age", "want more than 0"},
		{"load-every", "want 100ms to 1h"},
		{"policy", "want a name, such as auto"},
		{"copies", "want 1, 2 or 3"},
		{"timeout", "want more than 0"},
		{"drain-timeout", "want more than 0"},
	}
	leaseZeros = []want{
		{"ttl", "want 1s to 1h"},
		{"nodes", "want 1 to 64"},
		{"criteria", "want first, nearest, spread, pack or least"},
	}
	demoZeros = []want{
		{"nodes", "want 2 to 32"},
		{"rate", "want more than 0 and at most 100000 requests a second"},
		{"duration", "want more than 0"},
	}
	loadZeros = []want{
		{"method", "want a method such as GET"},
		{"timeout", "want more than 0"},
		{"in-flight", "want at least 1"},
	}
)

// refuseZeros says which of flags were given as 0 or "", joined; nil when none
// was. An environment variable that is empty counts as not set.
func refuseZeros(c *cli.Context, flags []want) error {
	var errs []error
	for _, f := range flags {
		if !c.IsSet(f.flag) {
			continue
		}
		switch value := fmt.Sprint(c.Value(f.flag)); {
		case value == "" && !emptyEnv(c, f.flag):
			errs = append(errs, fmt.Errorf("--%s %q: %s", f.flag, value, f.wanted))
		case value == "0" || value == "0s":
			errs = append(errs, fmt.Errorf("--%s %s: %s", f.flag, value, f.wanted))
		}
	}
	return errors.Join(errs...)
}

// emptyEnv reports whether the flag's environment variable is there and empty.
func emptyEnv(c *cli.Context, name string) bool {
	for _, f := range c.Command.Flags {
		env, ok := f.(cli.DocGenerationFlag)
		if !ok || !slices.Contains(f.Names(), name) {
			continue
		}
		for _, variable := range env.GetEnvVars() {
			if value, found := os.LookupEnv(variable); found && value == "" {
				return true
			}
		}
	}
	return false
}
