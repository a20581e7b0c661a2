package balancer

import (
	"net/http"
	"strings"
)

// unsound is what is wrong with the head of a request over HTTP/2, of what
// net/http lets pass; nil: nothing. Each of it would be another request to who
// reads other fields of it (RFC 9113 §8.3.1, §8.1.1).
func unsound(r *http.Request) *fault {
	for i := range len(r.Method) {
		if !tokenByte[r.Method[i]] {
			return faultMethod
		}
	}
	if r.Method != http.MethodConnect && r.RequestURI != "*" && !strings.HasPrefix(r.RequestURI, "/") {
		return faultPath
	}
	if len(r.Header["Content-Length"]) > 1 {
		return faultTwoLengths
	}
	switch hosts := r.Header["Host"]; {
	case len(hosts) > 1:
		return faultTwoHosts
	case len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		return faultAuthority
	}
	return oversized(r)
}

// oversized holds the limits on heads where net/http has read one as fields.
func oversized(r *http.Request) *fault {
	if len(r.RequestURI) > maxHeadLine {
		return faultLine
	}
	fields := 0
	for name, values := range r.Header {
		fields += len(values)
		for _, value := range values {
			if len(name)+len(value) > maxHeadLine {
				return faultField
			}
		}
	}
	if fields > maxHeadFields {
		return faultHeadFields
	}
	return nil
}
