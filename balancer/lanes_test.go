package balancer

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// One behaviour, two lanes: whatever a client sends, the web server sees the
// same by both, and the client gets the same.

// varying is what differs from one time to the next.
var varying = regexp.MustCompile(`(X-Request-Id: )[0-9a-f]{8}-[0-9a-f-]{27}|(;dur=)[0-9.]+|(Date: )[A-Z][^\r]*`)

// exactly is a connection's answers with the lines of each head sorted and its
// chunks joined, and all else byte by byte.
func exactly(t *testing.T, raw string, methods []string) string {
	t.Helper()
	var all strings.Builder
	in := bufio.NewReader(strings.NewReader(raw))
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			return all.String() + text + "<" + err.Error() + ">"
		}
		var lines []string
		for err == nil {
			var line string
			if line, err = in.ReadString('\n'); line == "\r\n" {
				break
			}
			lines = append(lines, varying.ReplaceAllString(line, "$1$2$3*"))
		}
		slices.SortStableFunc(lines, func(a, b string) int {
			a, _, _ = strings.Cut(a, ":")
			b, _, _ = strings.Cut(b, ":")
			return strings.Compare(a, b)
		})
		head := text + strings.Join(lines, "") + "\r\n"
		all.WriteString(head)
		method := "GET"
		if len(methods) > 0 && !strings.HasPrefix(text, "HTTP/1.1 1") {
			method, methods = methods[0], methods[1:]
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), &http.Request{Method: method})
		if err != nil || method == "HEAD" || res.StatusCode < 200 || res.StatusCode == 204 || res.StatusCode == 304 {
			continue
		}
		var body []byte
		switch {
		case res.ContentLength >= 0:
			body, err = io.ReadAll(io.LimitReader(in, res.ContentLength))
		case len(res.TransferEncoding) > 0:
			body, err = readChunks(in)
		default:
			body, err = io.ReadAll(in)
		}
		fmt.Fprintf(&all, "%q, %v\n", short(string(body)), err)
	}
}

// readChunks reads chunks to the end of their trailers, which it appends.
func readChunks(in *bufio.Reader) (body []byte, err error) {
	for {
		line, err := in.ReadString('\n')
		size, bad := strconv.ParseUint(strings.TrimSuffix(line, "\r\n"), 16, 32)
		if err != nil || bad != nil {
			return body, fmt.Errorf("%w, %w", err, bad)
		}
		if size == 0 {
			var trailers []string
			for line != "\r\n" && err == nil {
				line, err = in.ReadString('\n')
				trailers = append(trailers, line)
			}
			slices.Sort(trailers)
			return append(body, strings.Join(trailers, "")...), err
		}
		part := make([]byte, size+2)
		if _, err := io.ReadFull(in, part); err != nil {
			return append(body, part...), err
		}
		body = append(body, part[:size]...)
	}
}

// answerAs answers in the way that the target asks for.
func answerAs(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	text := fmt.Sprintf("%s %d %v", r.RequestURI, n, err)
	switch way := strings.Trim(r.URL.Path, "/"); way {
	case "chunks":
		for _, c := range text {
			_, _ = fmt.Fprintf(w, "%c", c)
			_ = http.NewResponseController(w).Flush()
		}
	case "trailers":
		w.Header().Set("Trailer", "Sum")
		_, _ = io.WriteString(w, text)
		w.Header().Set("Sum", "1")
		w.Header().Set(http.TrailerPrefix+"Late", "2")
	case "large":
		_, _ = io.WriteString(w, strings.Repeat("large ", 20_000))
	case "204", "304", "404", "500", "599":
		status, _ := strconv.Atoi(way)
		w.Header()["Server-Timing"] = []string{"db;dur=5"}
		w.Header()["Via"] = []string{"1.1 other"}
		w.Header()["X-Request-Id"], w.Header()["Proxy-Status"] = []string{"theirs"}, []string{"x"}
		w.WriteHeader(status)
	case "hints":
		withHints(w, r)
	case "hop":
		w.Header()["Connection"], w.Header()["A"], w.Header()["B"] = []string{"close, a"}, []string{"1"}, []string{"2", "3"}
		_, _ = io.WriteString(w, text)
	case "later":
		time.Sleep(300 * time.Millisecond)
		_, _ = io.WriteString(w, text)
	case "cut":
		w.Header().Set("Connection", "close") // or the next request may meet its end
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		_, _ = io.WriteString(w, text)
	}
}

// through has a client send in, in pieces of n bytes, through one lane.
func through(t *testing.T, slow bool, in string, n int, methods []string) (saw, got string) {
	t.Helper()
	seen := new(sightings)
	var served uint64
	synctest.Test(t, func(t *testing.T) {
		web := serveHTTP(t, seen.see(answerAs))
		l, b := lone(t, web)
		if slow {
			l = serveLanes(t, b, nil, nil)
		}
		raw := talk(t, l, in, n)
		got = exactly(t, raw, methods)
		served = b.Stats().Straight
	})
	if slow && served > 0 {
		t.Error("net/http's lane served bytes")
	}
	return seen.String(), got
}

// differ says what the lanes do not do alike with a connection; "": nothing.
func differ(t *testing.T, in string, n int, methods []string) string {
	t.Helper()
	fastSaw, fastGot := through(t, false, in, n, methods)
	slowSaw, slowGot := through(t, true, in, n, methods)
	if fastSaw == slowSaw && fastGot == slowGot {
		return ""
	}
	return fmt.Sprintf("%.2000q\nin pieces of %d bytes, by the lane the web server saw\n%s\nand the client got\n%s\nby net/http it saw\n%s\nand the client got\n%s",
		in, n, fastSaw, fastGot, slowSaw, slowGot)
}

func agree(t *testing.T, in string, n int, methods []string) {
	t.Helper()
	if difference := differ(t, in, n, methods); difference != "" {
		t.Error(difference)
	}
}

// TestLanesAgree: on what is sound and what is at fault, alone and after a
// request that is sound.
func TestLanesAgree(t *testing.T) {
	const before = "POST /before HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\nabc"
	for _, c := range goodStreams {
		if c.heads == 0 { // HTTP/2: nothing of it is the lanes'
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			agree(t, c.in, len(c.in), nil)
			agree(t, before+c.in, 7+len(c.in)/1000, nil)
		})
	}
	for _, c := range badStreams {
		if c.fault == faultTrailer { // of which net/http takes 4 KiB and says less
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			agree(t, c.in, len(c.in), nil)
			if !strings.HasPrefix(c.in, "\r\n") { // both refuse it, net/http in words of its own
				agree(t, before+c.in, 7+len(c.in)/1000, nil)
			}
		})
	}
}

var (
	laneMethods = []string{"GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"}
	laneTargets = []string{
		"/", "/a?b=c", "/chunks", "/trailers", "/large", "/204", "/304", "/404", "/500", "/599", "/hints", "/hop", "/later", "/cut",
		"/%41%2f", "//x", "/a#b", "/\xc3\xa4", "/?", "http://web/x", "*", "/a;b", "/..",
	}
	laneFields = []string{
		"Accept: */*", "accept-encoding: gzip, br", "COOKIE: a=b; c=d", "X-Empty:", "X-Space: \t a b \t", "Connection: keep-alive",
		"X-Request-Id: client-1", "X-Request-Id: with space", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: evil", "Forwarded: for=x",
		"X-Forwarded-Port: 1", "Via: 1.1 other", "Via: 1.1 kecho-web1", "Priority: u=1", "Idempotency-Key: k", "Keep-Alive: 5",
		"Proxy-Authorization: x", "Range: bytes=1-3", "X-High: \xc3\xa4", "X-Rep: 1", "X-Rep: 2", "Authorization: b",
		"Expect: 100-continue", "Te: trailers", "Upgrade: h2c", "Connection: x-rep", "Connection: close", "X-Ctl: \x01", "Trailer: Sum",
		"Grpc-Timeout: 5S", "Content-Type: text/plain", "Te: gzip", "X-Request-Id:", "Host: other", "Content-Length: 0",
	}
	laneBreaks = []string{"\n", "\r", " ", "\x00", ":", "\r\n", "Content-Length: 5\r\n", "0", "\x7f"}
)

// drawHead writes a generated request line and fields to in, without the empty
// line behind them.
func drawHead(r *rapid.T, in *strings.Builder) (method string) {
	method = rapid.SampledFrom(laneMethods).Draw(r, "method")
	fmt.Fprintf(in, "%s %s HTTP/1.1\r\nHost: web\r\n", method, rapid.SampledFrom(laneTargets).Draw(r, "target"))
	for _, field := range rapid.SliceOfN(rapid.SampledFrom(laneFields[:24]), 0, 4).Draw(r, "fields") {
		in.WriteString(field + "\r\n")
	}
	return method
}

// TestLanesAgreeOnAnything sends connections full of generated requests.
func TestLanesAgreeOnAnything(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var in strings.Builder
		var methods []string
		for range rapid.IntRange(1, 4).Draw(r, "requests") {
			method := drawHead(r, &in)
			methods = append(methods, method)
			if rapid.IntRange(0, 5).Draw(r, "seldom") == 0 {
				in.WriteString(rapid.SampledFrom(laneFields).Draw(r, "field") + "\r\n")
			}
			body := strings.Repeat("b", rapid.SampledFrom([]int{0, 0, 1, 100, 5000, 20_000, 70_000}).Draw(r, "body"))
			switch {
			case method == "GET" || method == "HEAD" || body == "":
				in.WriteString("\r\n")
			case rapid.Bool().Draw(r, "chunked"):
				fmt.Fprintf(&in, "Transfer-Encoding: chunked\r\n\r\n1\r\nc\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			default:
				fmt.Fprintf(&in, "Content-Length: %d\r\n\r\n%s", len(body), body)
			}
		}
		text := in.String()
		if rapid.IntRange(0, 3).Draw(r, "broken") == 0 {
			at := rapid.IntRange(0, min(len(text)-1, 400)).Draw(r, "at")
			text = text[:at] + rapid.SampledFrom(laneBreaks).Draw(r, "break") + text[at:]
		}
		n := rapid.SampledFrom([]int{len(text), 1 + len(text)/3, 100 + len(text)/50}).Draw(r, "pieces")
		if difference := differ(t, text, n, methods); difference != "" {
			r.Fatal(difference)
		}
	})
}
