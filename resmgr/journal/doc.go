// Package journal keeps what resource managers have granted in a bbolt file, so
// that a crash at any moment forgets no lease and gives no fence twice.
//
// # Vocabulary
//
// A Journal serves the managers of one node. It holds, for each, the highest
// fence that it gave and the leases that live (resmgr.Recovered). An entry says
// what changes; entries that are written together reach the disk together, with
// one fsync.
//
// # Use
//
//	j, err := journal.Open(journal.Config{Path: "/var/lib/kecho/leases.db"})
//	defer j.Close()
//	m, err := resmgr.New(resmgr.Config{..., Journal: j})
//
// An error of Open, or of the manager's first reading, says what is wrong with
// the file and what to do: it is another process's, it was cut, it is damaged. A
// node goes on without its managers then. A journal that was deleted or put back
// from an older copy is in order by itself: that leases are missing is told by
// the other nodes, who remember fences (resmgr, "What holds").
//
// # Concurrency
//
// Recover and Write are called one at a time, as resmgr.Manager does.
//
// # Limits
//
// The file grows to Config.MaxSize and does not shrink; a lease takes about 200
// bytes of it. Every lease and every manager's head has a checksum, and the head
// the number of leases. bbolt has none on its inner pages: damage there is
// mostly found by what it leads to, as an error, and an endless loop of pages is
// not found. When the newest of its two meta pages is damaged bbolt takes the
// other, which is one write older. A fault while the file is read or written (it
// was cut under a running process) is an error for good: the process has to be
// started again.
//
// # Testing
//
// A child process is killed while it writes; files are cut and damaged at every
// place that matters; both have to be found or harmless.
package journal
