package h1

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
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

// Whole says whether the request goes in one write: AppendTo can be used.
func (r *Request) Whole() bool { return !r.hasBody() || r.inline() != nil }

// AppendTo appends a whole request as it is sent, for Raw.Message; its Body is
// read then. The error is ErrInvalid.
func (r *Request) AppendTo(b []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return b, err
	}
	b = r.appendHead(b)
	if body := r.inline(); body != nil {
		n := body.Len()
		b = append(b, make([]byte, n)...)
		_, _ = body.Read(b[len(b)-n:]) // it is memory
	}
	return b, nil
}

// rewind has the body be read from its start again; false: it cannot be.
func (r *Request) rewind() bool {
	body, can := r.Body.(io.Seeker)
	if !can {
		return false
	}
	_, err := body.Seek(0, io.SeekStart)
	return err == nil
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
	if !r.hasBody() {
		return append(AppendLength(b, r.Method, 0), "\r\n"...)
	}
	b = AppendLength(b, r.Method, r.Length)
	if r.Length < 0 {
		for name := range r.Trailer {
			b = append(b, "Trailer: "...)
			b = append(b, name...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// AppendLength appends the field that says how long the body of a request is:
// none where its method and a length of 0 leave no doubt; -1: not known.
func AppendLength(b []byte, method string, length int64) []byte {
	switch {
	case length < 0:
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	case length == 0 && bare[method]:
		return b
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, length, 10)
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

func isToken[T string | []byte](s T) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

func fieldValue[T string | []byte](s T) bool {
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
