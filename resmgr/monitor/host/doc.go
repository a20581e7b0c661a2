// Package host reads how busy this machine is, through gopsutil.
//
// # Vocabulary
//
// A feed is one thing that is read: CPU, memory, load average. A Sample is
// what the feeds said at one time. A feed that cannot be read, or whose
// figures cannot be true, is absent from the sample, never zero: zero would
// say that an idle machine is here for others to use.
//
// The figures are the machine's, not the container's. In a control group at
// 93 % of its half CPU gopsutil showed two nearly idle CPUs and 24 GB, so in a
// container the balancer's own in-flight and queue must say more than these.
//
// # Use
//
//	reader := host.New(host.Config{Logger: log})
//	for range ticks {
//		sample, err := reader.Read(ctx)
//		...
//		if sample.HasCPU { ... }
//	}
//
// # Concurrency
//
// A Reader has no goroutines and no lock; it belongs to the one goroutine that
// reads it, for "since the previous Read" has no meaning with two. A Read
// takes about as long as reading three small files of /proc.
//
// # Limits
//
// CPU needs two Reads, at least a tick of the kernel's clock (10 ms) apart,
// because gopsutil counts what the kernel counts. A feed's failure is logged
// when it begins and when it ends, not in between.
//
// The tests feed gopsutil with files in a proc directory of their own.
package host
