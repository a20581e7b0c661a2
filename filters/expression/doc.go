// Package expression compiles filters that are written as one expression of
// the language of expr-lang/expr.
//
// # Vocabulary
//
// An expression is either a condition, whose true keeps every sink and whose
// false drops the event, or, for OUT-filters, a list of sinks made of sinks:
//
//	type == "job" && priority >= normal && number(event, "size", 0) < 1e6
//	sinks | filter(!.local && .load < 0.8) | sortBy(.load) | take(2)
//
// It knows the event (type, source, re: the ids of nodes as 16 hexadecimal
// digits, re empty when the event answers nothing; priority: bulk < normal <
// urgent; size: bytes of the body) and, in an OUT-filter, sinks, each with
//
//	node, local, age          id, whether it is this node, seconds since it was heard
//	name, zone                texts, empty when it does not say
//	load, capacity            as filters.LoadIn and CapacityIn; 1e6 and 1 when it does not say
//	service, weight, draining seconds (0: unknown), weight (1), whether it drains
//
// Attributes by name are read with their type from event, from (what the
// source's node says of itself) or a sink (# inside of a predicate):
//
//	number(X, NAME, DEFAULT)  an integer or a float
//	text(X, NAME, DEFAULT)    a string
//	flag(X, NAME, DEFAULT)    a boolean
//	has(X, NAME)              whether there is one, of any type
//
// An attribute that is missing or of another type is the default, never an
// error.
//
// # Use
//
//	c := expression.New(expression.Config{})
//	program, err := c.Compile(dynamic.Out, []byte(`sinks | filter(.zone == "a")`))
//
// A Compiler goes into dynamic.Config.Compilers.
//
// # How it runs
//
// An expression of comparisons, logic, in, the functions above, all, any and none
// over sinks, filter, sortBy by a number, reverse and take of a constant is
// compiled to Go closures that read the event and the sinks where they are:
// without allocation, and in a tenth of the time. Anything else in it, such as
// arithmetic or a pattern, has the language's virtual machine run the whole.
// sortBy keeps the order of equals in closures; in the machine not beyond 11.
//
// # Concurrency
//
// A Compiler is immutable; its programs may be run by any number of
// goroutines.
//
// # Limits
//
// 4 KiB of source and 256 nodes. The cost of a run is bounded when it is
// compiled: the only loops are those over sinks and lists written in the
// expression, a loop inside of another is refused, and so are ranges (1..9),
// patterns that are not constant, and every function but those above and all,
// any, none, one, count, sum, filter, sortBy, take, reverse, len, abs, min,
// max, lower, upper, hasPrefix and hasSuffix. Only fields that the expression names are
// looked up. What still goes wrong in a run (a remainder of a division by zero, take of a
// negative number) is the run's error, for which the place's fallback stands.
//
// # Testing
//
// The tests compare kept sinks with those of plain Go, and closures with the
// machine on random expressions; they need no helper package. BenchmarkRun prints the cost per event.
package expression
