package link

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"kecho/channel/channeltest"
)

func TestConfigErrors(t *testing.T) {
	a := channeltest.NewAuthority(t)
	secure := a.Keys(t, "web0")
	for what, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no id":          {func(c *Config) { c.ID = 0 }, "ID is zero"},
		"no name":        {func(c *Config) { c.Name = "" }, "Name has 0 bytes"},
		"a long name":    {func(c *Config) { c.Name = strings.Repeat("x", 65) }, "Name has 65 bytes"},
		"a long cluster": {func(c *Config) { c.Cluster = strings.Repeat("x", 65) }, "Cluster has 65 bytes"},
		"no listener":    {func(c *Config) { c.Listener = nil }, "no Listener"},
		"negative time":  {func(c *Config) { c.DialTimeout = -1 }, "a duration is negative"},
		"negative queue": {func(c *Config) { c.QueueBytes = -1 }, "a queue's limit is negative"},
		"impatient":      {func(c *Config) { c.DeadAfter = time.Second }, "DeadAfter 1s is less than two PingIntervals of 1s"},
		"TLS of anybody": {func(c *Config) { c.TLS = &tls.Config{Certificates: secure.Certificates} }, "TLS has no RootCAs"},
		"TLS of nobody":  {func(c *Config) { c.TLS = &tls.Config{RootCAs: secure.RootCAs} }, "TLS has no certificate"},
		"TLS of someone": {func(c *Config) { c.TLS = a.Keys(t, "web3") }, `this node is called "web0", but its certificate is for web3`},
		"an empty TLS chain": {func(c *Config) {
			c.TLS = &tls.Config{RootCAs: secure.RootCAs, Certificates: make([]tls.Certificate, 1)}
		}, "TLS has no certificate"},
	} {
		cfg := Config{ID: 1, Name: "web0", Listener: loopback(t), TLS: secure}
		if _, err := New(cfg); err != nil {
			t.Fatalf("a good configuration: %v", err)
		}
		c.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	p, err := New(Config{ID: 1, Name: "web0", Listener: loopback(t), RedialMax: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	c := p.cfg
	if c.DialTimeout != time.Second || c.HelloTimeout != 2*time.Second || c.PingInterval != time.Second ||
		c.DeadAfter != 3*time.Second || c.RedialMin != 50*time.Millisecond || c.RedialMax != time.Minute ||
		c.FlushTimeout != 500*time.Millisecond || c.QueueFrames != 1536 || c.QueueBytes != 6<<20 {
		t.Errorf("defaults are %+v", c)
	}
}
