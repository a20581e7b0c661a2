package balancer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"

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
}

// errHead says that a head cannot travel as an event; the request stays here.
var errHead = errors.New("the head is too large for an event")

// packMessage makes an event's body from a head and the first bytes that
// follow it: the head's length as a varint, the head, the bytes.
func packMessage(head any, first []byte) ([]byte, error) {
	packed, err := channel.Pack(head)
	if err != nil {
		return nil, err
	}
	if len(packed) > maxHead {
		return nil, errHead
	}
	b := make([]byte, 0, binary.MaxVarintLen32+len(packed)+len(first))
	b = binary.AppendUvarint(b, uint64(len(packed)))
	return append(append(b, packed...), first...), nil
}

// unpackMessage reads what packMessage wrote. first is a part of body.
func unpackMessage(body []byte, head any) (first []byte, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > maxHead || n > uint64(len(body)-size) {
		return nil, errors.New("the head does not fit into the event")
	}
	packed := body[size : size+int(n)]
	return body[size+int(n):], channel.Unpack(packed, head)
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
	for _, f := range fields {
		if !httpguts.ValidHeaderFieldName(f.Name) || !httpguts.ValidHeaderFieldValue(f.Value) {
			return nil, fmt.Errorf("field %.40q is not valid HTTP", f.Name)
		}
		name := http.CanonicalHeaderKey(f.Name)
		if hopByHop[name] && name != "Te" || name == "Content-Length" {
			return nil, fmt.Errorf("field %s has no place in an event", name)
		}
		header[name] = append(header[name], f.Value)
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
