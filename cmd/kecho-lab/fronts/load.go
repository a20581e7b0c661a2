package fronts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"kecho/cmd/kecho-lab/alarm"
)

// Load is connections that each have one request at a time.
type Load struct {
	clients []*client
}

// client is one connection.
type client struct {
	conn    net.Conn
	request []byte
	size    int // of the answers' bodies
	buf     []byte
}

// Connect opens n connections to a front, and asks on each once, so that what the
// front makes for it is there. size is that of the web server's usual answers.
func Connect(ctx context.Context, address string, n, size int) (*Load, error) {
	l := new(Load)
	for i := range n {
		c, err := connect(ctx, address, size)
		if err == nil {
			l.clients = append(l.clients, c)
			err = c.ask()
		}
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
	}
	return l, nil
}

func connect(ctx context.Context, address string, size int) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{
		conn: conn, size: size, request: requestFor("/", address),
		buf: make([]byte, 0, size+2<<10),
	}, nil
}

// requestFor is what a browser's is at the least.
func requestFor(path, host string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: kecho-lab\r\nAccept: */*\r\n\r\n")
}

// Close closes the connections.
func (l *Load) Close() {
	for _, c := range l.clients {
		c.conn.Close()
	}
}

// patience bounds the wait for one answer: nothing here takes seconds.
const patience = 20 * time.Second

// ask sends a request and reads its answer.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	c.buf = c.buf[:0]
	want := -1
	for want < 0 || len(c.buf) < want {
		if len(c.buf) == cap(c.buf) {
			return fmt.Errorf("%w: %.200q", errAnswer, c.buf)
		}
		n, err := c.conn.Read(c.buf[len(c.buf):cap(c.buf)])
		if err != nil {
			return err
		}
		c.buf = c.buf[:len(c.buf)+n]
		if want < 0 {
			if end := bytes.Index(c.buf, headEnd); end >= 0 {
				want = end + len(headEnd) + c.size
			}
		}
	}
	if len(c.buf) > want || !bytes.HasPrefix(c.buf, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%w: %.200q", errAnswer, c.buf)
	}
	return nil
}

// Again asks on each connection once, one after the other: those that are
// still there. It returns how many are not, with what the first said.
func (l *Load) Again() (lost int, err error) {
	for _, c := range l.clients {
		c.conn.SetDeadline(time.Now().Add(patience))
		if e := c.ask(); e != nil {
			if lost++; err == nil {
				err = e
			}
		}
	}
	return lost, err
}

// Run has each connection ask, and ask again as soon as it has the answer, for so
// long. It returns how many answers there were.
func (l *Load) Run(ctx context.Context, length time.Duration) (int, error) {
	end := time.Now().Add(length)
	counts, errs := make([]int, len(l.clients)), make([]error, len(l.clients))
	var all sync.WaitGroup
	for i, c := range l.clients {
		c.conn.SetDeadline(end.Add(patience))
		all.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				if errs[i] = c.ask(); errs[i] != nil {
					return
				}
				counts[i]++
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	if ctx.Err() != nil {
		return sum, context.Cause(ctx)
	}
	for _, err := range errs { // the others say the same
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Pace sends so many requests a second, evenly, for so long, whether or not
// earlier ones were answered, while there are connections. The times count from
// when each request was due.
func (l *Load) Pace(ctx context.Context, length time.Duration, rate float64) ([]time.Duration, error) {
	clock, err := alarm.New()
	if err != nil {
		return nil, err
	}
	defer clock.Close()
	n := int(rate * length.Seconds())
	took := make([]time.Duration, n)
	p := &pacing{due: make(chan int), began: time.Now(), every: time.Duration(float64(time.Second) / rate), took: took}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var all sync.WaitGroup
	for _, c := range l.clients {
		c.conn.SetDeadline(p.began.Add(length + patience))
		all.Go(func() {
			if err := p.serve(c); err != nil {
				fail(err)
			}
		})
	}
	for i := range n {
		clock.Sleep(ctx, time.Until(p.at(i)))
		select {
		case p.due <- i:
		case <-ctx.Done():
		}
	}
	close(p.due)
	all.Wait()
	return took, context.Cause(ctx)
}

// pacing is requests by their numbers.
type pacing struct {
	due   chan int
	began time.Time
	every time.Duration
	took  []time.Duration // each is written by who serves it
}

func (p *pacing) at(i int) time.Time { return p.began.Add(time.Duration(i) * p.every) }

// serve asks for whatever is due next.
func (p *pacing) serve(c *client) error {
	for i := range p.due {
		if err := c.ask(); err != nil {
			return err
		}
		p.took[i] = time.Since(p.at(i))
	}
	return nil
}

// Fetch reads an answer of so many bytes over a connection of its own.
func Fetch(ctx context.Context, address string, size int64) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(requestFor("/"+strconv.FormatInt(size, 10), address)); err != nil {
		return err
	}
	buf, have, end := make([]byte, 256<<10), 0, -1
	for end < 0 {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		end = bytes.Index(buf[:have], headEnd)
	}
	head := strings.ToLower(string(buf[:end]))
	if !strings.HasPrefix(head, "http/1.1 200 ") || !strings.Contains(head, "content-length: "+strconv.FormatInt(size, 10)) {
		return fmt.Errorf("%w: %.200q", errAnswer, head)
	}
	left := size - int64(have-end-len(headEnd))
	for left > 0 {
		n, err := conn.Read(buf)
		if left -= int64(n); err != nil && left > 0 {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("%d bytes are missing: %w", left, err)
		}
	}
	return nil
}
