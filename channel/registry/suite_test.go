package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/memnet"
	"kecho/channel/registry"
)

func TestRegistry(t *testing.T) {
	channeltest.TestRegistry(t, func(t testing.TB) *channeltest.RegistryNet {
		net := memnet.New(memnet.Config{Delay: 200 * time.Microsecond})
		return &channeltest.RegistryNet{
			Make: func(n channeltest.RegistryNode) (channel.Registry, func(context.Context) error) {
				return inMemory(t, net, n)
			},
			Crash: func(host int) { net.Host(ip(host)).Crash() },
			Partition: func(hosts ...int) {
				var ips []string
				for _, h := range hosts {
					ips = append(ips, ip(h))
				}
				net.Partition(ips)
			},
			Heal: net.Heal,
		}
	})
}

// inMemory is a node whose transport is made when it runs, as a process would.
func inMemory(t testing.TB, net *memnet.Net, n channeltest.RegistryNode) (channel.Registry, func(context.Context) error) {
	tr, err := net.Host(ip(n.Host)).Transport(":7946")
	if err != nil {
		t.Fatal(err)
	}
	cfg := registry.Config{Name: n.Name, ID: n.ID, Cluster: n.Cluster, LinkAddr: ip(n.Host) + ":7947", Logger: logger(t, n.Name)}
	if n.Key != 0 {
		cfg.Key = bytes.Repeat([]byte{n.Key}, 32)
	}
	for _, seed := range n.Seeds {
		cfg.Seeds = append(cfg.Seeds, ip(seed))
	}
	cfg.Transport = tr
	r, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r, r.Run
}

func ip(host int) string { return fmt.Sprintf("10.0.0.%d", 1+host) }

func logger(t testing.TB, name string) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", name)
}
