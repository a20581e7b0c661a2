package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"kecho/channel"
	"kecho/resmgr"
)

// A manager's bucket has a head under headKey and its leases, each under its
// fence in 8 bytes. Each value is a CRC-32C of the rest, then the msgpack of a
// head or of a resmgr.Record.
var headKey = []byte("head")

// head is what a manager's bucket says of itself.
type head struct {
	Version uint8
	Fence   resmgr.Fence
	Behind  bool
	Leases  int // how many there are
}

const version = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(v any) ([]byte, error) {
	packed, err := channel.Pack(v)
	if err != nil {
		return nil, err
	}
	sum := crc32.Checksum(packed, castagnoli)
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(packed)), sum), packed...), nil
}

func unseal(value []byte, v any) error {
	if len(value) < 4 {
		return errors.New("an entry is too short")
	}
	if crc32.Checksum(value[4:], castagnoli) != binary.BigEndian.Uint32(value) {
		return errors.New("an entry does not have its checksum")
	}
	return channel.Unpack(value[4:], v)
}

func fenceKey(f resmgr.Fence) []byte { return binary.BigEndian.AppendUint64(nil, uint64(f)) }

func readHead(b *bolt.Bucket) (head, error) {
	value := b.Get(headKey)
	if value == nil {
		return head{}, errors.New("it has no head")
	}
	var h head
	if err := unseal(value, &h); err != nil {
		return head{}, fmt.Errorf("its head: %w", err)
	}
	if h.Version != version {
		return head{}, fmt.Errorf("it is of version %d, and this program writes %d", h.Version, version)
	}
	return h, nil
}

// readManager is what a bucket holds, if it is whole.
func readManager(b *bolt.Bucket) (resmgr.Recovered, error) {
	h, err := readHead(b)
	if err != nil {
		return resmgr.Recovered{}, err
	}
	had := resmgr.Recovered{Fence: h.Fence, Behind: h.Behind}
	if h.Leases > 0 {
		had.Leases = make([]resmgr.Record, 0, min(h.Leases, 1<<20))
	}
	err = b.ForEach(func(key, value []byte) error {
		if len(key) != 8 {
			return nil
		}
		var r resmgr.Record
		if err := unseal(value, &r); err != nil {
			return err
		}
		if fence := resmgr.Fence(binary.BigEndian.Uint64(key)); r.Fence != fence || fence > h.Fence || r.Amounts.Check() != nil {
			return fmt.Errorf("the lease under fence %d is not that one", fence)
		}
		had.Leases = append(had.Leases, r)
		return nil
	})
	if err == nil && len(had.Leases) != h.Leases {
		err = fmt.Errorf("it has %d leases of %d", len(had.Leases), h.Leases)
	}
	return had, err
}

// apply is resmgr.Recovered.Apply on the disk, for many entries: each manager's
// head is read and written once.
func apply(tx *bolt.Tx, entries []resmgr.Entry) error {
	heads := map[string]*head{}
	for _, e := range entries {
		b, err := tx.CreateBucketIfNotExists([]byte(e.Manager))
		if err != nil {
			return err
		}
		h := heads[e.Manager]
		if h == nil {
			h = &head{Version: version}
			if b.Get(headKey) != nil {
				if *h, err = readHead(b); err != nil {
					return fmt.Errorf("%w: %w", errDamaged, err)
				}
			}
			heads[e.Manager] = h
		}
		if err := h.apply(b, e.Record); err != nil {
			return err
		}
	}
	for manager, h := range heads {
		if err := put(tx.Bucket([]byte(manager)), headKey, h); err != nil {
			return err
		}
	}
	return nil
}

func (h *head) apply(b *bolt.Bucket, r resmgr.Record) error {
	h.Fence = max(h.Fence, r.Fence)
	key := fenceKey(r.Fence)
	switch r.Kind {
	case resmgr.RecordBehind:
		h.Behind = true
	case resmgr.RecordWhole:
		h.Behind = false
	case resmgr.RecordEnd:
		if b.Get(key) != nil {
			h.Leases--
			return b.Delete(key)
		}
	case resmgr.RecordLease:
		if b.Get(key) == nil {
			h.Leases++
		}
		return put(b, key, r)
	}
	return nil
}

func put(b *bolt.Bucket, key []byte, v any) error {
	value, err := seal(v)
	if err != nil {
		return err
	}
	return b.Put(key, value)
}
