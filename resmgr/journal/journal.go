package journal

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"kecho/resmgr"
)

// Config says where the journal is.
type Config struct {
	// Path of the file; it is made, for its owner only, when it is not there.
	// Its directory must be there.
	Path string
	// MaxSize is how many bytes the file grows to at most. It must have room for
	// all leases, about 200 bytes each, and a few pages: a file that is full does
	// not take ends either. Zero: 1 GiB.
	MaxSize int
	// LockWait is how long another process may take to let go of the file.
	// Zero: 1 s.
	LockWait time.Duration
}

// Journal is an open file.
type Journal struct {
	path string
	db   *bolt.DB
	dead error // after a fault: the file must not be touched again
}

var _ resmgr.Journal = (*Journal)(nil)

// Open opens or makes the file. The error says what to do.
func Open(cfg Config) (*Journal, error) {
	if cfg.MaxSize <= 0 {
		cfg.MaxSize = 1 << 30
	}
	if cfg.LockWait <= 0 {
		cfg.LockWait = time.Second
	}
	j := &Journal{path: cfg.Path}
	err := j.guard(func() error {
		db, err := bolt.Open(cfg.Path, 0o600, &bolt.Options{Timeout: cfg.LockWait, MaxSize: cfg.MaxSize, FreelistType: bolt.FreelistMapType})
		if err != nil {
			return err
		}
		j.db = db
		return j.checkLength()
	})
	var system syscall.Errno
	switch {
	case err == nil, errors.Is(err, errDamaged):
	case errors.Is(err, bolterrors.ErrTimeout):
		err = fmt.Errorf("journal %s: another process has it open: end it, or give this node another state directory", cfg.Path)
	case errors.As(err, &system):
		err = fmt.Errorf("open the journal of leases: %w", err)
	default: // what bbolt says of the file
		err = j.damaged(err)
	}
	if err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// checkLength finds a file that was cut before a page that it needs is read.
func (j *Journal) checkLength() error {
	return j.db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(j.path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return j.damaged(fmt.Errorf("it has %d bytes of %d", info.Size(), tx.Size()))
		}
		return nil
	})
}

var errDamaged = errors.New("the journal of leases is damaged")

// damaged says what to do about a file that cannot be trusted.
func (j *Journal) damaged(err error) error {
	return fmt.Errorf("%w: %s: %w; what it held may be held by somebody for an hour from the last write: wait that long, then remove the file", errDamaged, j.path, err)
}

// guard turns the panics of bbolt, and faults in its mapped file, into errors
// after which the file is not touched again.
func (j *Journal) guard(f func() error) (err error) {
	if j.dead != nil {
		return j.dead
	}
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if p := recover(); p != nil {
			j.dead = j.damaged(fmt.Errorf("%v", p))
			err = j.dead
		}
	}()
	return f()
}

// Recover implements resmgr.Journal.
func (j *Journal) Recover(manager string) (had resmgr.Recovered, err error) {
	err = j.guard(func() error {
		return j.db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(manager))
			if b == nil {
				return nil
			}
			had, err = readManager(b)
			if err != nil {
				return j.damaged(fmt.Errorf("manager %s: %w", manager, err))
			}
			return nil
		})
	})
	if err != nil {
		return resmgr.Recovered{}, err
	}
	return had, nil
}

// Write implements resmgr.Journal: one transaction, one fsync.
func (j *Journal) Write(entries []resmgr.Entry) error {
	return j.guard(func() error {
		err := j.db.Update(func(tx *bolt.Tx) error { return apply(tx, entries) })
		if errors.Is(err, errDamaged) {
			j.dead = j.damaged(err)
			return j.dead
		}
		return err
	})
}

// Close gives the file to other processes. After a fault it does nothing: the
// file is this process's until it ends.
func (j *Journal) Close() error {
	if j.db == nil || j.dead != nil {
		return nil
	}
	return j.guard(j.db.Close)
}
