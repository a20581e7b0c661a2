package news_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"kecho/agent/news"
)

func ids(items []news.Item) string {
	var all []string
	for _, i := range items {
		all = append(all, i.ID)
	}
	return strings.Join(all, " ")
}

func TestLog(t *testing.T) {
	l := news.New(news.Config{ID: "ab", Kept: 3})
	p := l.After(l.Now())
	if len(p.Items) > 0 || p.Gap || p.End {
		t.Errorf("at first: %+v", p)
	}
	l.Add("x", map[string]int{"n": 1})
	select {
	case <-p.More:
	default:
		t.Error("who waits is not told")
	}
	l.Add("y", nil)
	q := l.After(p.Next)
	if ids(q.Items) != "ab-1 ab-2" || q.Gap || string(q.Items[0].Data) != `{"n":1}` || q.Items[1].Type != "y" {
		t.Errorf("%+v", q)
	}
	for range 5 {
		l.Add("z", nil)
	}
	if r := l.After(q.Next); ids(r.Items) != "ab-5 ab-6 ab-7" || !r.Gap || r.Missed != 2 {
		t.Errorf("too late: %+v", r)
	}
	for id, want := range map[string]string{
		"ab-6": "ab-7 false 0", "ab-7": " false 0", "ab-4": "ab-5 ab-6 ab-7 false 0", "ab-1": "ab-5 ab-6 ab-7 true 3",
		"cd-6": "ab-5 ab-6 ab-7 true 0", "ab-8": "ab-5 ab-6 ab-7 true 0",
	} {
		at, err := l.Behind(id)
		r := l.After(at)
		if got := fmt.Sprint(ids(r.Items), " ", r.Gap, " ", r.Missed); err != nil || got != want {
			t.Errorf("behind %s: %s (%v), want %s", id, got, err, want)
		}
	}
	for _, id := range []string{"", "7", "ab-", "ab-x", "ab--7x"} {
		if _, err := l.Behind(id); err == nil {
			t.Errorf("%q is taken for an id", id)
		}
	}
}

// Who is far behind gets it in pages, so that nobody holds much.
func TestPages(t *testing.T) {
	l := news.New(news.Config{ID: "ab", Kept: 10, Largest: 100 << 10})
	for i := range 7 {
		l.Add("x", strings.Repeat("x", []int{30 << 10, 90 << 10, 10}[i%3]))
	}
	at, err := l.Behind("ab-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ab-1 true", "ab-2 true", "ab-3 ab-4 true", "ab-5 true", "ab-6 ab-7 false", " false"} {
		p := l.After(at)
		if got := fmt.Sprint(ids(p.Items), " ", p.Rest); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		select {
		case <-p.More:
			if !p.Rest {
				t.Error("nothing is more")
			}
		default:
			if p.Rest {
				t.Error("who waits does not go on")
			}
		}
		at = p.Next
	}
	l.Close()
	at, _ = l.Behind("ab-0")
	if p := l.After(at); p.End || !p.Rest {
		t.Errorf("the end before the rest: %+v", p)
	}
}

// What cannot be shown is a gap and not a silence.
func TestLogLeavesOut(t *testing.T) {
	l := news.New(news.Config{ID: "ab"})
	at := l.Now()
	l.Add("x", strings.Repeat("x", 20<<10))
	l.Add("x", func() {})
	l.Add("x", 1)
	if p := l.After(at); ids(p.Items) != "ab-3" || !p.Gap || p.Missed != 2 {
		t.Errorf("%+v", p)
	}
}

func TestLogEnds(t *testing.T) {
	l := news.New(news.Config{ID: "ab"})
	p := l.After(l.Now())
	l.Add("x", nil)
	l.Close()
	l.Close()
	l.Add("x", nil)
	<-p.More
	if q := l.After(p.Next); !q.End || ids(q.Items) != "ab-1" {
		t.Errorf("%+v", q)
	}
}

// Readers that keep up see everything, in order, whoever adds.
func TestReadersSeeAll(t *testing.T) {
	l := news.New(news.Config{ID: "ab", Kept: 5000})
	at := l.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				l.Add("x", nil)
			}
		})
		wg.Go(func() {
			seen := 0
			for at := at; seen < 4000; {
				p := l.After(at)
				for _, i := range p.Items {
					if seen++; i.ID != fmt.Sprintf("ab-%d", seen) {
						t.Errorf("%s is number %d", i.ID, seen)
						return
					}
				}
				if at = p.Next; seen < 4000 {
					<-p.More
				}
			}
		})
	}
	wg.Wait()
}

// A log is bounded by bytes too, and what never came to it is a gap.
func TestLogBytes(t *testing.T) {
	l := news.New(news.Config{ID: "ab", Kept: 4, Largest: 10, Bytes: 20})
	start := l.Now()
	for range 3 {
		l.Add("x", "12345678") // ten bytes with the quotes
	}
	if p := l.After(start); ids(p.Items) != "ab-2 ab-3" || p.Missed != 1 {
		t.Errorf("%+v", p)
	}
	if p := l.After(l.Start()); ids(p.Items) != "ab-2 ab-3" || p.Gap || l.ID(p.Next) != "ab-3" {
		t.Errorf("from the start: %+v", p)
	}
	l.Add("x", "123456789")
	l.Miss(1)
	l.Add("y", 1)
	if p := l.After(news.Position{At: 3}); ids(p.Items) != "ab-6" || !p.Gap || p.Missed != 2 {
		t.Errorf("one too large and one missed: %+v", p)
	}
	l.Miss(100)
	l.Add("z", 1)
	if p := l.After(news.Position{At: 6}); ids(p.Items) != "ab-107" || p.Missed != 100 {
		t.Errorf("many missed: %+v", p)
	}
}
