package balancer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

const hostLine = "Host: web\r\n"

// goodStreams are connections that break no rule, with how many requests each
// holds.
var goodStreams = []struct {
	name, in string
	heads    uint64
}{
	{"plain", "GET / HTTP/1.1\r\n" + hostLine + "\r\n", 1},
	{"old without host", "GET / HTTP/1.0\r\n\r\n", 1},
	{"two", strings.Repeat("GET /a?b=c HTTP/1.1\r\n"+hostLine+"Accept: */*\r\n\r\n", 2), 2},
	{"length", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length:  5 \t\r\n\r\nGET /GET / HTTP/1.1\r\n" + hostLine + "\r\n", 2},
	{"no length", "POST / HTTP/1.1\r\n" + hostLine + "content-length: 0\r\n\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 2},
	{"chunked", "PUT / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: Chunked\r\n\r\n" +
		"5\r\nGET /\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 2},
	{"trailers", "PUT / HTTP/1.1\r\n" + hostLine + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"1\r\nx\r\n0\r\nA: 1\r\nB:\r\n\r\nGET / HTTP/1.0\r\n\r\n", 2},
	{"many chunks", "PUT / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n" +
		strings.Repeat("1\r\nx\r\n", 2000) + "0\r\n\r\nGET / HTTP/1.0\r\n\r\n", 2},
	{"empty line after a body", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 2},
	{"looks like a preface", "PRIME / HTTP/1.1\r\n" + hostLine + "\r\n", 1},
	{"POST begins like a preface", "POST / HTTP/1.1\r\n" + hostLine + "\r\n", 1},
	{"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 0},
	{"high bytes", "GET /\xc3\xa4 HTTP/1.1\r\n" + hostLine + "X: \xc3\xa4\r\n\r\n", 1},
	{"names that frame nothing", "GET / HTTP/1.1\r\n" + hostLine + "Content-Lengths: x\r\nX-Host: a\r\nX-Transfer-Encoding-And-More: b\r\n\r\n", 1},
	{"escapes", "GET /%41%2f?%zz&%4 HTTP/1.1\r\n" + hostLine + "\r\n", 1},
	{"absolute", "GET hTTp://web/a?b HTTP/1.1\r\n" + hostLine + "\r\nGET https://web HTTP/1.1\r\n" + hostLine + "\r\n", 2},
	{"absolute in capitals", "GET http://WEB:80/ HTTP/1.1\r\nHost: \tWeb:80 \r\n\r\nGET / HTTP/1.1\r\nHost: other\r\n\r\n", 2},
	{"extensions", chunkedHead + strings.Repeat("64;x=y\r\n"+strings.Repeat("a", 100)+"\r\n", 1000) + "0\r\n\r\n", 1},
	{"star", "OPTIONS * HTTP/1.1\r\n" + hostLine + "\r\n", 1},
	{"tunnel", "CONNECT web:80 HTTP/1.1\r\n" + hostLine + "\r\n", 1},
	{"100 fields", "GET / HTTP/1.1\r\n" + hostLine + strings.Repeat("A: b\r\n", 99) + "\r\n", 1},
}

// badStreams are connections whose head-th request is at fault.
var badStreams = []struct {
	name, in string
	heads    uint64
	fault    *fault
}{
	{"both lengths", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1, faultBoth},
	{"both, other order", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 1, faultBoth},
	{"second request", "GET / HTTP/1.1\r\n" + hostLine + "\r\nPOST / HTTP/1.1\r\n" + hostLine + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 2, faultTwoLengths},
	{"signed length", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: +5\r\n\r\n", 1, faultLength},
	{"negative length", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: -5\r\n\r\n", 1, faultLength},
	{"list of lengths", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 5, 5\r\n\r\n", 1, faultLength},
	{"length with a gap", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 5 5\r\n\r\n", 1, faultLength},
	{"empty length", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length:\r\n\r\n", 1, faultLength},
	{"hexadecimal length", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 0x5\r\n\r\n", 1, faultLength},
	{"length over 2^63", "POST / HTTP/1.1\r\n" + hostLine + "Content-Length: 9223372036854775808\r\n\r\n", 1, faultLength},
	{"two codings", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: gzip, chunked\r\n\r\n", 1, faultCoding},
	{"coding twice", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 1, faultCoding},
	{"other coding", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: identity\r\n\r\n", 1, faultCoding},
	{"coding with control", "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: \x0bchunked\r\n\r\n", 1, faultCoding},
	{"old coding", "POST / HTTP/1.0\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1, faultOldCoding},
	{"bare LF in the request line", "GET / HTTP/1.1\n" + hostLine + "\r\n", 1, faultBareLF},
	{"bare LF in a field", "GET / HTTP/1.1\r\nHost: web\nX: y\r\n\r\n", 1, faultBareLF},
	{"bare LF in a watched field", "GET / HTTP/1.1\r\nContent-Length: 0\nHost: web\r\n\r\n", 1, faultBareLF},
	{"bare LF in a name", "GET / HTTP/1.1\r\nHo\nst: web\r\n\r\n", 1, faultBareLF},
	{"bare LF at the end", "GET / HTTP/1.1\r\n" + hostLine + "\n", 1, faultBareLF},
	{"bare LF before", "\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultBareLF},
	{"bare CR in a field", "GET / HTTP/1.1\r\nHost: web\rX: y\r\n\r\n", 1, faultBareCR},
	{"CR CR LF", "GET / HTTP/1.1\r\nHost: web\r\r\n\r\n", 1, faultBareCR},
	{"bare CR in the target", "GET /\rx HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultStart},
	{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultStart},
	{"space before", " GET / HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultStart},
	{"two spaces", "GET  / HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultStart},
	{"space in the target", "GET /a b HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultStart},
	{"tab for a space", "GET\t/ HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultStart},
	{"space after the version", "GET / HTTP/1.1 \r\n" + hostLine + "\r\n", 1, faultStart},
	{"no version", "GET /\r\n\r\n", 1, faultStart},
	{"half an escape", "GET /%z HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultTarget},
	{"an escape that ends early", "GET /%4 HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultTarget},
	{"an escape before the query", "GET /%4?1 HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultTarget},
	{"no path", "GET index.html HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultTarget},
	{"other scheme", "GET ftp://web/ HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultTarget},
	{"more than a star", "OPTIONS *x HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultTarget},
	{"other version", "GET / HTTP/1.2\r\n" + hostLine + "\r\n", 1, faultVersion},
	{"long version", "GET / HTTP/1.1000000000000000000000000\r\n" + hostLine + "\r\n", 1, faultVersion},
	{"half a preface", "PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultVersion},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01", 1, faultTLS},
	{"space before the colon", "GET / HTTP/1.1\r\nHost : web\r\n\r\n", 1, faultSpace},
	{"no colon", "GET / HTTP/1.1\r\n" + hostLine + "X\r\n\r\n", 1, faultName},
	{"empty name", "GET / HTTP/1.1\r\n" + hostLine + ": x\r\n\r\n", 1, faultName},
	{"name is no token", "GET / HTTP/1.1\r\n" + hostLine + "A(b): x\r\n\r\n", 1, faultName},
	{"folded", "GET / HTTP/1.1\r\n" + hostLine + "X: a\r\n b\r\n\r\n", 1, faultFold},
	{"folded at once", "GET / HTTP/1.1\r\n X: a\r\n" + hostLine + "\r\n", 1, faultFold},
	{"no host", "GET / HTTP/1.1\r\nX: a\r\n\r\n", 1, faultNoHost},
	{"two hosts", "GET / HTTP/1.1\r\n" + hostLine + "hOST: other\r\n\r\n", 1, faultTwoHosts},
	{"101 fields", "GET / HTTP/1.1\r\n" + hostLine + strings.Repeat("A: b\r\n", 100) + "\r\n", 1, faultHeadFields},
	{"long target", "GET /" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultLine},
	{"long field", "GET / HTTP/1.1\r\n" + hostLine + "A: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", 1, faultField},
	{"long head", "GET / HTTP/1.1\r\n" + hostLine + strings.Repeat("A: "+strings.Repeat("a", 8200)+"\r\n", 8) + "\r\n", 1, faultHead},
	{"bad chunk size", chunkedHead + "5x\r\nabcde\r\n", 1, faultChunkSize},
	{"no chunk size", chunkedHead + "\r\nabcde\r\n", 1, faultChunkSize},
	{"chunk size with 0x", chunkedHead + "0x5\r\nabcde\r\n", 1, faultChunkSize},
	{"chunk size with a space", chunkedHead + "5 \r\nabcde\r\n", 1, faultChunkSize},
	{"chunk size overflow", chunkedHead + "10000000000000005\r\nabcde\r\n", 1, faultChunkSize},
	{"chunk line with bare LF", chunkedHead + "5\nabcde\r\n", 1, faultBareLF},
	{"chunk line with bare CR", chunkedHead + "5\rabcde\r\n", 1, faultBareCR},
	{"bare LF in an extension", chunkedHead + "5;x\nabcde\r\n", 1, faultBareLF},
	{"long extension", chunkedHead + "5;" + strings.Repeat("x", 300) + "\r\nabcde\r\n", 1, faultChunkLine},
	{"extensions without end", chunkedHead + strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\na\r\n", 200), 1, faultChunkExcess},
	{"chunk longer than its size", chunkedHead + "5\r\nabcdef\r\n", 1, faultChunkEnd},
	{"chunk ends with LF", chunkedHead + "5\r\nabcde\n", 1, faultChunkEnd},
	{"chunk ends with CR alone", chunkedHead + "5\r\nabcde\rx", 1, faultChunkEnd},
	{"length in the trailers", chunkedHead + "0\r\nContent-Length: 5\r\n\r\n", 1, faultTrailerName},
	{"coding in the trailers", chunkedHead + "0\r\nTransfer-Encoding: chunked\r\n\r\n", 1, faultTrailerName},
	{"long trailers", chunkedHead + "0\r\nA: " + strings.Repeat("a", 9<<10) + "\r\n\r\n", 1, faultTrailer},
	{"control character in a trailer", chunkedHead + "0\r\nA: a\x01\r\n\r\n", 1, faultValue},
	{"control character in an announced trailer", "POST / HTTP/1.1\r\n" + hostLine + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: \x7f\r\n\r\n", 1, faultValue},
	{"NUL in a value", "GET / HTTP/1.1\r\n" + hostLine + "A: b\x00c\r\n\r\n", 1, faultValue},
	{"escape in a value", "GET / HTTP/1.1\r\n" + hostLine + "A: \x1b\r\n\r\n", 1, faultValue},
	{"control character in Host", "GET / HTTP/1.1\r\nHost: web\x01\r\n\r\n", 1, faultValue},
	{"absolute against Host", "GET http://other/a HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultAuthority},
	{"absolute is longer", "GET http://web:80/a HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultAuthority},
	{"absolute is shorter", "GET http://we?a HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultAuthority},
	{"absolute with a user", "GET http://u@web/a HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultAuthority},
	{"absolute without a host", "GET http:///a HTTP/1.1\r\n" + hostLine + "\r\n", 1, faultAuthority},
	{"absolute and an empty Host", "GET http://web/a HTTP/1.1\r\nHost:\r\n\r\n", 1, faultAuthority},
	{"absolute and two in Host", "GET http://web/a HTTP/1.1\r\nHost: web web\r\n\r\n", 1, faultAuthority},
	{"folded trailer", chunkedHead + "0\r\nA: a\r\n b\r\n\r\n", 1, faultFold},
}

const chunkedHead = "POST / HTTP/1.1\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n"

func TestGoodFraming(t *testing.T) {
	for _, c := range goodStreams {
		t.Run(c.name, func(t *testing.T) {
			inPieces(c.in, func(pieces ...string) {
				f := followed(pieces)
				if f.fault != nil || f.heads != c.heads {
					t.Fatalf("pieces of %d bytes first: %d heads, fault %v; want %d heads", len(pieces[0]), f.heads, f.fault, c.heads)
				}
			})
			if got := seenByNetHTTP(c.in); uint64(len(got)) != c.heads {
				t.Errorf("net/http sees %d requests, the case says %d", len(got), c.heads)
			}
		})
	}
}

func TestBadFraming(t *testing.T) {
	for _, c := range badStreams {
		t.Run(c.name, func(t *testing.T) {
			inPieces(c.in, func(pieces ...string) {
				f := followed(pieces)
				if f.fault != c.fault || f.heads != c.heads {
					t.Fatalf("pieces of %d bytes first: head %d: %v; want head %d: %v", len(pieces[0]), f.heads, f.fault, c.heads, c.fault)
				}
			})
		})
	}
}

// inPieces calls try with in whole, byte by byte, and cut in two at each
// position (for long ones: at some).
func inPieces(in string, try func(pieces ...string)) {
	try(in)
	try(strings.Split(in, "")...)
	for cut := 1; cut < len(in); cut += 1 + len(in)/200 {
		try(in[:cut], in[cut:])
	}
}

func followed(pieces []string) *framing {
	f := new(framing)
	for _, p := range pieces {
		f.follow([]byte(p))
	}
	return f
}

// seenByNetHTTP is what net/http takes from a connection that brings in: the
// bodies of the requests that it would hand to a handler.
func seenByNetHTTP(in string) (bodies []string) {
	r := bufio.NewReader(strings.NewReader(in))
	method := ""
	for {
		if next, _ := r.Peek(2); method == "POST" && string(next) == "\r\n" {
			_, _ = r.Discard(2) // as net/http's server does
		}
		req, err := http.ReadRequest(r)
		if err != nil || req.Method == "PRI" {
			return bodies
		}
		body, err := io.ReadAll(req.Body)
		bodies = append(bodies, string(body))
		if err != nil {
			return bodies
		}
		method = req.Method
	}
}

// bodiesBy follows in and cuts out what the framing takes for bodies, chunks'
// data joined.
func bodiesBy(in []byte) (bodies []string, f *framing) {
	f = new(framing)
	for i := range in {
		before := *f
		f.follow(in[i : i+1])
		if f.fault != nil {
			return bodies, f
		}
		if f.inBody && !before.inBody || !f.inBody && !before.inBody && f.place == atStart && before.place == atLF && before.ending == atField {
			bodies = append(bodies, "")
		}
		if before.place == inLength || before.place == inChunk {
			bodies[len(bodies)-1] += string(in[i : i+1])
		}
	}
	return bodies, f
}

// FuzzFraming holds the one promise: where the guard finds no fault, net/http
// sees the same requests with the same bodies.
func FuzzFraming(f *testing.F) {
	for _, c := range goodStreams {
		f.Add([]byte(c.in))
	}
	for _, c := range badStreams {
		if len(c.in) < 1000 {
			f.Add([]byte(c.in))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ours, bytewise := bodiesBy(in)
		whole := new(framing)
		whole.follow(in)
		if whole.fault != bytewise.fault || whole.heads != bytewise.heads {
			t.Fatalf("at once: %d heads, %v; byte by byte: %d heads, %v", whole.heads, whole.fault, bytewise.heads, bytewise.fault)
		}
		if bytewise.heads == 0 {
			return
		}
		theirs := seenByNetHTTP(string(in))
		if bytewise.fault == nil && len(theirs) > int(bytewise.heads) {
			t.Fatalf("net/http sees %d requests, the guard %d", len(theirs), bytewise.heads)
		}
		for i := range min(len(theirs), len(ours)) {
			if bytewise.fault != nil && i == int(bytewise.heads)-1 {
				break // this one is refused
			}
			if theirs[i] != ours[i] {
				t.Fatalf("body %d: net/http reads %q, the guard %q", i, theirs[i], ours[i])
			}
		}
	})
}

func TestFollowingAllocatesNothing(t *testing.T) {
	f := new(framing)
	in := []byte(strings.Join([]string{goodStreams[0].in, goodStreams[3].in, goodStreams[5].in, goodStreams[6].in}, ""))
	if n := testing.AllocsPerRun(100, func() { f.follow(in) }); n != 0 || f.fault != nil {
		t.Errorf("%v allocations, fault %v; want none", n, f.fault)
	}
}

func TestFaultsSayWhatToSend(t *testing.T) {
	for _, c := range badStreams {
		if c.fault.status < 400 || !strings.Contains(c.fault.reason, ";") {
			t.Errorf("%s: %d %q; want a 4xx or 505 and what to send instead after a semicolon", c.name, c.fault.status, c.fault.reason)
		}
		var f *fault
		if !errors.As(error(c.fault), &f) {
			t.Errorf("%s is no error", c.name)
		}
	}
}

func BenchmarkFraming(b *testing.B) {
	in := []byte("GET /index.html?x=y HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br\r\nCookie: session=" + strings.Repeat("0123456789abcdef", 8) + "\r\n\r\n")
	f := new(framing)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		f.follow(in)
	}
	if f.fault != nil || !bytes.HasSuffix(in, []byte("\r\n\r\n")) {
		b.Fatal(f.fault)
	}
}
