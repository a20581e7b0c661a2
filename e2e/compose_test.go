package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kecho/agent/api"
)

// composePatience covers building the image, which compiles everything once
// more without a cache.
const composePatience = 12 * time.Minute

// project is the compose cluster of the repository's root under a name of its
// own, built from a copy of the tree that has its modules with it.
type project struct {
	dir  string
	env  []string
	argv []string // docker-compose, or docker compose
	port string   // of web1's agent on this machine
}

func TestComposeCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an image: left out with -short")
	}
	p := newProject(t)
	webs := []string{"web1", "web2", "web3", "web4"}
	eventually(t, 2*time.Minute, "all agents are healthy", func() error {
		for _, web := range webs {
			if health := p.inspect(t, web, "{{.State.Health.Status}}"); health != "healthy" {
				return fmt.Errorf("%s is %s", web, health)
			}
		}
		return nil
	})
	p.formed(t, webs)
	p.shared(t, webs)

	p.run(t, "stop", "--timeout", "30")
	for _, web := range webs {
		if code := p.inspect(t, web, "{{.State.ExitCode}}"); code != "0" {
			t.Errorf("%s ended with exit code %s", web, code)
		}
	}
}

// formed waits until every agent has links to all others, as any agent's API
// says from inside.
func (p *project) formed(t *testing.T, webs []string) {
	t.Helper()
	eventually(t, settlePatience, "the agents have found each other", func() error {
		for _, web := range webs {
			var list api.List[api.Member]
			text := p.run(t, "exec", "-T", "web1", "/kecho", "members", "-o", "json", "--api", "http://"+web+":7940")
			if err := json.Unmarshal([]byte(text), &list); err != nil {
				return fmt.Errorf("members of %s: %w in %.500s", web, err, text)
			}
			up := 0
			for _, m := range list.Items {
				if m.Link != nil && m.Link.Up {
					up++
				}
			}
			if up != len(webs)-1 {
				return fmt.Errorf("%s has %d links: %.2000s", web, up, text)
			}
		}
		return nil
	})
}

// shared waits until clients of web1 have been served by every web server:
// the cluster's own load keeps the first one full.
func (p *project) shared(t *testing.T, webs []string) {
	t.Helper()
	served := map[string]int{}
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	eventually(t, settlePatience, "every server serves clients of web1", func() error {
		res, err := client.Get("http://127.0.0.1:" + p.port + "/")
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			served[res.Header.Get("X-Served-By")]++
		}
		for _, web := range webs {
			if served[web] == 0 {
				return fmt.Errorf("status %d; served by %v so far", res.StatusCode, served)
			}
		}
		return nil
	})
	t.Logf("served by %v", served)
}

// newProject builds the image and starts the cluster; both are gone when the
// test has ended.
func newProject(t *testing.T) *project {
	t.Helper()
	needEngine(t)
	name := fmt.Sprintf("kecho-e2e-%d", os.Getpid())
	p := &project{dir: t.TempDir(), argv: composeCommand(t), port: freePort(t)}
	p.env = append(os.Environ(),
		"COMPOSE_PROJECT_NAME="+name,
		"KECHO_IMAGE="+name,
		"GO_IMAGE="+name+"-go",
		"KECHO_PORT="+p.port,
	)
	root := moduleRoot(t)
	copyTree(t, root, p.dir)
	vendor := exec.Command("go", "mod", "vendor", "-o", filepath.Join(p.dir, "vendor"))
	vendor.Dir = root
	if out, err := vendor.CombinedOutput(); err != nil {
		t.Fatalf("go mod vendor: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		// Best effort, in the order in which one needs the other.
		exec.Command("docker", "rmi", "-f", name, name+"-go").Run()
		exec.Command("docker", "image", "prune", "-f", "--filter", "label=kecho.stage=build").Run()
	})
	run(t, filepath.Join(root, "deploy", "base.sh"), name+"-go")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", p.run(t, "logs", "--no-color", "--tail", "40"))
		}
		p.run(t, "down", "--volumes", "--remove-orphans", "--timeout", "5")
	})
	p.run(t, "build", "web1")
	p.run(t, "up", "-d")
	return p
}

// run runs a compose command that has to succeed, and is what it printed on
// standard output.
func (p *project) run(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), composePatience) // also in cleanups
	defer cancel()
	argv := append(p.argv[:len(p.argv):len(p.argv)], args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	var stderr output
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", argv, err, out, stderr.tail(40))
	}
	return string(out)
}

// inspect is a field of the container of a service.
func (p *project) inspect(t testing.TB, service, format string) string {
	t.Helper()
	id := strings.TrimSpace(p.run(t, "ps", "-q", service))
	out, err := exec.Command("docker", "inspect", "--format", format, id).CombinedOutput()
	if err != nil {
		t.Fatalf("inspect %s: %v\n%s", service, err, out)
	}
	return strings.TrimSpace(string(out))
}

func needEngine(t testing.TB) {
	t.Helper()
	needTool(t, "docker", "docker.io")
	out, err := exec.Command("docker", "info").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("docker info: %w: %.500s", err, out)
	}
	need(t, "a container engine that runs", err)
}

// composeCommand is the plugin, or the program of its own that Debian has.
func composeCommand(t testing.TB) []string {
	t.Helper()
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	return []string{needTool(t, "docker-compose", "docker-compose")}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// copyTree copies what the image is built from.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && rel != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
