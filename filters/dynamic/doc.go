// Package dynamic puts filters on channels while they run: it compiles them
// from text or modules, swaps them between two events, counts what they do and
// cuts a failing one off.
//
// # Vocabulary
//
// A Spec is what an operator writes: the kind of a filter and its source. A
// Compiler makes a Program of the source of one kind; Stock, here, compiles
// the stock filters by name and parameters, and packages below filters compile
// other kinds. A Place is where a filter can be put: a channel's IN or OUT. A
// revision is one Program at one Place; its number is never used again in the
// life of a Runtime. The fallback of a Place says what becomes of an event
// whose filter failed: it passes as if there were no filter, or is dropped.
//
// # Use
//
//	stock := dynamic.NewStock(dynamic.StockConfig{Zone: "a"})
//	run := dynamic.New(dynamic.Config{Compilers: map[string]dynamic.Compiler{"stock": stock}})
//	run.Attach(dynamic.Place{Channel: "work", Direction: dynamic.Out, Set: work.SetOut})
//	info, err := run.Put("work", dynamic.Out, dynamic.Spec{
//		Kind: "stock", Source: []byte("remote | fresh | least-loaded n=2"),
//	})
//
// Test compiles a Spec and runs it once on an event and sinks that are given,
// without touching a channel.
//
// A channel whose filters are its owner's (the balancer's, the resource
// manager's) is not attached as it is: its Set would replace what keeps requests
// and leases safe. The owner gives a Set that has the filter see less, and only
// narrow.
//
// # Concurrency
//
// Every method may be called from any goroutine. An event finishes with the
// revision that it began with; the Program of a revision is closed when the
// revision is replaced and its last event has left, on the goroutine of that
// event. Filters take no lock: entering and leaving one is two atomic
// operations. Set, Compile and Close are called outside the Runtime's lock;
// changes of one place wait for each other.
//
// # Limits
//
// A Runtime has as many revisions as places. A filter that failed 3 times in a
// row rests for a second, in which the fallback decides, and then is tried
// again: a module that spins costs its time limit once a second, not at every
// event. What one run may cost is each Compiler's to bound. A stock filter's
// source has at most 4 KiB.
//
// # Testing
//
// The tests use programs of their own and channels over channeltest.
package dynamic
