// Command kecho-lab is where the product is measured: simulations of clusters,
// kept out of the agent's binary.
//
//	kecho-lab sim --scenario uniform-.8,hot-4x --policy none,auto --seconds 600
//
// Data goes to standard output, progress to standard error. Exit codes: 0 ok,
// 1 failed, 2 usage.
package main
