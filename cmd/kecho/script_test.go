package main

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kecho/agent/api"
)

// TestMain lets the test's program be the command when a script calls it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kecho": main})
}

// TestScripts runs the sessions under testdata/script. They know, beyond
// testscript's own words:
//
//	$WEB1 $HTTP1 ...     addresses on loopback that were free a moment ago
//	up ADDRESS...        waits until something listens on each
//	linked API N         waits until the agent at API is linked to N others
//	exits N COMMAND...   runs a command that must exit with N
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			return freeAddresses(env, "WEB1", "WEB2", "HTTP1", "HTTP2",
				"ADMIN1", "ADMIN2", "GOSSIP1", "GOSSIP2", "LINK1", "LINK2")
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"up":     scriptUp,
			"linked": scriptLinked,
			"exits":  scriptExits,
		},
		RequireUniqueNames: true,
	})
}

func freeAddresses(env *testscript.Env, names ...string) error {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close() // all are open at once, so all differ
		env.Setenv(name, l.Addr().String())
	}
	return nil
}

func scriptUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: up ADDRESS...")
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, addr := range args {
		for {
			conn, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("nothing listens on %s: %v", addr, err)
			}
			time.Sleep(10 * time.Millisecond) // another process starts
		}
	}
}

func scriptLinked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: linked API N")
	}
	agent, err := api.New(args[0])
	ts.Check(err)
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		up := 0
		members, err := agent.Members(ctx)
		for _, m := range members {
			if m.Link != nil && m.Link.Up {
				up++
			}
		}
		switch {
		case up == want:
			return
		case ctx.Err() != nil:
			ts.Fatalf("%d links, want %d (%v)", up, want, err)
		}
		time.Sleep(10 * time.Millisecond) // another process meets a third
	}
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
