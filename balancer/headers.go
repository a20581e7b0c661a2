package balancer

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
	"time"
)

// rewriter makes the fields that this node sends on from those that a client
// sent. Its methods may be called by many goroutines at once.
type rewriter struct {
	by                 string         // how this node calls itself
	via11, via10, via2 string         // and in Via
	ours               []string       // Via of an answer; not to be written into
	trusted            []netip.Prefix // whose X-Forwarded-* and Forwarded are believed
}

// newRewriter makes a rewriter for the node called name. What a client says
// about whom it speaks for is believed only when its address is in trusted.
func newRewriter(name string, trusted []netip.Prefix) *rewriter {
	by := pseudonym(name)
	via := "1.1 " + by
	return &rewriter{by: by, via11: via, via10: "1.0 " + by, via2: "2 " + by, ours: []string{via}, trusted: trusted}
}

// pseudonym is what stands for the node called name in Via: a token, so
// whatever a token cannot hold is a dash.
func pseudonym(name string) string {
	return "kecho-" + strings.Map(func(c rune) rune {
		if c < 0x80 && tokenByte[byte(c)] {
			return c
		}
		return '-'
	}, name)
}

// outbound is the field list of r for the web server or for a peer: end-to-end
// fields only, with this node's own added. The map is new, so the caller may
// change it; the slices in it may be r's, so they may be replaced but not
// written into. Content-Length is not in it: the length travels beside it.
func (h *rewriter) outbound(r *http.Request) http.Header {
	out := make(http.Header, len(r.Header)+5)
	believed := h.believes(r.RemoteAddr)
	for name, values := range r.Header {
		if hopByHop[name] || name == "Content-Length" || !believed && forwardedField(name) {
			continue
		}
		out[name] = values
	}
	removeNamed(out, r.Header["Connection"])
	if listHas(r.Header["Te"], "trailers") {
		out["Te"] = []string{"trailers"}
	}
	values := make([]string, 5) // one allocation for what nearly every request gets
	addForwarded(out, r, believed, values[:3])
	if via := h.via(r.ProtoMajor, r.ProtoMinor); out["Via"] != nil {
		out["Via"] = with(out["Via"], via)
	} else {
		out["Via"] = single(values[3:], via)
	}
	if id := out["X-Request-Id"]; len(id) != 1 || !saneID(id[0]) {
		out["X-Request-Id"] = single(values[4:], newRequestID())
	}
	return out
}

// via is this node's entry for a message that came in with that version.
func (h *rewriter) via(major, minor int) string {
	switch {
	case major == 1 && minor == 1:
		return h.via11
	case major == 1:
		return h.via10
	}
	return h.via2
}

// believes says whether what a sender with that address writes about its own
// clients counts.
func (h *rewriter) believes(remote string) bool {
	if len(h.trusted) == 0 {
		return false
	}
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := from.Addr().Unmap().WithZone("")
	for _, p := range h.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// addForwarded says for whom the request is sent on. Where the sender is
// believed, its words stand before ours; otherwise they are gone already. room
// is three strings for the values.
func addForwarded(out http.Header, r *http.Request, believed bool, room []string) {
	client := hostOf(r.RemoteAddr)
	proto := "http"
	if encrypted(r) {
		proto = "https"
	}
	if r.Host != "" && !(believed && out["X-Forwarded-Host"] != nil) {
		out["X-Forwarded-Host"] = single(room, r.Host)
	}
	if !(believed && out["X-Forwarded-Proto"] != nil) {
		out["X-Forwarded-Proto"] = single(room[1:], proto)
	}
	if client == "" || client == "@" {
		return
	}
	if before := out["X-Forwarded-For"]; len(before) > 0 {
		client = strings.Join(before, ", ") + ", " + client
	}
	out["X-Forwarded-For"] = single(room[2:], client)
}

// hostOf is the host of an address that may have a port.
func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}

// single is a field's only value, in the first place of room.
func single(room []string, value string) []string {
	room[0] = value
	return room[:1:1]
}

// forwardedField says whether name speaks of the one before the sender.
func forwardedField(name string) bool {
	return name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-")
}

// inbound leaves only the end-to-end fields of an answer in header.
func inbound(header http.Header) {
	removeNamed(header, header["Connection"])
	for name := range header {
		if hopByHop[name] {
			delete(header, name)
		}
	}
}

// loops counts how often the node called name stands in Via: more than none
// says that the request has been here before.
func loops(header http.Header, name string) int {
	via := header["Via"]
	if len(via) == 0 {
		return 0
	}
	by, n := pseudonym(name), 0
	for _, line := range via {
		for entry := range strings.SplitSeq(line, ",") {
			words := strings.Fields(entry)
			if len(words) >= 2 && words[1] == by {
				n++
			}
		}
	}
	return n
}

// removeNamed deletes the fields that the values of Connection name.
func removeNamed(header http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				header.Del(name)
			}
		}
	}
}

// listHas says whether the comma-separated lists hold the token, in any case.
func listHas(lines []string, token string) bool {
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(textproto.TrimString(entry), token) {
				return true
			}
		}
	}
	return false
}

// with is values and one more, in a slice of its own.
func with(values []string, more string) []string {
	out := make([]string, 0, len(values)+1)
	return append(append(out, values...), more)
}

// saneID says whether a client's request id may be kept: 1 to 128 printable
// characters, no spaces.
func saneID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return true
}

// newRequestID is newUUID as a string.
func newRequestID() string {
	text := newUUID()
	return string(text[:])
}

// newUUID is a UUID of version 7 (RFC 9562): it sorts by time.
func newUUID() (text [36]byte) {
	var id [16]byte
	rand.Read(id[6:]) // never fails: crypto/rand ends the process instead
	ms := time.Now().UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return text
}
