package news

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	defaultKept = 256
	maxData     = 16 << 10
	pageData    = 64 << 10 // of a page, unless its first item has more
)

// Item is one thing that happened.
type Item struct {
	// ID is of this life of the agent; it ends with the item's number.
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Time time.Time       `json:"time"`
	Data json.RawMessage `json:"data"`
	// Source is whose it is, for who reads only some; it is in Data too.
	Source string `json:"-"`
}

// Config is what a Log is made of.
type Config struct {
	// ID is what the items' IDs begin with: another in each life of the agent.
	ID string
	// Kept is how many items are kept. Zero: 256.
	Kept int
	// Largest is how many bytes of data an item has at most. Zero: 16 KiB.
	Largest int
	// Bytes is how many bytes of data are kept of all items. Zero: Kept x
	// Largest.
	Bytes int
}

// Log is the last things that happened.
type Log struct {
	cfg Config

	mu     sync.Mutex
	ring   []Item        // item n is at (n-1) % kept; guarded by mu
	bytes  int           // of the data in ring; guarded by mu
	gone   uint64        // how many items are not there any more; guarded by mu
	added  uint64        // how many items there ever were; guarded by mu
	more   chan struct{} // closed by the next Add, and by Close; guarded by mu
	now    chan struct{} // always closed
	closed bool          // guarded by mu
}

// New makes a log without items.
func New(cfg Config) *Log {
	if cfg.Kept == 0 {
		cfg.Kept = defaultKept
	}
	if cfg.Largest == 0 {
		cfg.Largest = maxData
	}
	if cfg.Bytes == 0 {
		cfg.Bytes = cfg.Kept * cfg.Largest
	}
	l := &Log{cfg: cfg, ring: make([]Item, cfg.Kept), more: make(chan struct{}), now: make(chan struct{})}
	close(l.now)
	return l
}

// Add adds an item with the JSON of data. Data that cannot be JSON or is too
// large is a gap to all readers.
func (l *Log) Add(kind string, data any) { l.AddFrom("", kind, data) }

// AddFrom is Add of an item that has a source.
func (l *Log) AddFrom(source, kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil || len(text) > min(l.cfg.Largest, l.cfg.Bytes) {
		source, kind, text = "", "", nil // what no reader is shown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addLocked(Item{Type: kind, Source: source, Time: time.Now(), Data: text})
}

// Miss notes that n items happened which nobody can be shown: a gap to all
// readers.
func (l *Log) Miss(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	blank := min(n, uint64(l.cfg.Kept))
	for range blank {
		l.addLocked(Item{})
	}
	l.added += n - blank // of the same blank items, as the ring holds them
	l.gone += n - blank
}

func (l *Log) addLocked(item Item) {
	if l.closed {
		return
	}
	for l.added-l.gone == uint64(l.cfg.Kept) || l.bytes+len(item.Data) > l.cfg.Bytes {
		oldest := &l.ring[l.gone%uint64(l.cfg.Kept)]
		l.bytes -= len(oldest.Data)
		*oldest = Item{}
		l.gone++
	}
	item.ID = l.idOf(l.added + 1)
	l.ring[l.added%uint64(l.cfg.Kept)] = item
	l.bytes += len(item.Data)
	l.added++
	close(l.more)
	l.more = make(chan struct{})
}

func (l *Log) idOf(n uint64) string { return l.cfg.ID + "-" + strconv.FormatUint(n, 10) }

// ID is that of the item before p, from which a reader can go on: see Behind.
func (l *Log) ID(p Position) string { return l.idOf(p.At) }

// Close ends the log: pages say so, and nothing is added any more.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.more)
	}
}

// Position is how far a reader has come: behind item At. A reader that is Lost
// does not know what it has missed.
type Position struct {
	At   uint64
	Lost bool
}

// Now is behind the newest item.
func (l *Log) Now() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position{At: l.added}
}

// Start is before all that is kept. What is gone already is no gap to who
// begins there.
func (l *Log) Start() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position{At: l.gone}
}

// Behind is the position behind the item of that ID. Of another log's it is
// before all that is kept, and lost; the error is that of a text that is no ID.
func (l *Log) Behind(id string) (Position, error) {
	i := strings.LastIndexByte(id, '-')
	n, err := strconv.ParseUint(id[i+1:], 10, 64)
	if i < 0 || err != nil {
		return Position{}, fmt.Errorf("%.80q is no item's id: want that of the last one seen, such as %s, or 0-0 for all that is kept", id, l.ID(l.Now()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if id[:i] != l.cfg.ID || n > l.added {
		return Position{Lost: true}, nil
	}
	return Position{At: n}, nil
}

// Page is what comes after a position: 64 KiB of data at most, or one item, so
// that a reader who is slow holds no more.
type Page struct {
	Items []Item
	// Gap says that something before Items is not there any more: Missed
	// items, or 0 when it is not known how many.
	Gap    bool
	Missed uint64
	// Next is the position behind Items.
	Next Position
	// Rest says that there is more behind Next already.
	Rest bool
	// More is closed when there is more, or when the log ends.
	More <-chan struct{}
	// End says that the log has ended, and that this is the last page.
	End bool
}

// After is what comes after p.
func (l *Log) After(p Position) Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.gone
	page := Page{Next: Position{At: l.added}, More: l.more, End: l.closed, Gap: p.Lost}
	if p.At < oldest {
		page.Gap = true
		if !p.Lost {
			page.Missed = oldest - p.At
		}
	}
	size := 0
	for n := max(p.At, oldest); n < l.added; n++ {
		item := l.ring[n%uint64(l.cfg.Kept)]
		if item.Type == "" {
			page.Gap = true
			page.Missed++
			continue
		}
		if size += len(item.Data); size > pageData && len(page.Items) > 0 {
			page.Next, page.Rest, page.More, page.End = Position{At: n}, true, l.now, false
			break
		}
		page.Items = append(page.Items, item)
	}
	return page
}
