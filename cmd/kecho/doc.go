// Command kecho runs and watches the node agents of a cluster of web servers.
//
// main.go has main and nothing else; app.go has the command tree and run,
// which is main with everything handed in; usage.go turns what somebody typed
// wrongly into one line and a hint; output.go prints tables and JSON. Each
// subcommand has a file. Package demo is what `kecho demo` is made of.
//
// # Vocabulary
//
// Data goes to standard output, everything else to standard error. Exit codes
// are those of package api's table of errors.
//
// # Concurrency
//
// One command runs at a time. Only agent, demo, demo web and lease run start
// goroutines of their own, and have ended them when they return.
//
// # Limits
//
// A command that asks an agent gives up after --timeout (5 s; status --wait:
// 30 s).
//
// `kecho lease run` needs its agent to renew: tenure.go says when it gives up.
// Only on Linux does its clock run while the machine sleeps, and does the command
// die with it when it is killed.
//
// The tests are sessions under testdata/script, which run the command in a
// process of its own; script_test.go has the words that they know.
package main
