package agent_test

import (
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kecho/agent"
	"kecho/agent/agenttest"
)

// starving is a network on which accepting fails for want of descriptors, at
// each listener, for as long as it says.
type starving struct {
	agent.Network
	on atomic.Bool
}

func (s *starving) Listen(addr string) (net.Listener, error) {
	l, err := s.Network.Listen(addr)
	return &starvingListener{l, s}, err
}

type starvingListener struct {
	net.Listener
	s *starving
}

func (l *starvingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil && l.s.on.Load() {
		_ = conn.Close()
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return conn, err
}

// TestNoDescriptors: none of an agent's listeners gives up when the process has
// no descriptor left, and all go on when it has.
func TestNoDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &starving{}
		c := agenttest.Start(t, agenttest.Config{Nodes: 2, Configure: func(i int, cfg *agent.Config) {
			if i == 0 {
				s.Network = cfg.Network
				cfg.Network, cfg.AgentCheck = s, "10.0.0.1:7950"
			}
		}})
		c.WaitLinked(t)
		web1 := c.Nodes[0]
		s.on.Store(true)
		for _, addr := range []string{web1.At.HTTP, web1.At.Admin, web1.At.AgentCheck, web1.At.Link} {
			for range 3 {
				if conn, err := c.Net.Host("10.0.0.9").Dial(t.Context(), "tcp", addr); err == nil {
					defer conn.Close()
				}
			}
		}
		time.Sleep(time.Minute)
		s.on.Store(false)
		time.Sleep(2 * time.Second)
		if line := checkLine(t, c, web1, ""); !strings.HasPrefix(line, "up ready") {
			t.Errorf("the agent check says %q", line)
		}
		if status, _ := web1.Get(t, "/"); status != 200 {
			t.Errorf("the front answers %d", status)
		}
		if n := web1.Describe(t); n.Connections.Limited["files"] != 3 {
			t.Errorf("%+v", n.Connections)
		}
	})
}
