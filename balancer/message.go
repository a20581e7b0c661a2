package balancer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"kecho/balancer/policy"
	"kecho/channel"
)

// The types of the events on the data channel: see spec.md. The owner is the
// node whose client asked.
const (
	typeOffer    channel.Type = "offer"    // owner: a request waits; claim it if you have a place
	typeWithdraw channel.Type = "withdraw" // owner: it does not, or not for you
	typeClaim    channel.Type = "claim"    // peer: there is a place for what was offered

	typeRequest     channel.Type = "request"      // owner: serve this
	typeRequestBody channel.Type = "request-body" // owner: more of the request's body
	typeCredit      channel.Type = "credit"       // owner: so much of the answer was read
	typeCancel      channel.Type = "cancel"       // owner: nobody waits any more

	typeQueued     channel.Type = "queued"      // peer: it waits here for a place
	typeTaken      channel.Type = "taken"       // peer: it is being served; room for so much body
	typeBusy       channel.Type = "busy"        // peer: no, and nothing was begun
	typeRead       channel.Type = "read"        // peer: so much of the request's body was read
	typeBegun      channel.Type = "begun"       // peer: it is being served; its body is not wanted yet
	typeHint       channel.Type = "hint"        // peer: an informational answer
	typeAnswer     channel.Type = "answer"      // peer: the head of the answer
	typeAnswerBody channel.Type = "answer-body" // peer: more of the answer
	typeFailed     channel.Type = "failed"      // peer: begun, and there is no answer
)

// Bounds of what one event carries.
const (
	maxEventFields = 200      // fields of a head; 100 come from a client at most
	maxHead        = 60 << 10 // bytes of a packed head
	maxChunk       = channel.MaxChunk
	maxReason      = 128 // bytes of a reason in words
)

// field is one header field.
type field struct {
	Name, Value string
}

// requestHead is what a request event says before the body's first bytes.
type requestHead struct {
	Method  string
	Target  string // path and query as the client sent them
	Host    string
	Fields  []field
	Length  int64    // of the body; -1: not known
	Fin     bool     // the whole body is in this event
	Window  int64    // bytes of the answer's body that may be sent without credit
	Trailer []string // names that may come after the body
	Epoch   int64    // of the request, at its owner
	Age     int64    // of the request, in microseconds
	MaxWait int64    // how long it may wait at the peer, in microseconds, if it was not claimed
	Claimed bool     // it is the answer to a claim
	Class   int64    // how urgent; see policy.Class
	Tied    bool     // others have it too, and who begins it says so at once
	Offered bool     // begin it when there is a place, without a claim; tied only
	Upgrade string   // what it is to become: websocket, or empty
}

// message is what the core is told of a request that came as e.
func (h *requestHead) message(e *channel.Event) policy.Message {
	m := policy.Message{
		Kind: policy.Push, ID: e.Re.Seq, Epoch: uint32(h.Epoch), Class: classOf(h.Class), Bytes: int64(len(e.Body)),
		Age: microseconds(uint64(max(h.Age, 0))), Left: timeLeft(e), MaxWait: microseconds(uint64(max(h.MaxWait, 0))),
	}
	if e.Re.IsZero() { // it names itself
		m.ID = e.ID.Seq
	}
	switch m.Tied = h.Tied; {
	case h.Claimed:
		m.Kind = policy.Grant
	case h.Offered && h.Tied:
		m.Kind = policy.Offer
	}
	return m
}

// answerHead is what an answer event says before the body's first bytes.
type answerHead struct {
	Status  int
	Fields  []field
	Length  int64 // of the body; -1: not known
	Fin     bool  // the whole body is in this event
	Trailer []string
	Window  int64 // of a 101: bytes that the client may send without credit
}

// errHead says that a head cannot travel as an event; the request stays here.
var errHead = errors.New("the head is too large for an event")

// packMessage makes an event's body from a head and the first bytes that
// follow it: the head's length as a varint, the head, the bytes.
func packMessage(head packer, first []byte) ([]byte, error) {
	b := make([]byte, messageRoom, 512+len(first))
	return finishMessage(head.pack(b), first)
}

// messageRoom is what a message is begun with: room for the head's length.
const messageRoom = 3

// finishMessage is the message whose head was appended to messageRoom bytes.
func finishMessage(b, first []byte) ([]byte, error) {
	n := len(b) - messageRoom
	if n > maxHead {
		return nil, errHead
	}
	var length [binary.MaxVarintLen32]byte
	size := binary.PutUvarint(length[:], uint64(n))
	start := messageRoom - size
	copy(b[start:], length[:size])
	return append(b, first...)[start:], nil
}

// unpackMessage reads what packMessage wrote. first is a part of body.
func unpackMessage(body []byte, head packer) (first []byte, err error) {
	packed, first, err := cutMessage(body)
	if err != nil {
		return nil, err
	}
	u := channel.NewUnpacker(packed)
	head.read(&u)
	return first, u.End()
}

// cutMessage is the head and what follows it.
func cutMessage(body []byte) (packed, first []byte, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > maxHead || n > uint64(len(body)-size) {
		return nil, nil, errors.New("the head does not fit into the event")
	}
	return body[size : size+int(n)], body[size+int(n):], nil
}

// appendFields lists a header in the order of its names, so that the same
// request is the same event.
func appendFields(fields []field, header http.Header) ([]field, error) {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			fields = append(fields, field{name, value})
		}
	}
	if len(fields) > maxEventFields {
		return nil, errHead
	}
	return fields, nil
}

// headerOf is the checked reverse: a peer's fields as a header, with nothing
// in it that HTTP could not carry or that belongs to a single hop.
func headerOf(fields []field) (http.Header, error) {
	header := make(http.Header, len(fields))
	values := make([]string, len(fields)) // one allocation: most names have one
	for i, f := range fields {
		if !httpguts.ValidHeaderFieldName(f.Name) || !httpguts.ValidHeaderFieldValue(f.Value) {
			return nil, fmt.Errorf("field %.40q is not valid HTTP", f.Name)
		}
		name := http.CanonicalHeaderKey(f.Name)
		if hopByHop[name] && name != "Te" || name == "Content-Length" {
			return nil, fmt.Errorf("field %s has no place in an event", name)
		}
		if before := header[name]; before != nil {
			header[name] = append(before, f.Value)
		} else {
			header[name] = single(values[i:], f.Value)
		}
	}
	return header, nil
}

// checkTrailers refuses names that may not come after a body.
func checkTrailers(names []string) error {
	for _, name := range names {
		if !httpguts.ValidHeaderFieldName(name) || !trailerField(http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("trailer %.40q is not one", name)
		}
	}
	return nil
}

// amount is the body of the events that count bytes.
func packAmount(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func unpackAmount(body []byte) (int, error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || size != len(body) || n > 1<<30 {
		return 0, errors.New("not an amount of bytes")
	}
	return int(n), nil
}

// reason is the body of the events that say why, cut to what a log line takes.
func packReason(why string) []byte { return []byte(why[:min(len(why), maxReason)]) }

func unpackReason(body []byte) string {
	return fmt.Sprintf("%q", body[:min(len(body), maxReason)])
}

// answerHeadOf is the head that the owner is sent of the web server's answer.
func answerHeadOf(res *http.Response) (head answerHead, err error) {
	if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
		return head, fmt.Errorf("%w: status %d", errBadAnswer, res.StatusCode)
	}
	inbound(res.Header)
	head = answerHead{Status: res.StatusCode, Length: -1}
	if sized := res.Header["Content-Length"]; len(sized) == 1 {
		// Not res.ContentLength: of a 304 it is 0, and says nothing.
		if n, err := strconv.ParseInt(sized[0], 10, 64); err == nil && n >= 0 {
			head.Length = n
		}
	}
	delete(res.Header, "Content-Length")
	for name := range res.Trailer {
		if trailerField(name) && httpguts.ValidHeaderFieldName(name) {
			head.Trailer = append(head.Trailer, name)
		}
	}
	for name := range res.Header {
		if !httpguts.ValidHeaderFieldName(name) { // net/http reads it, and leaves it out of what it writes
			delete(res.Header, name)
		}
	}
	head.Fields, err = appendFields(nil, res.Header)
	return head, err
}
