package channel

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// Limits on what Unpack takes, beside those on the event that carries it.
const (
	MaxDepth = 8   // lists within lists
	MaxList  = 256 // elements of one list or map
)

// Pack encodes v, a struct without embedded ones or a pointer to one, as
// msgpack, for the body of an event that is not worth an encoder of its own.
// Structs become arrays: their fields are known by place. v's own fields may
// grow in number in a later version, at the end; those of structs within v may
// not.
func Pack(v any) ([]byte, error) {
	b := packing.Get().(*bytes.Buffer)
	defer packing.Put(b)
	b.Reset()
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(b)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("pack %T: %w", v, err)
	}
	return bytes.Clone(b.Bytes()), nil
}

// packing are buffers that Pack packs in, which grow as it goes.
var packing = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Unpack decodes into v, a pointer to a struct of fixed types, what a peer
// has packed. Fields that the peer did not send are zero, those that v does
// not have are left out. It is the only way from a peer's bytes to values
// besides the envelope and Unpacker: before msgpack/v5 sees a byte, every length in b is
// checked against what is left, because that library takes lengths on trust
// (its issues #401, #376, #381).
func Unpack(b []byte, v any) error {
	if err := scan(b); err != nil {
		return fmt.Errorf("unpack %T: %w", v, err)
	}
	b, err := fit(b, v)
	if err != nil {
		return fmt.Errorf("unpack %T: %w", v, err)
	}
	if err := msgpack.Unmarshal(b, v); err != nil {
		return fmt.Errorf("unpack %T: %w", v, err)
	}
	return nil
}

// fit is the array b, which scan has accepted, with as many elements as the
// struct that v points to has fields: msgpack/v5 insists on that. It copies
// only what does not fit.
func fit(b []byte, v any) ([]byte, error) {
	to := reflect.ValueOf(v)
	if to.Kind() != reflect.Pointer || to.Elem().Kind() != reflect.Struct {
		return nil, errors.New("not a pointer to a struct")
	}
	want := 0
	for i := range to.Elem().NumField() {
		if to.Elem().Field(i).CanSet() { // it is exported: to ask its type for that allocates
			want++
		}
	}
	r := reader{b: b}
	have := r.array()
	if r.err != nil || have == want {
		return b, r.err
	}
	end := r.b
	for range min(have, want) {
		end, _ = scanValue(end, 1) // scan has seen no error in it
	}
	fitted := appendArrayHeader(nil, want)
	fitted = append(fitted, r.b[:len(r.b)-len(end)]...)
	for range want - have {
		fitted = append(fitted, msgNil)
	}
	return fitted, nil
}
