package balancer

import "net/http"

// kind is what a field is to who passes messages on.
type fieldKind uint8

const (
	endToEnd      fieldKind = iota // passed on
	ofHop                          // belongs to one connection: left out
	ofConnection                   // Connection: says which others do
	asksMore                       // belongs to one connection, and asks it for more than an answer
	announces                      // Trailer
	codes                          // Transfer-Encoding
	sizes                          // Content-Length
	hosts                          // Host
	speaksFor                      // of the one before the sender: Forwarded and X-Forwarded-*
	speaksOfFor                    // X-Forwarded-For
	speaksOfHost                   // X-Forwarded-Host
	speaksOfProto                  // X-Forwarded-Proto
	passedBy                       // Via
	passedHow                      // Proxy-Status and Server-Timing
	identifies                     // X-Request-Id
	expects                        // Expect
	urges                          // Priority
	repeats                        // Idempotency-Key
	dates                          // Date
	opens                          // Content-Type
)

// fieldKinds of fields, by their names in lower case; any other is passed on. What
// belongs to one connection is RFC 9110 §7.6.1's, and what old programs still
// send of RFC 2616's.
var fieldKinds = map[string]fieldKind{
	"connection":          ofConnection,
	"proxy-connection":    ofHop,
	"keep-alive":          ofHop,
	"proxy-authenticate":  ofHop,
	"proxy-authorization": ofHop,
	"te":                  asksMore,
	"upgrade":             asksMore,
	"http2-settings":      asksMore,
	"trailer":             announces,
	"transfer-encoding":   codes,
	"content-length":      sizes,
	"host":                hosts,
	"forwarded":           speaksFor,
	"x-forwarded-for":     speaksOfFor,
	"x-forwarded-host":    speaksOfHost,
	"x-forwarded-proto":   speaksOfProto,
	"via":                 passedBy,
	"proxy-status":        passedHow,
	"server-timing":       passedHow,
	"x-request-id":        identifies,
	"expect":              expects,
	"priority":            urges,
	"idempotency-key":     repeats,
	"date":                dates,
	"content-type":        opens,
}

// hopByHop are the fields that belong to one connection, by their canonical
// names.
var hopByHop = func() map[string]bool {
	hops := make(map[string]bool)
	for name, k := range fieldKinds {
		switch k {
		case ofHop, ofConnection, asksMore, announces, codes:
			hops[http.CanonicalHeaderKey(name)] = true
		}
	}
	return hops
}()

const longestKind = 20 // bytes of a name that is looked up: those that framing keeps

// kindOf is what the field is whose name, in lower case, begins with text and
// has n bytes.
func kindOf(text []byte, n int) fieldKind {
	if n <= min(len(text), longestKind) {
		if k := fieldKinds[string(text[:n])]; k != endToEnd {
			return k
		}
	}
	if n > len(forwardedPrefix) && string(text[:len(forwardedPrefix)]) == forwardedPrefix {
		return speaksFor
	}
	return endToEnd
}

const forwardedPrefix = "x-forwarded-"

// span is a part of a head: where it begins and ends, from the head's first
// byte.
type span struct{ from, to int32 }

// mark is a field of a head. Its value may have space around it.
type mark struct {
	name, value span
	kind        fieldKind
}

// marks are where the parts of a head are. A framing notes them as it follows
// the head, so that who reads the head has no rules of its own.
type marks struct {
	method, target span
	fields         []mark
}

// noteField begins a field at this byte.
func (f *framing) noteField() {
	if m := f.marks; m != nil && !f.inBody {
		m.fields = append(m.fields, mark{name: span{from: int32(f.size)}})
	}
}

// noteName ends the field's name, i bytes from here, with a colon.
func (f *framing) noteName(i int) {
	if m := f.marks; m != nil && !f.inBody {
		field := &m.fields[len(m.fields)-1]
		field.name.to, field.value.from = int32(f.size+i), int32(f.size+i+1)
		field.kind = kindOf(f.text[:], f.textLen)
	}
}

// noteValue ends the field, i bytes from here.
func (f *framing) noteValue(i int) {
	if m := f.marks; m != nil && !f.inBody {
		m.fields[len(m.fields)-1].value.to = int32(f.size + i)
	}
}
