package live

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"kecho/cmd/kecho-lab/fronts"
)

// The names of what stands before the web server.
const (
	byKecho        = "kecho"
	byKechoSlow    = "kecho, fast lane off"
	byHAProxy      = "haproxy"
	byNginx        = "nginx"
	byReverseProxy = "ReverseProxy"
	byRelay        = "relay"
	bySplice       = "relay, splice"
	direct         = "no front"
)

// frontBench is the web server and what stands before it, while they are
// measured.
type frontBench struct {
	cfg     FrontsConfig
	failed  func(error)
	frontOn int // the CPU of the fronts; -1: any
	web     string
	doors   []*door // all but the ones that one part starts for itself
	started []*door
	result  FrontsResult
}

// door is one front.
type door struct {
	name      string
	at        string
	processes []*process
	close     func() // what its processes do not take with them; nil: nothing
}

func (d *door) cpu() time.Duration { return cpuOfAll(d.processes) }

// resident is the memory of its processes in MiB.
func (d *door) resident() (sum float64) {
	for _, p := range d.processes {
		sum += residentOf(p.cmd.Process.Pid)
	}
	return sum
}

// newFrontBench starts the web server and the fronts that more than one part
// needs.
func newFrontBench(ctx context.Context, cfg FrontsConfig, failed func(error)) (*frontBench, error) {
	b := &frontBench{cfg: cfg, failed: failed, frontOn: -1}
	if all := cpus(); len(all) >= 2 {
		b.frontOn = all[0]
		if err := stayOn(all[1]); err != nil { // and what is started, but for the fronts
			return nil, err
		}
	} else {
		b.result.Busy = append(b.result.Busy, "there are not two CPUs: the fronts share one with the clients")
	}
	if err := b.startAll(ctx); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *frontBench) startAll(ctx context.Context) error {
	web, err := b.stand(ctx, "web server", fronts.Web, "--size", strconv.Itoa(b.cfg.Size))
	if err != nil {
		return err
	}
	b.started, b.web = append(b.started, web), web.at
	for _, start := range []func(context.Context) (*door, error){b.kecho, b.kechoSlow, b.haproxy, b.nginx, b.reverseProxy} {
		var d *door
		if err := b.onFront(func() (err error) { d, err = start(ctx); return err }); err != nil {
			return err
		}
		if d != nil {
			b.doors, b.started = append(b.doors, d), append(b.started, d)
		}
	}
	return nil
}

// onFront has do start what stands before the web server.
func (b *frontBench) onFront(do func() error) error {
	if b.frontOn < 0 {
		return do()
	}
	return onCPU(b.frontOn, do)
}

func (b *frontBench) stop() {
	for _, d := range slices.Backward(b.started) {
		d.stop()
	}
	b.started = nil
}

func (d *door) stop() {
	for _, p := range d.processes {
		p.kill()
	}
	if d.close != nil {
		d.close()
	}
}

// door is the front of that name; nil: it is not there.
func (b *frontBench) door(name string) *door {
	for _, d := range b.doors {
		if d.name == name {
			return d
		}
	}
	return nil
}

// stand starts one of package fronts' own.
func (b *frontBench) stand(ctx context.Context, name, kind string, flags ...string) (*door, error) {
	p, err := begin(name, append(append(slices.Clone(b.cfg.Stand), "--kind", kind), flags...), nil, b.failed)
	if err != nil {
		return nil, err
	}
	d := &door{name: name, processes: []*process{p}}
	if err := p.await(ctx, func(line string) bool {
		var at fronts.Address
		if json.Unmarshal([]byte(line), &at) != nil || at.At == "" {
			return false
		}
		d.at = at.At
		return true
	}); err != nil {
		p.kill()
		return nil, err
	}
	return d, nil
}

func (b *frontBench) reverseProxy(ctx context.Context) (*door, error) {
	return b.stand(ctx, byReverseProxy, fronts.ReverseProxy, "--to", b.web)
}

func (b *frontBench) kecho(ctx context.Context) (*door, error) {
	return b.agentsDoor(ctx, byKecho, b.web)
}

// kechoSlow is an agent that hands every connection to net/http, where its
// program can be told so.
func (b *frontBench) kechoSlow(ctx context.Context) (*door, error) {
	help, err := exec.CommandContext(ctx, b.cfg.Kecho, "agent", "--help").Output()
	if err != nil || !strings.Contains(string(help), fastLane) {
		return nil, err
	}
	return b.agentsDoor(ctx, byKechoSlow, b.web, fastLane+"=off")
}

// fastLane is the flag that turns the lane off.
const fastLane = "--fast-lane"

// agentsDoor is one agent before each web server, of which the first is asked.
func (b *frontBench) agentsDoor(ctx context.Context, name string, webs string, flags ...string) (*door, error) {
	list := strings.Split(webs, ",")
	a := &agents{kecho: b.cfg.Kecho, alone: len(list) == 1, failed: b.failed, flags: func(int) []string {
		most := strconv.Itoa(b.cfg.Idle + 2*b.cfg.Connections + 1000)
		return append([]string{"--soft-limit", "1000", "--ephemeral", "--connections", most, "--connections-per-address", most}, flags...)
	}}
	a.before(list)
	if err := a.start(ctx); err != nil {
		a.stop()
		return nil, err
	}
	d := &door{name: name, at: a.target(0)}
	for _, n := range a.nodes {
		d.processes = append(d.processes, n.process)
	}
	return d, nil
}

// haproxy has one thread, as an agent on one CPU has.
func (b *frontBench) haproxy(ctx context.Context) (*door, error) {
	if b.cfg.HAProxy == "" {
		return nil, nil
	}
	h := &haproxy{path: b.cfg.HAProxy, webs: []string{b.web}, workers: 1000, timeout: time.Minute, threads: 1, failed: b.failed}
	if err := h.start(ctx); err != nil {
		h.stop()
		return nil, err
	}
	return &door{name: byHAProxy, at: h.at, processes: []*process{h.process}}, nil
}

// nginx is one process, which keeps its connections to the web server and logs
// nothing, as an agent.
func (b *frontBench) nginx(ctx context.Context) (*door, error) {
	if b.cfg.Nginx == "" {
		return nil, nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	at := free.Addr().String()
	free.Close()
	dir, err := os.MkdirTemp("", "kecho-bench-")
	if err != nil {
		return nil, err
	}
	d := &door{name: byNginx, at: at, close: func() { os.RemoveAll(dir) }}
	config := fmt.Sprintf(nginxConfig, dir, b.web, at)
	if err := os.WriteFile(dir+"/nginx.conf", []byte(config), 0o600); err != nil {
		d.stop()
		return nil, err
	}
	p, err := begin("nginx", []string{b.cfg.Nginx, "-p", dir, "-c", dir + "/nginx.conf", "-e", "stderr"}, nil, b.failed)
	if err == nil {
		d.processes = []*process{p}
		err = poll(ctx, func() error { return answers(at) })
	}
	if err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

const nginxConfig = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log stderr crit;
events { worker_connections 16000; }
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    keepalive_requests 1000000000;
    upstream web { server %[2]s; keepalive 256; keepalive_requests 1000000000; }
    server {
        listen %[3]s;
        location / {
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_max_temp_file_size 0;
        }
    }
}
`
