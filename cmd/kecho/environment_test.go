package main

import (
	"flag"
	"slices"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestStrayVariables holds that a misspelt variable is told of, and neither
// those that are read nor others of that prefix.
func TestStrayVariables(t *testing.T) {
	c := cli.NewContext(cli.NewApp(), flag.NewFlagSet("agent", flag.ContinueOnError), nil)
	c.Command = agentCommand()
	got := strayVariables(c, []string{
		"KECHO_SOFT_LIMT=8", "KECHO_SOFTLIMIT=8", // misspelt
		"KECHO_SOFT_LIMIT=8", "KECHO_KEY_DATA=x", "KECHO_API=x", "KECHO_NODE=web1", // read, or set by kecho
		"KECHO_PORT=tcp://10.0.0.1:80", "KECHO_SERVICE_HOST=10.0.0.1", "KECHO_PORT_80_TCP_ADDR=10.0.0.1", // Kubernetes'
		"SOFT_LIMT=8",
	})
	want := []string{
		"KECHO_SOFT_LIMT is set, and nothing reads it: did you mean KECHO_SOFT_LIMIT?",
		"KECHO_SOFTLIMIT is set, and nothing reads it: did you mean KECHO_SOFT_LIMIT?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}
