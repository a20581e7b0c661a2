package balancer

import "kecho/channel"

// Heads as they travel: what channel.Pack makes of the structs, and Unpack of
// that, by hand, since they are on the path of every request that moves.

// packer is a head.
type packer interface {
	pack(b []byte) []byte
	read(u *channel.Unpacker)
}

// The fields of each head.
const (
	requestFields = 16
	answerFields  = 6
)

// beginRequest appends what comes before that many fields.
func beginRequest(b []byte, method string, target, host []byte, fields int) []byte {
	b = channel.AppendList(b, requestFields)
	b = channel.AppendText(b, method)
	b = channel.AppendText(b, target)
	b = channel.AppendText(b, host)
	return channel.AppendList(b, fields)
}

func (h *requestHead) pack(b []byte) []byte {
	b = channel.AppendList(b, requestFields)
	b = channel.AppendText(b, h.Method)
	b = channel.AppendText(b, h.Target)
	b = channel.AppendText(b, h.Host)
	b = appendPacked(b, h.Fields)
	return h.appendRest(b)
}

// appendRest appends what follows the fields.
func (h *requestHead) appendRest(b []byte) []byte {
	b = channel.AppendInt(b, h.Length)
	b = channel.AppendBool(b, h.Fin)
	b = channel.AppendInt(b, h.Window)
	b = appendNames(b, h.Trailer)
	b = channel.AppendInt(b, h.Epoch)
	b = channel.AppendInt(b, h.Age)
	b = channel.AppendInt(b, h.MaxWait)
	b = channel.AppendBool(b, h.Claimed)
	b = channel.AppendInt(b, h.Class)
	b = channel.AppendBool(b, h.Tied)
	b = channel.AppendBool(b, h.Offered)
	return channel.AppendText(b, h.Upgrade)
}

func (h *requestHead) read(u *channel.Unpacker) {
	h.Method, h.Target, h.Host = u.String(), u.String(), u.String()
	h.Fields = readFields(u)
	h.readRest(u)
}

// readRest reads what follows the fields.
func (h *requestHead) readRest(u *channel.Unpacker) {
	h.Length, h.Fin, h.Window = u.Int(), u.Bool(), u.Int()
	h.Trailer = readNames(u)
	h.Epoch, h.Age, h.MaxWait = u.Int(), u.Int(), u.Int()
	h.Claimed, h.Class, h.Tied, h.Offered = u.Bool(), u.Int(), u.Bool(), u.Bool()
	h.Upgrade = u.String()
}

// begin appends what comes before that many fields.
func (h *answerHead) begin(b []byte, fields int) []byte {
	b = channel.AppendList(b, answerFields)
	b = channel.AppendInt(b, int64(h.Status))
	return channel.AppendList(b, fields)
}

func (h *answerHead) pack(b []byte) []byte {
	b = channel.AppendList(b, answerFields)
	b = channel.AppendInt(b, int64(h.Status))
	b = appendPacked(b, h.Fields)
	return h.appendRest(b)
}

// appendRest appends what follows the fields.
func (h *answerHead) appendRest(b []byte) []byte {
	b = channel.AppendInt(b, h.Length)
	b = channel.AppendBool(b, h.Fin)
	b = appendNames(b, h.Trailer)
	return channel.AppendInt(b, h.Window)
}

func (h *answerHead) read(u *channel.Unpacker) {
	h.Status = int(u.Int())
	h.Fields = readFields(u)
	h.readRest(u)
}

// readRest reads what follows the fields.
func (h *answerHead) readRest(u *channel.Unpacker) {
	h.Length, h.Fin = u.Int(), u.Bool()
	h.Trailer = readNames(u)
	h.Window = u.Int()
}

func appendPacked(b []byte, fields []field) []byte {
	if fields == nil {
		return channel.AppendNil(b)
	}
	b = channel.AppendList(b, len(fields))
	for i := range fields {
		b = appendPair(b, fields[i].Name, fields[i].Value)
	}
	return b
}

// appendPair appends one of a list of fields.
func appendPair[T string | []byte](b []byte, name, value T) []byte {
	b = channel.AppendList(b, 2)
	b = channel.AppendText(b, name)
	return channel.AppendText(b, value)
}

func readFields(u *channel.Unpacker) []field {
	n := u.List()
	if n == 0 {
		return nil
	}
	fields := make([]field, n) // at most channel.MaxList
	for i := range fields {
		u.Struct(2)
		fields[i] = field{u.String(), u.String()}
	}
	return fields
}

func appendNames(b []byte, names []string) []byte {
	if names == nil {
		return channel.AppendNil(b)
	}
	b = channel.AppendList(b, len(names))
	for _, name := range names {
		b = channel.AppendText(b, name)
	}
	return b
}

func readNames(u *channel.Unpacker) (names []string) {
	for range u.List() {
		names = append(names, u.String())
	}
	return names
}
