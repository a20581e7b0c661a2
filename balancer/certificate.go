package balancer

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a server's certificate in files, which may be replaced while
// it is used. Its methods may be called by many goroutines at once.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate // guarded by mu
	of      [2]fileState     // what the files were when they were last read; guarded by mu
	looked  time.Time        // guarded by mu
}

// fileState tells whether a file was replaced.
type fileState struct {
	changed time.Time
	size    int64
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// LoadCertificate reads PEM files: the certificate, with those of intermediate
// authorities behind it, and its private key. log hears of later changes; nil:
// nobody does.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	return c, c.load(time.Now())
}

// load reads the files, and keeps what it had if they are no good.
func (c *Certificate) load(now time.Time) error {
	c.looked, c.of = now, c.state()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	if now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("certificate %s ended %s", c.certFile, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	c.current = &pair
	return nil
}

// state is what the files are now; a file that is not there is zero.
func (c *Certificate) state() (of [2]fileState) {
	for i, name := range [...]string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			of[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return of
}

// get is for tls.Config.GetCertificate: files that were replaced are read
// before the next client is served. Files that are no good, or half replaced,
// leave the certificate as it was until they change again.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		if c.looked = now; c.state() != c.of {
			if err := c.load(now); err != nil {
				c.log.Error("the new certificate is no good and the one before is kept", "error", err)
			} else {
				c.log.Info("a new certificate is used", "file", c.certFile, "until", c.current.Leaf.NotAfter)
			}
		}
	}
	return c.current, nil
}

// config is for connections of clients.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}
