package balancer

import (
	"net/http"
	"strings"

	"kecho/channel"
)

// answerBytes is a peer's answer as the client is written it: what is checked is
// the same as where it becomes a header.
type answerBytes struct {
	text  []byte // the lines of the fields, and then the body
	lines int    // bytes of the fields
	dated bool   // Date is among them
}

// unpackAnswerBytes reads an answer whose body is whole as bytes. It reports
// false where it is not to go as bytes; bare says that it has no body.
func (b *Balancer) unpackAnswerBytes(n *news, body []byte, bare bool) bool {
	packed, first, err := cutMessage(body)
	if err != nil || len(first) > maxChunk {
		return false
	}
	announced, _ := b.announces()
	u := channel.NewUnpacker(packed)
	n.head.Status = int(u.Int())
	p := make([]byte, 0, len(body)+guestRoom)
	dated := false
	for range u.List() {
		u.Struct(2)
		name, value := u.Text(), u.Text()
		if !isToken(name) || !isFieldValue(value) {
			return false
		}
		switch kindOfName(name) {
		case ofHop, ofConnection, asksMore, announces, codes, sizes:
			return false
		case identifies: // ours stands alone
			continue
		case dates:
			dated = true
		}
		if !isNamed(name, announced) {
			p = appendField(p, name, value)
		}
	}
	n.head.readRest(&u)
	h := n.head
	switch {
	case u.End() != nil, !h.Fin, len(h.Trailer) > 0, h.Status < 200, h.Status > 999:
		return false
	case bare || h.Status == http.StatusNoContent || h.Status == http.StatusNotModified:
		if len(first) > 0 || h.Length < -1 {
			return false
		}
	case h.Length != int64(len(first)):
		return false
	}
	n.bytes = answerBytes{text: append(p, first...), lines: len(p), dated: dated}
	return true
}

// unfold makes a header of an answer that came as bytes, and its body that of c.
func (n *news) unfold(c *call) {
	n.header = make(http.Header)
	lines := string(n.bytes.text[:n.bytes.lines])
	for line := range strings.SplitSeq(lines, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok { // the last is empty
			n.header[name] = append(n.header[name], value)
		}
	}
	_ = c.in.push(chunk{data: n.bytes.text[n.bytes.lines:], fin: true}) // it fits: it was in one event
}
