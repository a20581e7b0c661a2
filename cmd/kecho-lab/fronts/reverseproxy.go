package fronts

import (
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// serveReverseProxy is what Go's library has, with as many idle connections as
// there are clients.
func serveReverseProxy(l net.Listener, to string) error {
	target := &url.URL{Scheme: "http", Host: to}
	server := &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded()
				r.Out.Host = r.In.Host
			},
			Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1024},
			ErrorLog:  log.Default(),
		},
	}
	return server.Serve(l)
}
