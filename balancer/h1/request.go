package h1

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// inlineBody is the most of a body in memory that goes with its head in one
// write. A larger one may not fit what the server's socket takes while it says
// something first, so it has a goroutine.
const inlineBody = 16 << 10

// bare are the methods of which a server expects no body, so that a length of
// 0 need not be said.
var bare = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodOptions: true,
	http.MethodTrace: true, http.MethodDelete: true,
}

func (r *Request) hasBody() bool { return r.Body != nil && r.Length != 0 }

// inline is the body if it goes with the head.
func (r *Request) inline() *bytes.Reader {
	if whole, ok := r.Body.(*bytes.Reader); ok && r.Length > 0 && r.Length <= inlineBody && int64(whole.Len()) == r.Length && !r.expects() {
		return whole
	}
	return nil
}

// expects says whether the body waits until the server wants it.
func (r *Request) expects() bool {
	values := r.Header["Expect"]
	return len(values) > 0 && strings.EqualFold(values[0], "100-continue") && r.hasBody()
}

// check refuses what would be another message when it is read.
func (r *Request) check() error {
	if !isToken(r.Method) {
		return fmt.Errorf("%w: its method is no token", ErrInvalid)
	}
	if r.Target == "" || !printable(r.Target) || strings.IndexByte(r.Target, ' ') >= 0 {
		return fmt.Errorf("%w: its target is empty or holds a space or a control character", ErrInvalid)
	}
	if !printable(r.Host) || strings.IndexByte(r.Host, ' ') >= 0 {
		return fmt.Errorf("%w: its host holds a space or a control character", ErrInvalid)
	}
	if err := cmp.Or(checkFields(r.Header), checkFields(r.Trailer)); err != nil {
		return err
	}
	if r.Trailer != nil && (r.Length >= 0 || r.Body == nil) {
		return fmt.Errorf("%w: trailers follow only a body of unknown length", ErrInvalid)
	}
	return nil
}

func checkFields(header http.Header) error {
	for name, values := range header {
		if !isToken(name) {
			return fmt.Errorf("%w: a field name is no token", ErrInvalid)
		}
		for _, value := range values {
			if !fieldValue(value) {
				return fmt.Errorf("%w: the value of %s holds a control character", ErrInvalid, name)
			}
		}
	}
	return nil
}

// framing are the fields that Do writes itself.
func framing(name string) bool {
	switch name {
	case "Content-Length", "Transfer-Encoding", "Trailer", "Host":
		return true
	}
	return false
}

// appendHead appends the request's head.
func (r *Request) appendHead(b []byte) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Host...)
	b = append(b, "\r\n"...)
	b = appendFields(b, r.Header)
	switch {
	case !r.hasBody():
		if !bare[r.Method] {
			b = append(b, "Content-Length: 0\r\n"...)
		}
	case r.Length > 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.Length, 10)
		b = append(b, "\r\n"...)
	default:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for name := range r.Trailer {
			b = append(b, "Trailer: "...)
			b = append(b, name...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

func appendFields(b []byte, header http.Header) []byte {
	for name, values := range header {
		if framing(name) {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// Bytes of tokens (RFC 9110 §5.6.2), and of field values (§5.5).
var tokens, values = func() (t, v [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	for c := range v {
		v[c] = c >= ' ' && c != 0x7f || c == '\t'
	}
	return t, v
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

func fieldValue(s string) bool {
	for i := range len(s) {
		if !values[s[i]] {
			return false
		}
	}
	return true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
