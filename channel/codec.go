package channel

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// Limits on what Unpack takes, beside those on the event that carries it.
const (
	MaxDepth = 8   // lists within lists
	MaxList  = 256 // elements of one list or map
)

// Pack encodes v as msgpack, for the body of an event that is not worth an
// encoder of its own. Structs become arrays: their fields are known by place,
// so new ones go last.
func Pack(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&b)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("pack %T: %w", v, err)
	}
	return b.Bytes(), nil
}

// Unpack decodes into v, a pointer to a struct of fixed types, what a peer
// has packed. It is the only way from a peer's bytes to values besides the
// envelope: before msgpack/v5 sees a byte, every length in b is checked
// against what is left, because that library takes lengths on trust
// (its issues #401, #376, #381).
func Unpack(b []byte, v any) error {
	if err := scan(b); err != nil {
		return fmt.Errorf("unpack %T: %w", v, err)
	}
	if err := msgpack.Unmarshal(b, v); err != nil {
		return fmt.Errorf("unpack %T: %w", v, err)
	}
	return nil
}
