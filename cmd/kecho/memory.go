package main

import (
	"context"
	"log/slog"
	"math"
	"runtime/debug"

	"kecho/resmgr/monitor/host"
)

// limitMemory has the garbage collector know the container's memory limit,
// unless GOMEMLIMIT says another. Near it memory is collected sooner, and below
// it nothing is different.
func limitMemory(ctx context.Context, log *slog.Logger) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	if limit := host.New(host.Config{Logger: log}).Size(ctx).Limit; limit > 0 {
		debug.SetMemoryLimit(heapLimit(limit))
		log.Debug("the garbage collector keeps to the container's limit", "limit", limit, "heap", heapLimit(limit))
	}
}

// heapLimit leaves a tenth of a container's limit to what Go does not count:
// the program itself, and the kernel's part in its sockets.
func heapLimit(limit uint64) int64 { return int64(min(limit, math.MaxInt64) / 10 * 9) }
