//go:build race

package expression

// racing says that the race detector runs: sync.Pool then forgets at random,
// so that allocations cannot be counted.
const racing = true
