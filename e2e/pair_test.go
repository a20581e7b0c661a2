package e2e

import (
	"net"
	"net/http"
	"testing"
)

// pair is two agents: the web server of the first is away, so that the second
// one's serves what comes to either. fronts are where clients reach it, here and
// through a peer.
func pair(t *testing.T, upstream string, flags ...string) (fronts map[string]string, nodes []*node) {
	t.Helper()
	machines := loopbacksFor(2)
	for i, name := range []string{"web1", "web2"} {
		n := newNode(t, machines[i], name)
		n.join, n.upstream = machines[:1], upstream
		if i == 0 {
			n.upstream = "http://" + closedPort(t)
		}
		n.start(t, flags...)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	return map[string]string{"here": nodes[1].addr(frontPort), "at a peer": nodes[0].addr(frontPort)}, nodes
}

// closedPort is where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listen is a port of loopback that is closed with the test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// h2cClient speaks HTTP/2 in plaintext.
func h2cClient(t *testing.T) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
