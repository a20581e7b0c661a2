package wasm

import "encoding/binary"

// tableElements is how many elements the tables of a module have at the start.
// They would be allocated at once and no setting of the runtime bounds them: a
// module of 30 bytes can ask for a gigabyte. What is not a module's format is
// left to the compiler to refuse.
func tableElements(module []byte) uint64 {
	const tableSection = 4
	sections := module[8:]
	var total uint64
	for len(sections) > 0 {
		id := sections[0]
		size, rest, ok := number(sections[1:])
		if !ok || size > uint64(len(rest)) {
			return total
		}
		if id == tableSection {
			total += countElements(rest[:size])
		}
		sections = rest[size:]
	}
	return total
}

func countElements(section []byte) (total uint64) {
	tables, section, ok := number(section)
	for ; ok && tables > 0 && len(section) > 2; tables-- {
		bounded := section[1]&1 != 0 // section[0] is the type of the elements
		var least uint64
		if least, section, ok = number(section[2:]); !ok {
			return total
		}
		total += least
		if bounded {
			_, section, ok = number(section)
		}
	}
	return total
}

// number reads a LEB128 of 32 bits.
func number(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > 1<<32-1 {
		return 0, nil, false
	}
	return n, b[size:], true
}
