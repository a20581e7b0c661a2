// Package syntax reads the short texts of resmgr and resmgr/monitor, such as
// "cpu=2,mem=512Mi", "zone in (a, b)" and "rate(errors, 10s) > 5", and says
// where one is wrong.
//
//	p := syntax.New("cpu = 2")
//	kind := p.Name("a kind of resource", 32) // "cpu"
//	p.Word("=", "= and a quantity")
//	...
//	if p.Err != nil { // a *syntax.Error
//
// A name is a letter, and then letters, digits, '.', '_' and '-'. White space
// between the parts does not matter. After the first error nothing more has to be
// asked for: what a Parser returns then does not matter, and loops end with Done.
//
// # Concurrency
//
// A Parser is for one goroutine.
//
// # Limits
//
// A text has at most MaxText bytes.
package syntax
