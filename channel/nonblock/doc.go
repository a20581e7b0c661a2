// Package nonblock reads and writes sockets that do not block, as all of Go's are,
// without telling Go's scheduler of each system call.
//
// Told of a call after a moment of idleness, the scheduler wakes its monitor, a
// thread that then looks about for a while before it sleeps again: at 1,000 events
// a second that was half of the CPU of a process that hears them, and two of its
// three context switches. What does not block needs none of that, as long as it is
// short: larger parts are moved by ordinary system calls.
//
// # Use
//
// Within a function that syscall.RawConn calls with the descriptor, which waits
// where a call says EAGAIN.
//
// # Concurrency
//
// The functions keep nothing. Who may call them for a descriptor is up to its
// connection.
//
// # Limits
//
// Only Linux has system calls that the scheduler does not hear of; elsewhere these
// are ordinary ones. The race detector does not see what they read and write.
package nonblock
