// Package e2e holds the tests of the whole: nothing here is imported, and
// there is no code but tests.
//
// # What is tested
//
// The policy tests read the source tree and hold the rules of the house:
// imports_test.go who may import whom, docs_test.go that every package and
// every exported name is explained, sizes_test.go how large a file, a function
// and an interface may get. Each has a table at its top; an exception to a rule
// is a line in a table with its reason.
//
// The process tests build the kecho binary once and run it as an operator
// would, agents and web servers each a process: overflow_test.go that peers
// serve what is too much for one, and that every counter says so; nginx_test.go
// the same with nginx as the web server and wrk as the clients; kill_test.go
// agents that are killed, paused and stopped under load, and come back;
// post_test.go that nothing is done twice; stream_linux_test.go streams without
// end and downloads larger than memory; identity_test.go names and keys that do
// not fit; partition_linux_test.go machines of a network of their own that are
// cut off it; cgroup_linux_test.go a control group with a quota; pressure_linux_test.go the
// kernel's own word that tasks stand still; compose_test.go the compose
// cluster of the repository's root; haproxy_test.go an HAProxy that follows the agents; backup_test.go agents behind an HAProxy and an nginx, only for what is too much; lab_test.go small clusters of kecho-lab and frontbench_test.go its fronts; middleware_test.go the example of a
// web server with an agent in it.
//
// # What they need
//
// The policy tests need nothing. The process tests need the go command; some
// need nginx, HAProxy, root and the ip command, or a container engine. Where one is
// missing the test is skipped and says what to install; with KECHO_CI=1 in the
// environment, as .ci/run sets it, a missing thing is a failure.
//
// # Concurrency
//
// The process tests use ports that the system picks and names that carry the
// process id, so two runs on one machine do not meet. They end only processes
// that they started, by process id, and their traffic stays on loopback, in
// namespaces of their own, or in the compose project of their own.
//
// # Limits
//
// -short leaves out all process tests. No test asserts a speed.
package e2e
