package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestKeys makes keys with the commands of docs/operate.md, as they stand
// there, and has three agents share overflow with them. A fourth, whose
// certificate is for another name, gets no link and is told why.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"web1", "web2", "web3"} {
		makeKeys(t, dir, name)
	}
	with := func(name, cert string) []string {
		return []string{"--key", filepath.Join(dir, "gossip.key"), "--ca", filepath.Join(dir, "ca.pem"),
			"--cert", filepath.Join(dir, cert+".pem"), "--cert-key", filepath.Join(dir, cert+".key")}
	}
	machines := loopbacksFor(3)
	var nodes []*node
	for i, name := range []string{"web1", "web2"} {
		n := newNode(t, machines[i], name)
		n.join = machines[:1]
		n.start(t, with(name, name)...)
		nodes = append(nodes, n)
	}
	joined(t, nodes)
	traffic := send(t, nodes[0].machine, nodes[0].url(frontPort), hot)
	time.Sleep(3 * time.Second)
	if r := traffic.lossless(t); r.ServedBy["web2"] == 0 {
		t.Errorf("web2 served nothing over TLS: %v", r.ServedBy)
	}

	impostor := newNode(t, machines[2], "web9")
	impostor.join = machines[:1]
	impostor.start(t, with("web9", "web3")...)
	if code := impostor.agent.wait(t, startPatience); code != 2 {
		t.Errorf("an agent whose certificate has another name ended with exit code %d", code)
	}
	if out := impostor.agent.out.tail(5); !strings.Contains(out, "--cert: ") || !strings.Contains(out, `"web9"`) || !strings.Contains(out, "is for web3") {
		t.Errorf("its last words do not say that its certificate is not for its name:\n%s", out)
	}
}

// makeKeys runs the openssl commands of docs/operate.md for the node of that
// name; what all nodes share is made once.
func makeKeys(t *testing.T, dir, name string) {
	t.Helper()
	_, err := exec.LookPath("openssl")
	need(t, "openssl", err)
	text, err := os.ReadFile(filepath.Join("..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	joinedLines := strings.ReplaceAll(string(text), "\\\n", " ")
	commands := regexp.MustCompile(`(?m)^    ((?:head|openssl|printf) .*)$`).FindAllStringSubmatch(joinedLines, -1)
	if len(commands) != 5 {
		t.Fatalf("docs/operate.md has %d commands that make keys, want 5", len(commands))
	}
	for _, c := range commands {
		line := strings.ReplaceAll(c[1], "web1", name)
		if shared := strings.Contains(line, "gossip.key") || strings.Contains(line, "-x509"); shared {
			if _, err := os.Stat(filepath.Join(dir, "ca.pem")); err == nil {
				continue
			}
		}
		cmd := exec.Command("/bin/sh", "-c", line)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}
