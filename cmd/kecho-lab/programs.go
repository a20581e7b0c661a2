package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"kecho/cmd/kecho-lab/live"
)

// programs is what bench starts.
type programs struct {
	kecho, proxy, self string
	built              string // directory to remove
}

// findPrograms finds what the flags need, and builds kecho when it is nowhere
// but in the sources here.
func findPrograms(c *cli.Context) (p programs, err error) {
	defer func() {
		if err != nil {
			p.remove()
		}
	}()
	if p.self, err = os.Executable(); err != nil {
		return p, fmt.Errorf("find this program: %w", err)
	}
	if c.Bool("haproxy") || slices.Contains(c.StringSlice("policy"), live.HAProxy) {
		if p.proxy, err = lookup("haproxy"); err != nil {
			return p, errors.New("haproxy is not installed: apt-get install haproxy, or do without it by --haproxy=false")
		}
	}
	if err = p.findKecho(c.String("kecho")); err != nil {
		return p, err
	}
	if err := exec.CommandContext(c.Context, p.kecho, "agent", "--help").Run(); err != nil {
		return p, usagef("%s is not the kecho command: agent --help: %v; --kecho says where it is", p.kecho, err)
	}
	fmt.Fprintf(c.App.ErrWriter, "agents are %s\n", p.kecho)
	return p, nil
}

// findKecho takes the one that was given, the one beside this program, the one
// in PATH, or builds it, in this order.
func (p *programs) findKecho(given string) error {
	if given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return usagef("--kecho: %v", err)
		}
		p.kecho, err = filepath.Abs(path)
		return err
	}
	beside := filepath.Join(filepath.Dir(p.self), "kecho")
	for _, name := range []string{beside, "kecho"} {
		if path, err := exec.LookPath(name); err == nil {
			p.kecho = path
			return nil
		}
	}
	const pkg = "kecho/cmd/kecho"
	if exec.Command("go", "list", pkg).Run() != nil {
		return usagef("there is no kecho beside %s or in PATH, and this is not the directory of its sources: --kecho says where it is", p.self)
	}
	dir, err := os.MkdirTemp("", "kecho-lab-")
	if err != nil {
		return err
	}
	p.built, p.kecho = dir, filepath.Join(dir, "kecho")
	if out, err := exec.Command("go", "build", "-o", p.kecho, pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("build kecho: %w\n%s", err, out)
	}
	return nil
}

// lookup is the path of a program, also where only root usually looks.
func lookup(name string) (path string, err error) {
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} {
		if path, err = exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

func (p *programs) into(cfg *live.Config) {
	cfg.Kecho, cfg.Proxy = p.kecho, p.proxy
	cfg.Hosts = []string{p.self, "bench", "hosts"}
}

func (p *programs) remove() {
	if p.built != "" {
		os.RemoveAll(p.built)
	}
}
