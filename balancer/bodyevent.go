package balancer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"

	"kecho/channel"
)

// chunk is what one event carries of a body.
type chunk struct {
	offset  int64 // of data in the body
	data    []byte
	fin     bool        // there is no more
	trailer http.Header // what follows the body; with fin only
}

// A body event is a flag, the offset in 8 bytes, and data or trailers.
const (
	chunkHeader = 9
	moreFollows = 0 // not the last one
	finPlain    = 1 // the last one
	finTrailers = 2 // the last one, and trailers in place of data
)

// trailers is what a last body event may carry in place of data.
type trailers struct {
	Fields []field
}

var (
	errChunk = errors.New("a body event without a flag that is known")
	// errSource says that a body broke off where it is read from.
	errSource = errors.New("the body broke off")
)

func putChunkHeader(b []byte, flag byte, offset int64) {
	b[0] = flag
	binary.BigEndian.PutUint64(b[1:chunkHeader], uint64(offset))
}

// unpackChunk reads what sendBody sent. Its data is a part of b.
func unpackChunk(b []byte) (c chunk, err error) {
	if len(b) < chunkHeader || len(b) > maxChunk {
		return chunk{}, errChunk
	}
	c.offset = int64(binary.BigEndian.Uint64(b[1:chunkHeader]))
	data := b[chunkHeader:]
	switch b[0] {
	case moreFollows:
		c.data = data
	case finPlain:
		c.data, c.fin = data, true
	case finTrailers:
		var t trailers
		if err := channel.Unpack(data, &t); err != nil {
			return chunk{}, err
		}
		c.fin = true
		c.trailer, err = headerOf(t.Fields)
	default:
		err = errChunk
	}
	return c, err
}

// sendBody reads body to its end and hands it on in chunks as credit allows;
// trailer is asked at the end. It blocks as long as body does or credit lacks.
// The chunk that send gets is good during the call. An error of body's own is
// an errSource.
func sendBody(body io.Reader, credit *outflow, trailer func() http.Header, send func(chunk []byte) error) error {
	buf := buffers.Get().(*[copySize]byte)
	defer buffers.Put(buf)
	for offset := int64(0); ; {
		n, err := credit.take(len(buf) - chunkHeader)
		if err != nil {
			return err
		}
		read, err := body.Read(buf[chunkHeader : chunkHeader+n])
		credit.giveBack(n - read)
		if err != nil && err != io.EOF {
			return fmt.Errorf("%w: %w", errSource, err)
		}
		if err == io.EOF {
			return sendLast(buf[:chunkHeader+read], offset, trailer(), send)
		}
		if read > 0 {
			putChunkHeader(buf[:], moreFollows, offset)
			if err := send(buf[:chunkHeader+read]); err != nil {
				return err
			}
			offset += int64(read)
		}
	}
}

// sendLast sends the last bytes, which are in b behind a header's room, and
// the trailers, if any, after them.
func sendLast(b []byte, offset int64, trailer http.Header, send func(chunk []byte) error) error {
	fields, err := appendFields(nil, trailer)
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		putChunkHeader(b, finPlain, offset)
		return send(b)
	}
	if len(b) > chunkHeader {
		putChunkHeader(b, moreFollows, offset)
		if err := send(b); err != nil {
			return err
		}
	}
	packed, err := channel.Pack(trailers{Fields: fields})
	if err != nil {
		return err
	}
	if len(packed) > maxChunk-chunkHeader {
		return errHead
	}
	last := make([]byte, chunkHeader, chunkHeader+len(packed))
	putChunkHeader(last, finTrailers, offset+int64(len(b)-chunkHeader))
	return send(append(last, packed...))
}
