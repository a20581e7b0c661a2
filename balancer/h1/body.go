package h1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"sync"
)

// kind is how a body's end is found.
type kind uint8

const (
	none       kind = iota // there is no body
	sized                  // by its length
	chunked                // by its last chunk
	untilClose             // by the connection's end
	tunnel                 // it is the connection
)

// body is an answer's body. Its end gives the connection back.
type body struct {
	conn     *conn
	ctx      context.Context
	stop     func() bool // ends the watch over ctx
	kind     kind
	persists bool
	left     int64        // of a sized body, or of the chunk; owned by Read
	started  bool         // a chunk came before; owned by Read
	trailer  *http.Header // where the trailers go
	err      error        // what every Read says from now on; owned by Read

	once sync.Once
}

// begin finds out how the body of the answer to a request ends.
func (b *body) begin(h *head, method string) {
	b.persists, b.left = h.persists && b.conn.heed(h), h.length
	switch {
	case h.status == http.StatusSwitchingProtocols:
		b.kind = tunnel
	case h.bodiless(method) || h.length == 0 && !h.chunked:
		b.kind = none
	case h.chunked:
		b.kind, b.left = chunked, 0
	case h.length > 0:
		b.kind = sized
	default:
		b.kind = untilClose
	}
}

// Read implements io.Reader. The last bytes of a body of known length come
// with io.EOF, and those of a chunked one do if its end is there already.
func (b *body) Read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	switch b.kind {
	case sized:
		n, err = b.readSized(p)
	case chunked:
		n, err = b.readChunked(p)
	default:
		n, err = b.conn.read(p)
	}
	if err == nil || b.kind == tunnel {
		return n, err
	}
	if err != io.EOF {
		b.persists = false
		if b.ctx.Err() != nil {
			err = context.Cause(b.ctx)
		}
	}
	b.err = err
	b.end()
	return n, err
}

func (b *body) readSized(p []byte) (int, error) {
	n, err := b.conn.read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, fmt.Errorf("%w: %d bytes of the body are missing", io.ErrUnexpectedEOF, b.left)
	}
	return n, err
}

// readChunked reads on in a chunk, or begins the next (RFC 9112 §7.1). Once it
// has something it goes on only with what was read already.
func (b *body) readChunked(p []byte) (n int, err error) {
	for n < len(p) {
		if b.left == 0 {
			if n > 0 && !b.conn.hasLine() {
				return n, nil
			}
			if err = b.nextChunk(); err != nil {
				return n, err
			}
			if b.left == 0 {
				return n, b.trailers()
			}
		}
		if n > 0 && b.conn.r == b.conn.w {
			return n, nil
		}
		m, err := b.conn.read(p[n:min(int64(len(p)), int64(n)+b.left)])
		n += m
		b.left -= int64(m)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

var errChunk = fmt.Errorf("%w: a chunk of the body is malformed", ErrMalformed)

// nextChunk reads the end of the chunk before and the size of the next; 0 is
// the last.
func (b *body) nextChunk() error {
	if b.started {
		line, err := b.conn.readLine(1) // what is no CR needs no LF to be wrong
		if err != nil {
			return err
		}
		if len(line) > 0 {
			return errChunk
		}
	}
	b.started = true
	line, err := b.conn.readLine(maxChunkLine)
	if err != nil {
		return err
	}
	size, extension, _ := bytes.Cut(line, []byte(";"))
	size = bytes.TrimRight(size, " \t") // some servers pad it
	if len(size) == 0 || len(size) > 15 || !fieldValue(extension) {
		return errChunk
	}
	for _, c := range size {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return errChunk
		}
		b.left = b.left<<4 | int64(c)
	}
	return nil
}

// trailers reads what follows the last chunk. It returns io.EOF where that is
// sound.
func (b *body) trailers() error {
	var lines []byte
	for {
		line, err := b.conn.readLine(maxTrailer)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if lines = append(append(lines, line...), '\n'); len(lines) > maxTrailer {
			return errChunk
		}
	}
	if lines == nil {
		return io.EOF
	}
	trailer, err := parseFields(lines)
	if err != nil {
		return err
	}
	maps.DeleteFunc(trailer, func(name string, _ []string) bool { return framing(name) })
	if *b.trailer == nil {
		*b.trailer = make(http.Header, len(trailer))
	}
	maps.Copy(*b.trailer, trailer)
	return io.EOF
}

// Close ends the exchange. The connection of a body that was not read to its
// end is closed.
func (b *body) Close() error {
	if b.kind == tunnel {
		b.once.Do(func() { b.stop() })
		return b.conn.nc.Close()
	}
	b.persists = b.persists && b.err != nil
	b.end()
	if b.err == nil {
		b.err = os.ErrClosed
	}
	return nil
}

// end gives the connection back, once.
func (b *body) end() {
	b.once.Do(func() {
		watched := b.stop() // false: ctx has ended it, or is about to
		b.conn.over(b.persists && watched && b.kind != untilClose)
	})
}

// Write writes to a connection that was upgraded.
func (b *body) Write(p []byte) (int, error) {
	if b.kind != tunnel {
		return 0, errors.ErrUnsupported
	}
	return b.conn.nc.Write(p)
}

// read takes what was read already, or reads into p.
func (cn *conn) read(p []byte) (int, error) {
	if cn.r < cn.w {
		n := copy(p, cn.buf[cn.r:cn.w])
		cn.r += n
		return n, nil
	}
	return cn.netRead(p)
}

// hasLine says whether a whole line was read already, and the one after it if
// the first is the end of a chunk: then the next chunk's size is there.
func (cn *conn) hasLine() bool {
	return bytes.Count(cn.buf[cn.r:cn.w], []byte("\n")) >= 2
}

// readLine takes a line of a chunked body, without its end; most bytes at most.
// It is valid until the next read.
func (cn *conn) readLine(most int) ([]byte, error) {
	for {
		p := cn.buf[cn.r:cn.w]
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			cn.r += i + 1
			line, whole := bytes.CutSuffix(p[:i], []byte("\r"))
			if !whole || len(line) > most {
				return nil, errChunk // here a bare LF is no old habit but an attack
			}
			return line, nil
		}
		if len(p) > most {
			return nil, errChunk
		}
		if err := cn.fill(most); err != nil {
			return nil, err
		}
	}
}
