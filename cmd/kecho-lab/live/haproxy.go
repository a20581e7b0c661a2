package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// haproxy is one HAProxy before all hosts.
type haproxy struct {
	path    string
	webs    []string
	workers int
	timeout time.Duration
	threads int // 0: as many as it takes
	failed  func(error)

	at      string
	process *process
}

var _ front = (*haproxy)(nil)

// start gives it a listener that is open already, so no port is lost to
// somebody else.
func (h *haproxy) start(ctx context.Context) error {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return fmt.Errorf("listen for haproxy: %w", err)
	}
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		return fmt.Errorf("listen for haproxy: %w", err)
	}
	defer file.Close()
	h.at = listener.Addr().String()
	config, err := h.configFile()
	if err != nil {
		return fmt.Errorf("configure haproxy: %w", err)
	}
	defer config.Close()
	if h.process, err = begin("haproxy", []string{h.path, "-db", "-f", "/dev/fd/4"}, []*os.File{file, config}, h.failed); err != nil {
		return err
	}
	return poll(ctx, func() error { return answers(h.at) })
}

// configFile is the configuration in a file without a name, so none is left
// behind.
func (h *haproxy) configFile() (*os.File, error) {
	file, err := os.CreateTemp("", "kecho-bench-")
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString(h.config())
	return file, errors.Join(err, os.Remove(file.Name()))
}

// config has each host at its number of workers at most; who finds no worker
// waits in the one queue of the backend.
func (h *haproxy) config() string {
	var b strings.Builder
	if h.threads > 0 {
		fmt.Fprintf(&b, "global\n    nbthread %d\n", h.threads)
	}
	fmt.Fprintf(&b, `defaults
    mode http
    retries 0
    timeout connect 1s
    timeout client 60s
    timeout http-keep-alive 60s
    timeout queue %[1]dms
    timeout server %[1]dms
    http-reuse always
    option forwardfor
frontend clients
    bind fd@3
    default_backend hosts
backend hosts
    balance leastconn
`, 2*h.timeout.Milliseconds())
	for i, web := range h.webs {
		fmt.Fprintf(&b, "    server %s %s maxconn %d\n", nodeName(i), web, h.workers)
	}
	return b.String()
}

func (h *haproxy) target(int) string { return h.at }

func (h *haproxy) spent() (usage, error) { return usage{cpu: h.process.cpu()}, nil }

func (h *haproxy) stop() {
	if h.process != nil {
		h.process.kill()
	}
}

// answers says whether somebody answers requests at addr: to connect is not
// enough, for the listener is open before its program runs.
func answers(addr string) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + addr + "/")
	if err != nil {
		return err
	}
	return res.Body.Close()
}
