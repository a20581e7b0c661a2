package balancer

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// Origin is where a web server is.
type Origin struct {
	// Network and Address are as net.Dial wants them: "tcp" with host:port, or
	// "unix" with the path of a socket.
	Network, Address string
	// Host is what requests that name none are for.
	Host string
	// Prefix is put before the path of each request; no slash ends it.
	Prefix string
	// ServerName is what the certificate must be for; empty: plaintext.
	ServerName string
	// HTTP2 says that it speaks HTTP/2 and not HTTP/1.1.
	HTTP2 bool
}

var errOrigin = errors.New("want http://host:port, https://host:port, h2c://host:port, h2://host:port or unix:///path/of/socket")

// usualPort is the port of each scheme where none is named.
var usualPort = map[string]string{"http": "80", "h2c": "80", "https": "443", "h2": "443"}

// ParseOrigin reads http://host[:port][/prefix], https://..., h2c://... and
// h2://... for HTTP/2 in plaintext and over TLS, or unix:///path/of/socket. The
// error says what is wrong without the text.
func ParseOrigin(text string) (Origin, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return Origin{}, errOrigin
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Origin{}, errors.New("only a scheme, a host, a port and a path prefix make sense here; leave out user, query and fragment")
	case u.Scheme == "unix":
		if u.Host != "" || u.Path == "" || u.Path != path.Clean(u.Path) {
			return Origin{}, errors.New("want unix:///path/of/socket, with three slashes and none at the end")
		}
		return Origin{Network: "unix", Address: u.Path, Host: "localhost"}, nil
	case usualPort[u.Scheme] == "" || u.Hostname() == "":
		return Origin{}, errOrigin
	}
	port := cmp.Or(u.Port(), usualPort[u.Scheme])
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Origin{}, errors.New("the port is not a number from 1 to 65535")
	}
	o := Origin{
		Network: "tcp", Address: net.JoinHostPort(u.Hostname(), port), Host: u.Host,
		Prefix: strings.TrimRight(u.EscapedPath(), "/"),
	}
	if usualPort[u.Scheme] == usualPort["https"] {
		o.ServerName = u.Hostname()
	}
	o.HTTP2 = strings.HasPrefix(u.Scheme, "h2")
	return o, nil
}

// String is the address, as logs have it.
func (o Origin) String() string {
	if o.Network == "unix" {
		return fmt.Sprintf("unix:%s", o.Address)
	}
	return o.Address
}
