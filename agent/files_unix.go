//go:build unix

package agent

import "syscall"

// openFiles is how many files the process may have open; 0: nobody knows. Go
// has raised the soft limit to the hard one.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur)
}
