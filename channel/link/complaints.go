package link

import (
	"net"
	"regexp"
	"sync"
)

// maxComplaints bounds what strangers can make a node remember. Beyond it all
// is forgotten, and said once more.
const maxComplaints = 256

// complaints are what the log was told of connections that were refused. Who
// is refused comes again every few seconds, for ever.
type complaints struct {
	mu   sync.Mutex
	said map[complaint]bool
}

type complaint struct{ host, cause string }

// first reports whether this was not said yet of that address's host. The
// ports in text do not count: they are other ones each time.
func (c *complaints) first(addr net.Addr, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	this := complaint{hostOf(addr.String()), causeOf(text)}
	if c.said[this] {
		return false
	}
	if c.said == nil || len(c.said) >= maxComplaints {
		c.said = make(map[complaint]bool)
	}
	c.said[this] = true
	return true
}

// forget is for a host with which all is well now.
func (c *complaints) forget(addr net.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	host := hostOf(addr.String())
	for one := range c.said {
		if one.host == host {
			delete(c.said, one)
		}
	}
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

var ports = regexp.MustCompile(`:[0-9]{1,5}\b`)

// causeOf is an error's text without the ports in it.
func causeOf(text string) string { return ports.ReplaceAllString(text, "") }
