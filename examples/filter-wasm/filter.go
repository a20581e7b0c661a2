//go:build wasip1

package main

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"
)

// buffer is where kecho writes events; it stays where it is until it grows.
var buffer []byte

//go:wasmexport kecho_buffer_1
func makeBuffer(size uint32) uint32 {
	if uint32(len(buffer)) < size {
		buffer = make([]byte, size)
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))))
}

// candidate is a sink that has GPUs.
type candidate struct {
	index uint32
	gpus  int64
}

//go:wasmexport kecho_filter_1
func filter(_, size uint32) int32 {
	in := reader(buffer[:size])
	head := in.take(64)
	eventAttrs, fromAttrs := u32(head[52:]), u32(head[56:])
	sinks := u32(head[60:])
	in.take(padded(u32(in.take(8))))
	for range eventAttrs + fromAttrs {
		in.attr()
	}
	var found []candidate
	for i := range sinks {
		sink := in.take(24)
		local := u32(sink[16:])&1 != 0
		for range u32(sink[20:]) {
			if name, kind, value := in.attr(); name == "gpu" && kind == 2 && value > 0 && !local {
				found = append(found, candidate{i, value})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.gpus, a.gpus) })
	found = found[:min(len(found), 2)]
	for k, c := range found {
		binary.LittleEndian.PutUint32(buffer[4*k:], c.index)
	}
	return int32(len(found))
}

// reader is what is left of the input.
type reader []byte

func (r *reader) take(n uint32) []byte {
	b := (*r)[:n]
	*r = (*r)[n:]
	return b
}

// attr reads an attribute; value is an integer's.
func (r *reader) attr() (name string, kind byte, value int64) {
	head := r.take(16)
	nameLen, textLen := uint32(head[1]), uint32(binary.LittleEndian.Uint16(head[2:]))
	texts := r.take(padded(nameLen + textLen))
	return string(texts[:nameLen]), head[0], int64(binary.LittleEndian.Uint64(head[8:]))
}

func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func padded(n uint32) uint32 { return (n + 7) &^ 7 }
