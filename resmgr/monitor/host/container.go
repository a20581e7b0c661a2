package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// Container is what could be read of the control groups that this process is
// in: its own and all above it that can be seen. A share is of the tightest
// limit: each group's own use, with that of all below it, over its own limit,
// and the worst of them. Without a limit there is nothing to be full of, and
// the share is absent.
type Container struct {
	// CPU is the fraction, 0 to 1, of the quota (or of the CPUs of the cpuset,
	// if they are fewer than the machine's) that was used since the previous
	// Read.
	CPU float64
	// Throttled is the fraction, 0 to 1, of the quota's periods since the
	// previous Read in which it was used up and everything stood still.
	Throttled float64
	// Memory is the fraction of the limit, 0 to 1, that is in use and not file
	// pages that the kernel may drop (inactive_file).
	Memory float64

	// HasCPU, HasThrottled and HasMemory say which of them there are.
	HasCPU, HasThrottled, HasMemory bool
}

// container reads them.
type container struct {
	groups
	now func() time.Time

	// CPU time that groups had used, in seconds, at the time at.
	at   time.Time
	used map[string]float64
	// What groups had been throttled by before.
	periods map[string]periods
}

// window is the shortest time that CPU use is measured over: a quota's usual
// period, within which it may all be used in one go.
const window = 100 * time.Millisecond

// limit is how many CPUs' time a group may have.
type limit struct {
	cpus  float64
	level int // of groups.cpu.dirs
}

// readCPU is errNoValue when there is no limit.
func (c *container) readCPU(context.Context) (float64, error) {
	limits, err := c.limits(c.cpusetLimit)
	if err != nil || len(limits) == 0 {
		c.used = nil
		return 0, noValue(err)
	}
	now := c.now()
	elapsed := now.Sub(c.at)
	if c.used != nil && elapsed >= 0 && elapsed < window {
		return 0, errNoValue // the window goes on
	}
	before := c.used
	c.at, c.used = now, make(map[string]float64)
	worst := -1.0
	for _, l := range limits {
		dir, used, err := c.usedBy(l.level)
		if err != nil {
			c.used = nil
			return 0, err
		}
		c.used[dir] = used
		if then, ok := before[dir]; ok && used >= then && elapsed > 0 {
			worst = max(worst, min((used-then)/elapsed.Seconds()/l.cpus, 1))
		}
	}
	if worst < 0 {
		return 0, errNoValue
	}
	return worst, nil
}

// noValue is err, or that there is nothing to say.
func noValue(err error) error {
	if err == nil {
		return errNoValue
	}
	return err
}

// limits are the quotas of the process's groups, and what own says of its own.
func (c *container) limits(own func() (float64, error)) ([]limit, error) {
	if err := c.find(); err != nil {
		return nil, err
	}
	cpus, err := own()
	if err != nil {
		return nil, err
	}
	var limits []limit
	if cpus > 0 {
		limits = append(limits, limit{cpus, 0})
	}
	for level, dir := range c.cpu.dirs {
		cpus, err := quota(dir, c.cpu.v2)
		if err != nil {
			return nil, err
		}
		if cpus > 0 {
			limits = append(limits, limit{cpus, level})
		}
	}
	return limits, nil
}

// quota is a group's, in CPUs; 0: none.
func quota(dir string, v2 bool) (cpus float64, err error) {
	if !v2 {
		q, ok, err := groupNumber(dir, "cpu.cfs_quota_us")
		period, okPeriod, errPeriod := groupNumber(dir, "cpu.cfs_period_us")
		if !ok || !okPeriod || period == 0 {
			return 0, errors.Join(err, errPeriod)
		}
		return q / period, nil
	}
	text, ok, err := groupFile(dir, "cpu.max")
	if err != nil || !ok || strings.HasPrefix(text, "max") {
		return 0, err
	}
	var q, period float64
	if n, _ := fmt.Sscanf(text, "%g %g", &q, &period); n != 2 || !(q > 0 && period > 0) || math.IsInf(q, 0) {
		return 0, absurdFile(dir, "cpu.max", text)
	}
	return q / period, nil
}

// cpusetLimit is how many CPUs the process's own cpuset has; 0 when it has all
// of the machine's. In version 2 a group without one has that of the next
// above.
func (c *container) cpusetLimit() (float64, error) {
	name := "cpuset.effective_cpus"
	if c.cpuset.v2 {
		name = "cpuset.cpus.effective"
	}
	online, _, err := groupFile(filepath.Join(c.sys, "devices/system/cpu"), "online")
	if err != nil {
		return 0, err
	}
	machine, err := cpuList(online)
	if err != nil {
		return 0, err
	}
	for _, dir := range c.cpuset.dirs {
		list, ok, err := groupFile(dir, name)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		cpus, err := cpuList(list)
		if err != nil || cpus == machine {
			return 0, err
		}
		return float64(cpus), sameGroup(c.cpuset, c.cpu)
	}
	return 0, nil
}

// usedBy is the CPU time, in seconds, that the group at a level has used with
// all below it, and the directory that says so.
func (c *container) usedBy(level int) (dir string, seconds float64, err error) {
	if err := sameGroup(c.cpu, c.usage); err != nil {
		return "", 0, err
	}
	dir = c.usage.dirs[level]
	if !c.usage.v2 {
		ns, ok, err := groupNumber(dir, "cpuacct.usage")
		if !ok {
			err = errors.Join(err, absurdFile(dir, "cpuacct.usage", ""))
		}
		return dir, ns / 1e9, err
	}
	stat, ok, err := groupStat(dir, "cpu.stat", "usage_usec")
	if !ok {
		return dir, 0, errors.Join(err, absurdFile(dir, "cpu.stat", ""))
	}
	return dir, stat[0] / 1e6, nil
}

// periods are a quota's since its group was made.
type periods struct{ all, throttled float64 }

// readThrottled is errNoValue when there is no quota. A quota that nobody
// touched had no periods: nothing was throttled.
func (c *container) readThrottled(context.Context) (float64, error) {
	limits, err := c.limits(func() (float64, error) { return 0, nil })
	if err != nil || len(limits) == 0 {
		c.periods = nil
		return 0, noValue(err)
	}
	before := c.periods
	c.periods = make(map[string]periods)
	worst := -1.0
	for _, l := range limits {
		dir := c.cpu.dirs[l.level]
		stat, ok, err := groupStat(dir, "cpu.stat", "nr_periods", "nr_throttled")
		if !ok {
			c.periods = nil
			return 0, errors.Join(err, absurdFile(dir, "cpu.stat", ""))
		}
		now := periods{stat[0], stat[1]}
		c.periods[dir] = now
		if then, ok := before[dir]; ok && now.all >= then.all && now.throttled >= then.throttled {
			worst = max(worst, min((now.throttled-then.throttled)/max(now.all-then.all, 1), 1))
		}
	}
	if worst < 0 {
		return 0, errNoValue
	}
	return worst, nil
}

// readMemory is errNoValue when there is no limit.
func (c *container) readMemory(context.Context) (float64, error) {
	if err := c.find(); err != nil {
		return 0, err
	}
	names := memoryV1
	if c.memory.v2 {
		names = memoryV2
	}
	worst := -1.0
	for level, dir := range c.memory.dirs {
		most, ok, err := names.limit(dir, level == 0)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		share, err := names.share(dir, most)
		if err != nil {
			return 0, err
		}
		worst = max(worst, share)
	}
	if worst < 0 {
		return 0, errNoValue
	}
	return worst, nil
}

// memoryFiles are the names of a group's files and keys.
type memoryFiles struct{ max, current, inactive, above string }

var (
	memoryV2 = memoryFiles{"memory.max", "memory.current", "inactive_file", ""}
	memoryV1 = memoryFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "hierarchical_memory_limit"}
)

// limit is a group's, in bytes. Version 1 also tells the process's own group
// of the tightest above it, which matters where those cannot be seen.
func (f memoryFiles) limit(dir string, own bool) (bytes float64, ok bool, err error) {
	bytes, ok, err = groupNumber(dir, f.max)
	if err != nil || f.above == "" || !own {
		return bytes, ok, err
	}
	stat, has, err := groupStat(dir, "memory.stat", f.above)
	if err != nil || !has || stat[0] >= unlimited {
		return bytes, ok, err
	}
	if ok {
		return min(bytes, stat[0]), true, nil
	}
	return stat[0], true, nil
}

// share is what a group uses of most bytes.
func (f memoryFiles) share(dir string, most float64) (float64, error) {
	current, ok, err := groupNumber(dir, f.current)
	stat, okStat, errStat := groupStat(dir, "memory.stat", f.inactive)
	if !ok || !okStat {
		return 0, errors.Join(err, errStat, absurdFile(dir, f.current, ""))
	}
	if most == 0 {
		return 1, nil
	}
	return min(max(current-stat[0], 0)/most, 1), nil
}
