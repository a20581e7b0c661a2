// Command filter-wasm is an OUT-filter as a WebAssembly module
// (filters/wasm/spec.md): of the sinks that are not this node it keeps the two
// with the most free GPUs, by their attribute "gpu".
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o gpu.wasm ./examples/filter-wasm
package main
