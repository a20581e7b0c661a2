package host

import (
	"context"
	"runtime"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/mem"
)

// Size is what there is to be used: the machine's, or what the limits of the
// container leave of it. What cannot be read is 0.
type Size struct {
	CPUs   float64
	Memory uint64 // bytes
	Limit  uint64 // of the container's memory, in bytes; 0: it has none
}

// Size reads it. Limits that cannot be read count as none, which is logged.
func (r *Reader) Size(ctx context.Context) Size {
	ctx = context.WithValue(ctx, common.EnvKey, r.env)
	s := Size{CPUs: float64(runtime.NumCPU())}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		s.Memory = m.Total
	} else {
		r.log.Warn("cannot read how much memory there is", "err", err)
	}
	limits, err := r.container.limits(r.container.cpusetLimit)
	if err != nil && err != errNoValue {
		r.log.Warn("cannot read the container's CPU limit", "err", err)
	}
	for _, l := range limits {
		s.CPUs = min(s.CPUs, l.cpus)
	}
	most, err := r.container.memoryLimit()
	if err != nil && err != errNoValue {
		r.log.Warn("cannot read the container's memory limit", "err", err)
	}
	s.Limit = uint64(most)
	if most > 0 && s.Memory > 0 {
		s.Memory = min(s.Memory, uint64(most))
	}
	return s
}

// memoryLimit is the tightest of the process's groups, in bytes; 0: none.
func (c *container) memoryLimit() (tightest float64, err error) {
	if err := c.find(); err != nil {
		return 0, err
	}
	names := memoryV1
	if c.memory.v2 {
		names = memoryV2
	}
	for level, dir := range c.memory.dirs {
		most, ok, err := names.limit(dir, level == 0)
		if err != nil {
			return 0, err
		}
		if ok && (tightest == 0 || most < tightest) {
			tightest = most
		}
	}
	return tightest, nil
}

// FreeDisk is how many bytes who is not root may still write to the file system
// of path.
func FreeDisk(ctx context.Context, path string) (uint64, error) {
	u, err := disk.UsageWithContext(ctx, path)
	if err != nil {
		return 0, err
	}
	return u.Free, nil
}
