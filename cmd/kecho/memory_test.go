package main

import (
	"math"
	"testing"
)

func TestHeapLimit(t *testing.T) {
	for limit, want := range map[uint64]int64{64 << 20: 60397974, 1 << 30: 966367638, math.MaxUint64: math.MaxInt64 / 10 * 9} {
		if got := heapLimit(limit); got != want {
			t.Errorf("of %d: %d, want %d", limit, got, want)
		}
	}
}
