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
)

// Item is one thing that happened.
type Item struct {
	// ID is of this life of the agent; it ends with the item's number.
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Time time.Time       `json:"time"`
	Data json.RawMessage `json:"data"`
}

// Config is what a Log is made of.
type Config struct {
	// ID is what the items' IDs begin with: another in each life of the agent.
	ID string
	// Kept is how many items are kept. Zero: 256.
	Kept int
}

// Log is the last things that happened.
type Log struct {
	id   string
	kept int

	mu     sync.Mutex
	ring   []Item        // item n is at (n-1) % kept; guarded by mu
	added  uint64        // how many items there ever were; guarded by mu
	more   chan struct{} // closed by the next Add, and by Close; guarded by mu
	closed bool          // guarded by mu
}

// New makes a log without items.
func New(cfg Config) *Log {
	if cfg.Kept == 0 {
		cfg.Kept = defaultKept
	}
	return &Log{id: cfg.ID, kept: cfg.Kept, ring: make([]Item, cfg.Kept), more: make(chan struct{})}
}

// Add adds an item with the JSON of data. Data that cannot be JSON or is too
// large is a gap to all readers.
func (l *Log) Add(kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil || len(text) > maxData {
		kind, text = "", nil // what no reader is shown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.ring[l.added%uint64(l.kept)] = Item{
		ID: l.id + "-" + strconv.FormatUint(l.added+1, 10), Type: kind, Time: time.Now(), Data: text,
	}
	l.added++
	close(l.more)
	l.more = make(chan struct{})
}

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

// Behind is the position behind the item of that ID. Of another log's it is
// before all that is kept, and lost; the error is that of a text that is no ID.
func (l *Log) Behind(id string) (Position, error) {
	i := strings.LastIndexByte(id, '-')
	n, err := strconv.ParseUint(id[i+1:], 10, 64)
	if i < 0 || err != nil {
		return Position{}, fmt.Errorf("%.80q is no item's id", id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if id[:i] != l.id || n > l.added {
		return Position{Lost: true}, nil
	}
	return Position{At: n}, nil
}

// Page is what comes after a position.
type Page struct {
	Items []Item
	// Gap says that something before Items is not there any more: Missed
	// items, or 0 when it is not known how many.
	Gap    bool
	Missed uint64
	// Next is the position behind Items.
	Next Position
	// More is closed when there is more, or when the log ends.
	More <-chan struct{}
	// End says that the log has ended, and that this is the last page.
	End bool
}

// After is what comes after p.
func (l *Log) After(p Position) Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.added - min(l.added, uint64(l.kept)) // items up to it are gone
	page := Page{Next: Position{At: l.added}, More: l.more, End: l.closed, Gap: p.Lost}
	if p.At < oldest {
		page.Gap = true
		if !p.Lost {
			page.Missed = oldest - p.At
		}
	}
	for n := max(p.At, oldest); n < l.added; n++ {
		item := l.ring[n%uint64(l.kept)]
		if item.Type == "" {
			page.Gap = true
			page.Missed++
			continue
		}
		page.Items = append(page.Items, item)
	}
	return page
}
