package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// leaseTTL is how long leases are taken for: longer than any measurement.
const leaseTTL = time.Hour

// etcd is a cluster of etcd's members.
type etcd struct {
	path    string
	dir     string
	failed  func(error)
	members []*member
}

var _ leaser = (*etcd)(nil)

// member is one process of etcd.
type member struct {
	name          string
	clients, peer string // where it listens
	process       *process
}

func newEtcd(cfg LeaseConfig, members int, failed func(error)) *etcd {
	e := &etcd{path: cfg.Etcd, dir: filepath.Join(cfg.Dir, fmt.Sprint("etcd-", members)), failed: failed}
	for i := range members {
		e.members = append(e.members, &member{name: fmt.Sprint("m", i+1)})
	}
	return e
}

// start starts all members, and waits until each knows of a leader. They begin
// with nothing: what an earlier run left has its peers at other addresses.
func (e *etcd) start(ctx context.Context) error {
	if err := os.RemoveAll(e.dir); err != nil {
		return err
	}
	ports, err := freePorts(2 * len(e.members))
	if err != nil {
		return err
	}
	for i, m := range e.members {
		m.clients, m.peer = ports[2*i], ports[2*i+1]
	}
	for _, m := range e.members {
		if m.process, err = begin("etcd "+m.name, e.command(m), nil, e.failed); err != nil {
			return err
		}
	}
	for _, m := range e.members {
		if err := poll(ctx, m.healthy); err != nil {
			return err
		}
	}
	return nil
}

// freePorts are addresses that nobody listens on. Etcd takes no listener that is
// open already: somebody else may be faster, and then it says so and ends.
func freePorts(n int) (at []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		at = append(at, l.Addr().String())
	}
	return at, nil
}

// command has etcd as it is by default, but for where it is.
func (e *etcd) command(m *member) []string {
	var cluster []string
	for _, o := range e.members {
		cluster = append(cluster, o.name+"=http://"+o.peer)
	}
	clients, peer := "http://"+m.clients, "http://"+m.peer
	return []string{
		e.path, "--name", m.name, "--data-dir", filepath.Join(e.dir, m.name), "--log-level", "error",
		"--listen-client-urls", clients, "--advertise-client-urls", clients,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", strings.Join(cluster, ","),
	}
}

func (m *member) healthy() error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + m.clients + "/health")
	if err != nil {
		return fmt.Errorf("etcd %s does not answer: %w; it said:\n%s", m.name, err, m.process.out)
	}
	defer res.Body.Close()
	var said struct {
		Health string `json:"health"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil || said.Health != "true" {
		return fmt.Errorf("etcd %s is not healthy: %s; it said:\n%s", m.name, res.Status, m.process.out)
	}
	return nil
}

func (e *etcd) stop() {
	var all sync.WaitGroup
	for _, p := range e.processes() {
		all.Go(p.kill)
	}
	all.Wait()
}

func (e *etcd) processes() (all []*process) {
	for _, m := range e.members {
		if m.process != nil {
			all = append(all, m.process)
		}
	}
	return all
}

func (e *etcd) restart(context.Context) (err error) {
	m := e.members[0]
	m.process.kill()
	m.process, err = begin("etcd "+m.name, e.command(m), nil, e.failed)
	return err
}

func (e *etcd) taker(i int) taker {
	return etcdDesk{newDesk(e.members[i%len(e.members)].clients)}
}

// etcdDesk is a client's way to a member, by its HTTP gateway.
type etcdDesk struct{ *desk }

// etcdLease is a lease in requests and answers; []byte travels as base64 there.
type etcdLease struct {
	ID  string `json:"ID,omitempty"`
	TTL any    `json:"TTL,omitempty"` // a number that answers have as a string
}

// take makes a lease and a key under it: a lease alone is nobody's.
func (d etcdDesk) take(ctx context.Context, holder string) (string, error) {
	var got etcdLease
	if err := d.ask(ctx, http.MethodPost, "/v3/lease/grant", etcdLease{TTL: int(leaseTTL.Seconds())}, &got); err != nil {
		return "", err
	}
	if got.ID == "" {
		return "", errors.New("etcd granted a lease without an id")
	}
	put := struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
		Lease string `json:"lease"`
	}{[]byte("leases/" + holder + "/" + got.ID), []byte(leasedEach), got.ID}
	return got.ID, d.ask(ctx, http.MethodPost, "/v3/kv/put", put, nil)
}

func (d etcdDesk) release(ctx context.Context, lease, _ string) error {
	return d.ask(ctx, http.MethodPost, "/v3/lease/revoke", etcdLease{ID: lease}, nil)
}

func (d etcdDesk) lives(ctx context.Context, lease string) error {
	var got etcdLease
	if err := d.ask(ctx, http.MethodPost, "/v3/lease/timetolive", etcdLease{ID: lease}, &got); err != nil {
		return err
	}
	if left, _ := got.TTL.(string); left == "" || strings.HasPrefix(left, "-") {
		return fmt.Errorf("etcd does not know lease %s", lease)
	}
	return nil
}
