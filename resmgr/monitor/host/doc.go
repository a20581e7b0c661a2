// Package host reads how busy this machine is, through gopsutil, and how full
// the container that this process is in, from its control groups.
//
// # Vocabulary
//
// A feed is one thing that is read: CPU, memory, load average, and the
// container's. A Sample is what the feeds said at one time. A feed that cannot
// be read, or whose figures cannot be true, is absent from the sample, never
// zero: zero would say that an idle machine is here for others to use.
//
// There are two scopes. gopsutil shows the machine's figures in a container
// too: in a control group at 93 % of its half CPU it showed two nearly idle
// CPUs and 24 GB. So the second scope are the control groups, versions 1 and 2,
// or both side by side: CPU time used against the quota, CPUs of the cpuset if
// they are fewer than the machine's, the share of periods that were throttled,
// and memory without inactive file pages against its limit. Limits bind from
// above too, and what siblings use counts there, so every group from the
// process's own upwards is measured by its own limit, and the fullest one is
// what is said. Without a limit the container's shares are absent; the log does
// not mention that. What counts is the worse of both scopes: WorseCPU and
// WorseMemory.
//
// Pressure (PSI) is the share of the time in which tasks stood still because
// CPUs, memory or disks were short. The kernel can also say the moment that it
// has been much: Triggers wait for that, so that a reading need not.
//
// # Use
//
//	reader := host.New(host.Config{Logger: log})
//	for range ticks {
//		sample, err := reader.Read(ctx)
//		...
//		if cpu, ok := sample.WorseCPU(); ok { ... }
//	}
//
//	triggers := host.NewTriggers(host.TriggersConfig{})
//	go triggers.Run(ctx, func(resource string) { readNow() })
//
// # Concurrency
//
// A Reader has no goroutines and no lock; it belongs to the one goroutine that
// reads it, for "since the previous Read" has no meaning with two. A Read
// takes about as long as reading six small files of /proc, one more for the
// control groups, and half a dozen for each group. Triggers.Run has one thread,
// which sleeps in the kernel, and calls back from it.
//
// # Limits
//
// CPU needs two Reads, at least a tick of the kernel's clock (10 ms) apart,
// because gopsutil counts what the kernel counts; the container's need 100 ms,
// a quota's usual period. A feed's failure is logged when it begins and when it
// ends, not in between.
//
// The kernel may have no PSI, or not for this process; then there is no
// pressure, which the log does not mention, and no triggers, which it does,
// once. Who is not privileged may have windows of 2 s and multiples of it only.
// The first event after arming can be false, so the total is looked at before
// one is believed.
//
// Groups above what is mounted here cannot be seen, nor can their limits,
// except for memory's in version 1. memory.high and swap are not looked at.
// Where version 1 has the process in different groups for cpu and cpuacct, CPU
// time of the one is not held against the quota of the other: the share is
// absent.
//
// The tests read recorded trees of /proc and /sys (testdata) and go on writing
// them; e2e has an agent in a real control group.
package host
