package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What stands around docs/operate.md's configurations.
const (
	backupHAProxy = `
global
	stats socket %[1]s/admin mode 600 level admin
defaults
	mode http
	timeout connect 2s
	timeout client 10s
	timeout server 30s
%[2]s`
	backupNginx = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
%[2]s
}
`
)

// documented is the block of docs/operate.md in that language, with the addresses
// of n and its proxy at proxy.
func documented(t testing.TB, language string, n *node, proxy string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatalf("docs/operate.md has no block in %s", language)
	}
	for _, address := range []string{"127.0.0.1:9000", "127.0.0.1:8080"} {
		if !strings.Contains(string(block[1]), address) {
			t.Fatalf("the block in %s does not name %s", language, address)
		}
	}
	return strings.NewReplacer(
		"127.0.0.1:9000", n.addr(appPort), "127.0.0.1:8080", n.addr(frontPort),
		"bind :80\n", "bind "+proxy+"\n", "listen 80;", "listen "+proxy+";",
	).Replace(string(block[1]))
}

// proxyPort is where the proxy before a web server is.
const proxyPort = "8000"

// TestBackup: an agent beside a web server behind an HAProxy or nginx that was
// there before has what the server is too full for served by a peer, and all of it
// when the server is down, with the configurations of docs/operate.md.
func TestBackup(t *testing.T) {
	for _, proxy := range []struct {
		name, language, around string
		argv                   func(path, dir string) []string
	}{
		{"haproxy", "haproxy", backupHAProxy, func(path, dir string) []string { return []string{path, "-db", "-f", dir + "/conf"} }},
		{"nginx", "nginx", backupNginx, func(path, dir string) []string { return []string{path, "-e", "stderr", "-c", dir + "/conf"} }},
	} {
		t.Run(proxy.name, func(t *testing.T) {
			path := needTool(t, proxy.name, proxy.name)
			machines := loopbacksFor(2)
			var nodes []*node
			for i, m := range machines {
				n := newNode(t, m, fmt.Sprintf("web%d", i+1))
				n.join = machines[:1]
				flags := []string{"--trust", "127.0.0.0/8"}
				if i == 0 {
					flags = append(flags, "--soft-limit", "1")
				}
				n.start(t, flags...)
				nodes = append(nodes, n)
			}
			for _, n := range nodes {
				n.ready(t)
			}
			joined(t, nodes)
			own, peer := nodes[0], nodes[1]
			dir, at := t.TempDir(), own.addr(proxyPort)
			write(t, filepath.Join(dir, "conf"), fmt.Appendf(nil, proxy.around, dir, documented(t, proxy.language, own, at)))
			start(t, own.machine, proxy.name, proxy.argv(path, dir)...)
			eventually(t, startPatience, proxy.name+" serves", func() error {
				_, err := own.get("http://" + at + "/")
				return err
			})
			if n := own.requests(t, "local") + own.requests(t, "forwarded"); n != 0 {
				t.Errorf("%v requests came by the agent although the server has room", n)
			}

			full := send(t, loopback(), "http://"+at+"/", hot)
			peer.receives(t)
			if r := full.lossless(t); r.ServedBy["web1"] == 0 || r.ServedBy["web2"] == 0 {
				t.Errorf("both servers are to have served some: %v", r.ServedBy)
			}

			down := send(t, loopback(), "http://"+at+"/", 40)
			own.web.kill()
			before := peer.requests(t, "received")
			eventually(t, settlePatience, "the peer serves what the dead server does not", func() error {
				if n := peer.requests(t, "received") - before; n < 80 {
					return fmt.Errorf("%v so far", n)
				}
				return nil
			})
			if r := down.stop(t); r.Errors > workers { // what the server had when it was killed
				t.Errorf("%d of %d requests failed: status %v, failures %v", r.Errors, r.Sent, r.ByStatus, r.ByFailure)
			}
		})
	}
}
