package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"kecho/channel"
)

const (
	magic      = "kech"
	version    = 1
	maxName    = 64  // bytes of a node's or cluster's name
	maxText    = 200 // bytes of a refusal's text
	maxControl = 512 // bytes of the payload of any frame that is not an event
)

// greeting is what hello and welcome carry.
type greeting struct {
	from    channel.NodeID // who speaks
	to      channel.NodeID // whom it means to speak to
	attempt uint64         // the number of the last hello that the speaker sent; they rise
	name    string         // the speaker's
	cluster string
}

// append appends g as a payload to b.
func (g *greeting) append(b []byte) []byte {
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(g.from))
	b = binary.BigEndian.AppendUint64(b, uint64(g.to))
	b = binary.BigEndian.AppendUint64(b, g.attempt)
	b = append(b, byte(len(g.name)))
	b = append(b, g.name...)
	b = append(b, byte(len(g.cluster)))
	return append(b, g.cluster...)
}

// errNotKecho is for what does not even begin as a greeting does: it is not
// answered.
var errNotKecho = fmt.Errorf("%w: it does not begin with a kecho hello", ErrProtocol)

// parseGreeting reads a payload. Of another version it reads no more than the
// version, and the error is a *refusal. Bytes after the last field are a later
// version's and are ignored.
func parseGreeting(b []byte) (g greeting, err error) {
	if len(b) < len(magic)+2 || string(b[:len(magic)]) != magic {
		return g, errNotKecho
	}
	b = b[len(magic):]
	if v := binary.BigEndian.Uint16(b); v != version {
		return g, &refusal{codeVersion, fmt.Sprintf("it speaks version %d of the link protocol, this node speaks %d: run the same kecho on both", v, version)}
	}
	b = b[2:]
	if len(b) < 24 {
		return g, fmt.Errorf("%w: the hello is truncated", ErrProtocol)
	}
	g.from = channel.NodeID(binary.BigEndian.Uint64(b))
	g.to = channel.NodeID(binary.BigEndian.Uint64(b[8:]))
	g.attempt = binary.BigEndian.Uint64(b[16:])
	name, b, okName := cutText(b[24:])
	cluster, _, okCluster := cutText(b)
	if !okName || !okCluster || name == "" {
		return g, fmt.Errorf("%w: the hello's names are truncated, empty or over %d bytes", ErrProtocol, maxName)
	}
	g.name, g.cluster = name, cluster
	return g, nil
}

// cutText takes a length byte and as many bytes of text from the front of b.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > maxName || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}

// code says why a hello was refused.
type code byte

const (
	codeVersion  code = 1 // another version of the protocol
	codeCluster  code = 2 // another cluster
	codeUnknown  code = 3 // the registry has not told of the dialer yet
	codeName     code = 4 // a name that is not the dialer's
	codeCrossed  code = 5 // the acceptor's own dial is under way, or was, and wins
	codeOther    code = 6 // the acceptor is not the node that was meant
	codeDraining code = 7 // the acceptor is shutting down
	codeTLS      code = 8 // one of the two has certificates, the other has not
)

// refusal is an acceptor's answer instead of a welcome.
type refusal struct {
	code code
	text string
}

func (r *refusal) Error() string { return r.text }

// lasting reports whether nothing but a change of configuration helps.
func (r *refusal) lasting() bool {
	return r.code == codeVersion || r.code == codeCluster || r.code == codeName || r.code == codeTLS
}

func (r *refusal) append(b []byte) []byte {
	b = append(b, byte(r.code))
	return append(b, r.text[:min(len(r.text), maxText)]...)
}

func parseRefusal(b []byte) (*refusal, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: an empty refusal", ErrProtocol)
	}
	return &refusal{code(b[0]), string(b[1:min(len(b), 1+maxText)])}, nil
}

// readControl reads one frame that must be of a kind before events, and not a
// byte more. It is for the exchange of hellos only.
func readControl(r io.Reader) (kind byte, payload []byte, err error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	if string(header[:len(tlsHandshake)]) == tlsHandshake {
		if err := skipRecord(r, header); err != nil {
			return 0, nil, err
		}
		return 0, nil, errOnlyThere
	}
	kind, size, err := parseHeader(header[:])
	if err != nil || kind >= kindUrgent {
		return 0, nil, errNotKecho
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, payload, nil
}
