package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nginxConf is an nginx of one process that serves files from a directory at a
// limited rate, and hands everything else to a demo web server.
const nginxConf = `
%[5]s
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr warn;
events { worker_connections 512; }
http {
	access_log %[1]s/access.log;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 100000;
	upstream app {
		server %[3]s;
		keepalive 64;
	}
	server {
		listen %[2]s;
		location / {
			proxy_pass http://app;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_next_upstream off;
		}
		location /files/ {
			root %[1]s;
			limit_rate 500k;
			add_header X-Served-By %[4]s;
		}
	}
}
`

// fileSize and limit_rate make a download take between half a second and one:
// nginx sends a second's worth at once.
const fileSize = 600 << 10

// withNginx puts an nginx between the node's agent and its web server; the
// node's agent has not been started yet. It returns the path of nginx's access
// log.
func (n *node) withNginx(t testing.TB) string {
	t.Helper()
	nginx := needTool(t, "nginx", "nginx-light")
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the directory is the test's alone
	}
	conf := fmt.Sprintf(nginxConf, dir, n.addr(nginxPort), n.addr(appPort), n.name, user)
	write(t, filepath.Join(dir, "nginx.conf"), []byte(conf))
	write(t, filepath.Join(dir, "files", "file"), bytes.Repeat([]byte("kecho\n"), fileSize/6))
	start(t, n.machine, n.name+"-nginx", nginx, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	n.upstream = n.url(nginxPort)
	eventually(t, startPatience, "nginx of "+n.name+" serves", func() error {
		_, err := n.get(n.upstream + "/stats")
		return err
	})
	return filepath.Join(dir, "access.log")
}

func write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// nginxCluster is n agents, each in front of an nginx, and the access logs.
func nginxCluster(t testing.TB, n int) (nodes []*node, logs []string) {
	t.Helper()
	needTool(t, "nginx", "nginx-light")
	machines := loopbacksFor(n)
	for i, m := range machines {
		n := newNode(t, m, fmt.Sprintf("web%d", i+1))
		n.join = machines[:1]
		logs = append(logs, n.withNginx(t))
		nodes = append(nodes, n)
		n.start(t)
	}
	for _, n := range nodes {
		n.ready(t)
	}
	joined(t, nodes)
	return nodes, logs
}

// accesses is how many requests for path an nginx has served with that status.
func accesses(t testing.TB, log, path string, status int) int {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, fmt.Sprintf("\"GET %s HTTP/1.1\" %d ", path, status)) {
			n++
		}
	}
	return n
}

func TestNginxInFrontOfSlowServers(t *testing.T) {
	nodes, logs := nginxCluster(t, 3)
	traffic := send(t, nodes[0].machine, nodes[0].url(frontPort)+"/hot", hot)
	time.Sleep(5 * time.Second)
	r := traffic.lossless(t)
	for i, n := range nodes {
		logged := accesses(t, logs[i], "/hot", 200)
		if logged == 0 || logged != r.ServedBy[n.name] {
			t.Errorf("nginx of %s logged %d requests; clients saw %d of its answers", n.name, logged, r.ServedBy[n.name])
		}
	}
	if forwarded := nodes[0].requests(t, "forwarded"); int(forwarded) != r.ServedBy["web2"]+r.ServedBy["web3"] {
		t.Errorf("web1 counts %v forwarded; clients saw %v", forwarded, r.ServedBy)
	}
}

// TestNginxDownloadsUnderWrk loads nginx's own slow downloads with wrk: twelve
// clients, of which one nginx's agent lets four in at a time.
func TestNginxDownloadsUnderWrk(t *testing.T) {
	wrk := needTool(t, "wrk", "wrk")
	nodes, logs := nginxCluster(t, 3)
	out, err := exec.Command(wrk, "-t", "2", "-c", "12", "-d", "6s", "--timeout", "10s",
		nodes[0].url(frontPort)+"/files/file").CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	if bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		t.Error("wrk saw failures")
	}
	found := regexp.MustCompile(`(\d+) requests in`).FindSubmatch(out)
	if found == nil {
		t.Fatal("wrk does not say how many requests it made")
	}
	done, _ := strconv.Atoi(string(found[1]))

	served := 0
	for i, n := range nodes {
		logged := accesses(t, logs[i], "/files/file", 200)
		if logged == 0 {
			t.Errorf("nginx of %s served nothing", n.name)
		}
		served += logged
	}
	// What wrk has left open at its end is served and not counted by it.
	if done == 0 || served < done {
		t.Errorf("wrk counts %d requests, the three nginx %d", done, served)
	}
	for _, n := range nodes[1:] {
		if n.requests(t, "received") == 0 {
			t.Errorf("%s counts no request received", n.name)
		}
	}
}
