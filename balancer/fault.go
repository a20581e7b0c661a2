package balancer

import "net/http"

// Limits of a request's framing (docs/design.md, "Limits").
const (
	maxRequestHead = 64 << 10
	maxHeadLine    = 16 << 10
	maxHeadFields  = 100
	maxTrailer     = 8 << 10
	maxChunkLine   = 256
	maxChunkDigits = 15 // hexadecimal: below 2^60, so no sum overflows
	maxChunkExcess = 16 << 10
)

// fault is what is wrong with a request's framing, and with what status it is
// refused. Its text says what to send instead; nothing of the request is in it.
type fault struct {
	status int
	reason string
}

func (f *fault) Error() string { return f.reason }

var (
	faultBareLF      = &fault{http.StatusBadRequest, "a line ends with a bare LF; end each line with CR LF"}
	faultBareCR      = &fault{http.StatusBadRequest, "a CR is not followed by LF; end each line with CR LF and send no CR elsewhere"}
	faultStart       = &fault{http.StatusBadRequest, "the request line is malformed; send METHOD TARGET HTTP/1.1 with one space between each"}
	faultTLS         = &fault{http.StatusBadRequest, "TLS came to a port that speaks plaintext; use http:// here"}
	faultTarget      = &fault{http.StatusBadRequest, "the target is neither a path with whole %XX escapes nor http://host/path; send one of them"}
	faultMethod      = &fault{http.StatusBadRequest, "the method is no token; send one such as GET"}
	faultPath        = &fault{http.StatusBadRequest, ":path does not begin with a slash; send a path, and the host in :authority"}
	faultSlowHead    = &fault{http.StatusRequestTimeout, "the request's head did not come within 5 s; send it at once"}
	faultSlowBody    = &fault{http.StatusRequestTimeout, "nothing of the request's body came for 15 s; send it without such pauses"}
	faultVersion     = &fault{http.StatusHTTPVersionNotSupported, "the request line does not end with HTTP/1.1 or HTTP/1.0; send one of them"}
	faultFold        = &fault{http.StatusBadRequest, "a header line begins with a space; send each header on one line"}
	faultSpace       = &fault{http.StatusBadRequest, "a header name is followed by a space; send NAME: VALUE"}
	faultName        = &fault{http.StatusBadRequest, "a header name is empty or no token; send NAME: VALUE"}
	faultValue       = &fault{http.StatusBadRequest, "a header value has a control character; send none but tabs"}
	faultAuthority   = &fault{http.StatusBadRequest, "the target names another host than Host; send the same, or a path as the target"}
	faultLength      = &fault{http.StatusBadRequest, "Content-Length is not one decimal number; send its digits alone"}
	faultTwoLengths  = &fault{http.StatusBadRequest, "Content-Length is there more than once; send it once"}
	faultCoding      = &fault{http.StatusBadRequest, `Transfer-Encoding is not exactly one "chunked"; send that or Content-Length`}
	faultBoth        = &fault{http.StatusBadRequest, "both Content-Length and Transfer-Encoding are there; send one of them"}
	faultOldCoding   = &fault{http.StatusBadRequest, "Transfer-Encoding in HTTP/1.0; send Content-Length, or HTTP/1.1"}
	faultNoHost      = &fault{http.StatusBadRequest, "Host is missing; send one"}
	faultTwoHosts    = &fault{http.StatusBadRequest, "Host is there more than once; send one"}
	faultLine        = &fault{http.StatusRequestURITooLong, "the request line is longer than 16 KiB; send a shorter one"}
	faultField       = &fault{http.StatusRequestHeaderFieldsTooLarge, "a header line is longer than 16 KiB; send a shorter one"}
	faultHeadFields  = &fault{http.StatusRequestHeaderFieldsTooLarge, "there are more than 100 header lines; send fewer"}
	faultHead        = &fault{http.StatusRequestHeaderFieldsTooLarge, "the request's head is longer than 64 KiB; send less"}
	faultChunkSize   = &fault{http.StatusBadRequest, "a chunk's size is not 1 to 15 hexadecimal digits; send such"}
	faultChunkLine   = &fault{http.StatusBadRequest, "a chunk's size and extensions are longer than 256 bytes; send no extensions"}
	faultChunkExcess = &fault{http.StatusBadRequest, "the chunks are mostly extensions; send no extensions"}
	faultChunkEnd    = &fault{http.StatusBadRequest, "a chunk is not followed by CR LF; send as many bytes as its size says"}
	faultTrailer     = &fault{http.StatusRequestHeaderFieldsTooLarge, "the trailers are longer than 8 KiB; send less"}
	faultTrailerName = &fault{http.StatusBadRequest, "Content-Length, Transfer-Encoding or Host among the trailers; send them in the head"}
)

// tokenByte are the bytes of method and field names (RFC 9110 §5.6.2).
var tokenByte = func() (table [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		table[c] = true
	}
	return table
}()
