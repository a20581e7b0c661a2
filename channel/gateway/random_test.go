package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"kecho/channel"
	"kecho/channel/channeltest"
	"kecho/channel/gateway"
)

// TestAnyFederation joins two to five clusters by gateways by chance, rings and
// parallel ones too, has nodes subscribe and stop by chance, kills gateways, and
// holds each time that an event comes once to who subscribes where a way leads, never
// to others, and that nothing stays wanted that nobody wants. KECHO_NIGHTLY=1 does it
// for 1,000 of them.
func TestAnyFederation(t *testing.T) {
	n := 50
	if os.Getenv("KECHO_NIGHTLY") != "" {
		n = 1000
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newFederation(t, uint64(seed)).run()
			})
		})
	}
}

type federation struct {
	*world
	t     *testing.T
	rand  *rand.Rand
	names []string
	gates []edge
	subs  []listener
	sent  int
}

type edge struct {
	running
	ends [2]string
}

// listener is one subscription, and what it should have got.
type listener struct {
	*channel.Subscription
	got     *channeltest.Recorder
	cluster string
	typ     channel.Type
	want    []string
}

func newFederation(t *testing.T, seed uint64) *federation {
	f := &federation{t: t, rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range 2 + f.rand.IntN(4) {
		f.names = append(f.names, string(rune('a'+i)))
	}
	f.world = newWorld(t, f.names...)
	for range 1 + f.rand.IntN(2*len(f.names)) {
		ends := f.rand.Perm(len(f.names))
		a, b := f.names[ends[0]], f.names[ends[1]]
		g := f.connect(a, b, func(cfg *gateway.Config, _ *gateway.Share) { cfg.Hops = gateway.MaxHops })
		f.gates = append(f.gates, edge{g, [2]string{a, b}})
	}
	return f
}

func (f *federation) run() {
	for range 6 {
		switch k := f.rand.IntN(4); {
		case k == 0 && len(f.subs) > 0:
			i := f.rand.IntN(len(f.subs))
			f.subs[i].Close()
			f.subs = slices.Delete(f.subs, i, i+1)
		case k == 1 && len(f.gates) > 1:
			i := f.rand.IntN(len(f.gates))
			f.gates[i].end()
			f.gates = slices.Delete(f.gates, i, i+1)
		default:
			f.subscribe()
		}
		settle()
		f.publish()
		f.check()
	}
	for _, s := range f.subs {
		s.Close()
	}
	settle()
	for _, g := range f.gates {
		for _, s := range g.Stats() {
			if len(s.Wanted) > 0 || s.Looped+s.Returned > 0 {
				f.t.Errorf("in the end from %s to %s: %+v", s.From, s.To, s)
			}
		}
	}
}

func (f *federation) subscribe() {
	l := listener{cluster: f.names[f.rand.IntN(len(f.names))], got: new(channeltest.Recorder)}
	l.typ = []channel.Type{"", "x", "y"}[f.rand.IntN(3)]
	c := f.clusters[l.cluster].news[f.rand.IntN(2)]
	sub, err := c.Subscribe(channel.Match{Type: l.typ}, l.got.Handle)
	if err != nil {
		f.t.Fatal(err)
	}
	l.Subscription = sub
	f.subs = append(f.subs, l)
}

// publish submits events of each type in each cluster.
func (f *federation) publish() {
	for _, from := range f.names {
		reached := f.reached(from)
		for _, typ := range []channel.Type{"x", "y"} {
			for range 3 {
				f.sent++
				body := fmt.Sprintf("%d %s of %s", f.sent, typ, from)
				if _, err := f.clusters[from].news[0].Submit(f.t.Context(), channel.Event{Type: typ, Body: []byte(body)}); err != nil {
					f.t.Fatal(err)
				}
				for i := range f.subs {
					if s := &f.subs[i]; reached[s.cluster] && (s.typ == "" || s.typ == typ) {
						s.want = append(s.want, body)
					}
				}
			}
		}
	}
	synctest.Wait()
}

// reached is the clusters to which a way leads.
func (f *federation) reached(from string) map[string]bool {
	all := map[string]bool{from: true}
	for range f.names {
		for _, g := range f.gates {
			if all[g.ends[0]] || all[g.ends[1]] {
				all[g.ends[0]], all[g.ends[1]] = true, true
			}
		}
	}
	return all
}

func (f *federation) check() {
	f.t.Helper()
	for _, s := range f.subs {
		got, want := s.got.Bodies(), slices.Clone(s.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			f.t.Fatalf("in %s %q came of %q: %d of %d events", s.cluster, got, want, len(got), len(want))
		}
	}
	for _, name := range f.names {
		for _, c := range f.clusters[name].news[:2] {
			if s := c.Stats(); s.Repeated+s.Returned > 0 {
				f.t.Errorf("in %s %d came twice and %d back", name, s.Repeated, s.Returned)
			}
		}
	}
}
