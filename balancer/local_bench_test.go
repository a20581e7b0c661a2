//go:build unix

package balancer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kecho/balancer/policy"
)

// BenchmarkLocalPath sends the same requests over keep-alive connections on
// loopback to a web server directly, through a front that serves everything
// locally, and through httputil.ReverseProxy on the same kind of server, in
// turns. It reports the CPU time of the whole process per request, the ratio
// of the two proxies, and their ratio with the client's and the web server's
// own cost (direct) taken off both.
func BenchmarkLocalPath(b *testing.B) {
	const batch = 1000
	web := benchUpstream(b)
	front := benchFront(b, web)
	paths := []struct {
		name, address string
		cpu           time.Duration
	}{
		{name: "direct", address: web},
		{name: "lane", address: benchLane(b, front)},
		{name: "nethttp", address: benchServer(b, front)},
		{name: "reverseproxy", address: benchServer(b, reverseProxy(b, web))},
	}
	clients := make([]*benchClient, len(paths))
	for i, p := range paths {
		clients[i] = newBenchClient(b, p.address, 16)
		clients[i].send(batch) // all connections are open then
	}
	requests := 0
	for b.Loop() {
		requests += batch
		for i := range paths {
			before := cpuTime(b)
			clients[i].send(batch)
			paths[i].cpu += cpuTime(b) - before
		}
	}
	for _, p := range paths {
		b.ReportMetric(float64(p.cpu.Nanoseconds())/float64(requests), p.name+"-cpu-ns/req")
	}
	direct, theirs := paths[0].cpu, paths[len(paths)-1].cpu
	for _, p := range paths[1 : len(paths)-1] {
		b.ReportMetric(float64(p.cpu)/float64(theirs), p.name+"-ratio")
		b.ReportMetric(float64(p.cpu-direct)/float64(theirs-direct), p.name+"-ratio-without-direct")
	}
	b.ReportMetric(0, "ns/op") // an iteration is a batch on each path
}

// BenchmarkServeLocal counts what one request allocates in the front, its
// server, the transport and the raw ends.
func BenchmarkServeLocal(b *testing.B) {
	web := benchUpstream(b)
	front := benchFront(b, web)
	for _, p := range []struct {
		name  string
		serve func(b *testing.B) string
	}{
		{"lane", func(b *testing.B) string { return benchLane(b, front) }},
		{"nethttp", func(b *testing.B) string { return benchServer(b, front) }},
		{"reverseproxy", func(b *testing.B) string { return benchServer(b, reverseProxy(b, web)) }},
	} {
		b.Run(p.name, func(b *testing.B) {
			c := newBenchClient(b, p.serve(b), 1)
			c.send(10)
			b.ReportAllocs()
			for b.Loop() {
				c.send(1)
			}
		})
	}
}

// benchFront is a whole balancer before web, with room for everything.
func benchFront(b *testing.B, web string) *Balancer {
	front, err := New(Config{
		Name: "web1", Upstream: "http://" + web,
		Policy: policy.Config{Places: 64, Hard: 64, Queue: 64, ShedAge: time.Second},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(front.upstream.client.CloseIdle)
	return front
}

func reverseProxy(b *testing.B, web string) http.Handler {
	target := &url.URL{Scheme: "http", Host: web}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: 30 * time.Second}
	b.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport:  transport,
		BufferPool: benchBuffers{}, // without one it takes 32 KiB a request, and the ratio flatters us
	}
}

// benchBuffers are those of respond, for httputil.
type benchBuffers struct{}

func (benchBuffers) Get() []byte  { return buffers.Get().(*[copySize]byte)[:] }
func (benchBuffers) Put(b []byte) { buffers.Put((*[copySize]byte)(b)) }

func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func benchListen(b testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func benchServer(b *testing.B, handler http.Handler) string {
	l := benchListen(b)
	server := &http.Server{Handler: handler, ConnContext: GuardContext, DisableGeneralOptionsHandler: true, ErrorLog: log.New(io.Discard, "", 0)}
	if _, ours := handler.(*Balancer); ours {
		go func() { _ = server.Serve(Guard(l, nil)) }()
	} else {
		go func() { _ = server.Serve(l) }()
	}
	b.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// benchLane is benchServer with the lane before it.
func benchLane(b testing.TB, front *Balancer) string {
	lane := NewLane(LaneConfig{Balancer: front, Listener: benchListen(b)})
	server := &http.Server{Handler: front, ConnContext: GuardContext, DisableGeneralOptionsHandler: true, ErrorLog: log.New(io.Discard, "", 0)}
	ctx, cut := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(lane) })
	done.Go(func() { _ = lane.Run(ctx) })
	b.Cleanup(func() {
		cut()
		_ = server.Close()
		done.Wait()
	})
	return lane.Addr().String()
}

// benchUpstream answers every head with 1 KiB, as cheaply as Go can.
func benchUpstream(b *testing.B) string {
	l := benchListen(b)
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf, have := make([]byte, 8<<10), 0
				for {
					n, err := c.Read(buf[have:])
					if err != nil {
						return
					}
					if have += n; bytes.HasSuffix(buf[:have], []byte("\r\n\r\n")) {
						have = 0
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	b.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// benchClient sends over several connections, one request at a time on each.
type benchClient struct {
	b     *testing.B
	conns []*bufio.ReadWriter
}

func newBenchClient(b *testing.B, address string, conns int) *benchClient {
	c := &benchClient{b: b}
	for range conns {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		c.conns = append(c.conns, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)))
	}
	return c
}

func (c *benchClient) send(n int) {
	var wg sync.WaitGroup
	for i, conn := range c.conns {
		wg.Go(func() {
			for k := i; k < n; k += len(c.conns) {
				if err := benchRequest(conn); err != nil {
					c.b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func benchRequest(c *bufio.ReadWriter) error {
	if _, err := c.WriteString("GET /index.html?x=y HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nCookie: session=0123456789abcdef\r\n\r\n"); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := c.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) == 2 {
			_, err = c.Discard(1024)
			return err
		}
	}
}
