package link

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
)

// Two nodes of which one has certificates and the other has not cannot link,
// and what each reads is noise in its own protocol. Both acceptors recognise
// it and answer with a plain refusal, so that both ends can say what is wrong.
var (
	errOnlyThere = &refusal{codeTLS, "that node uses --cert and this one does not: give every agent a certificate, or none"}
	errOnlyHere  = &refusal{codeTLS, "this node uses --cert and that one does not: give every agent a certificate, or none"}
)

// Mixed is that only one of two nodes has certificates, for who makes
// connections with TLS of their own; here says that it is this one. The pool
// takes it for a refusal that only another configuration changes.
func Mixed(here bool) error {
	if here {
		return errOnlyHere
	}
	return errOnlyThere
}

// Lasting is an error for Config.Dial to return when nothing but another
// configuration helps: the pool warns, and waits for RedialMax.
func Lasting(text string) error { return &refusal{codeTLS, text} }

// tlsHandshake is how a TLS connection begins: a record of the handshake, of a
// version 3.x. As a header of ours it would announce 352 MiB.
const tlsHandshake = "\x16\x03"

// skipRecord reads the rest of the TLS record that begins with header. What is
// left unread when a connection is closed resets it, and the answer with it.
func skipRecord(r io.Reader, header [headerSize]byte) error {
	_, err := io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint16(header[3:])))
	return err
}

// spokePlain reports whether err, of a TLS handshake, is that the other side
// sent a plain frame of that kind instead.
func spokePlain(err error, kind byte) bool {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil { // nil: not the first record
		return false
	}
	got, _, err := parseHeader(record.RecordHeader[:])
	return err == nil && got == kind
}
