package wasm

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/experimental"
)

// memory is that of one instance. It is kecho's own, not the runtime's, because
// that tells nobody what it has refused: a module that gets no more may fail in
// any way.
type memory struct {
	most    int
	bytes   []byte
	refused uint64 // how much was wanted in vain since forgive
}

var _ experimental.LinearMemory = (*memory)(nil)

// within has the module that is started with ctx use m.
func (m *memory) within(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return m }))
}

// Reallocate is experimental.LinearMemory's; nil: so much there is not.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(m.most) {
		m.refused = size
		return nil
	}
	m.bytes = append(m.bytes, make([]byte, int(size)-len(m.bytes))...)
	return m.bytes
}

// Free is experimental.LinearMemory's.
func (m *memory) Free() { m.bytes = nil }

func (m *memory) forgive() { m.refused = 0 }

// blame is err, and what was refused before it.
func (m *memory) blame(err error) error {
	if err == nil || m.refused == 0 {
		return err
	}
	return fmt.Errorf("it wanted %d bytes of memory, at most %d: %w", m.refused, m.most, err)
}
