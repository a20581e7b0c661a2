// Package wasm runs filters that are WebAssembly modules.
//
// # Vocabulary
//
// A module is compiled once. An instance is one copy of its memory, used by
// one event at a time. spec.md has the exports of a module and how an event
// and its sinks lie in memory; examples/filter-wasm is one in Go.
//
// # Use
//
//	c := wasm.New(wasm.Config{})
//	program, err := c.Compile(dynamic.Out, module)
//
// A Compiler goes into dynamic.Config.Compilers.
//
// # Concurrency
//
// A Compiler is immutable; its programs may be run by any number of
// goroutines. A program has as many instances as ran at once, up to
// Config.Instances; beyond, a run waits for one within its time limit. This is
// the one filter that can hold up the goroutine that submits or receives, by
// twice the time limit and the start of an instance at most. Compiling a
// megabyte takes a second, on the caller's goroutine; it checks that the module
// starts.
//
// # Limits
//
// spec.md has the table. A module gets no files, network, clock or arguments.
// It is cut off by the machine's time, not by the clock of a test.
//
// # Testing
//
// The tests put modules together by hand and build the example with the Go
// toolchain, which takes some seconds: -short leaves it out.
package wasm
