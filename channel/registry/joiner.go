package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/serf/serf"
)

const (
	// firstRetry is when a seed that was not reached is tried again; then it
	// doubles up to Config.RejoinEvery.
	firstRetry = time.Second
	// claimTries is how often whoever has our name is asked whether it is
	// alive before it counts as gone. One answer is enough.
	claimTries = 3
)

// errClaimed refuses to merge with a cluster in which another address has our
// name. Join returns only its text.
var errClaimed = errors.New("the node's name is used at another address")

// joiner joins the seeds, for ever, and says with whom the node may merge. It
// is serf's MergeDelegate.
type joiner struct {
	*session
	now   chan struct{} // holds one: do not wait for the next round
	fatal atomic.Pointer[error]
	// joined counts the first round that joined a seed and all after it: owned
	// by run. The second follows after firstRetry, because nodes that start
	// together come to a seed one after the other, and the first knows nobody.
	joined int

	mu sync.Mutex
	// settled: this node has been a member of a cluster. From then on nothing
	// stops it.
	settled bool
	claim   string          // address of whoever has our name, to be asked
	gone    map[string]bool // addresses that had our name and do not answer
	// unsure: the others still know our name at a gone address.
	unsure bool
	warned map[string]string // what was last said about a seed
}

var _ serf.MergeDelegate = (*joiner)(nil)

func newJoiner(s *session) *joiner {
	return &joiner{
		session: s,
		now:     make(chan struct{}, 1),
		gone:    make(map[string]bool),
		warned:  make(map[string]string),
	}
}

// hurry lets the next round begin at once.
func (j *joiner) hurry() {
	select {
	case j.now <- struct{}{}:
	default:
	}
}

// run joins until ctx is done, or returns why this node cannot be a member.
func (j *joiner) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := firstRetry
	for {
		select {
		case <-timer.C:
		case <-j.now:
			wait = firstRetry
		case <-ctx.Done():
			return nil
		}
		all, err := j.round(ctx)
		if err != nil {
			j.fatal.Store(&err)
			return err
		}
		switch {
		case j.isUnsure() || j.joined == 1:
			wait = firstRetry
			timer.Reset(wait)
		case all:
			wait = firstRetry
			timer.Reset(j.cfg.RejoinEvery)
		default:
			timer.Reset(min(wait, j.cfg.RejoinEvery))
			wait = min(2*wait, j.cfg.RejoinEvery)
		}
	}
}

// round joins each address of each seed that is not a live member, and reports
// whether all seeds are members now.
func (j *joiner) round(ctx context.Context) (all bool, err error) {
	if claim := j.takeClaim(); claim != "" {
		j.ask(ctx, claim)
	}
	if err := j.askAgain(ctx); err != nil {
		return false, err
	}
	all = true
	joined := false
	for _, seed := range j.cfg.Seeds {
		addrs, err := j.resolve(ctx, seed)
		if ctx.Err() != nil {
			return false, nil
		}
		if err != nil {
			j.warn(seed, fmt.Sprintf("the seed %s cannot be resolved: check the name; it is tried again for ever", seed), err)
			all = false
			continue
		}
		for _, addr := range addrs {
			if addr.String() == j.Addr() || j.isMember(addr.String()) {
				continue
			}
			ok, err := j.joinSeed(ctx, seed, addr.String())
			if err != nil {
				return false, err
			}
			all = all && ok
			joined = joined || ok
		}
	}
	if joined || j.joined > 0 {
		j.joined++
	}
	return all, nil
}

// isMember reports whether nothing is to be learned from the node at addr.
func (j *joiner) isMember(addr string) bool {
	return j.board.alive(addr) && !j.isUnsure() && j.joined != 1
}

func (j *joiner) joinSeed(ctx context.Context, seed, addr string) (ok bool, fatal error) {
	for ctx.Err() == nil {
		err := j.join(addr)
		if err == nil {
			j.warn(seed, "", nil)
			return true, nil
		}
		if claim := j.takeClaim(); claim != "" && strings.Contains(err.Error(), errClaimed.Error()) {
			if j.ask(ctx, claim) {
				return false, j.taken(claim)
			}
			continue // it is gone: join again
		}
		if why := keyMismatch(err); why != nil {
			err = fmt.Errorf("join %s: %w", seed, why)
			if !j.isSettled() {
				return false, err
			}
		}
		j.warn(seed, fmt.Sprintf("the seed %s is not joined, and is tried again for ever", seed), err)
		return false, nil
	}
	return false, nil
}

// join exchanges the whole state with the node at addr.
func (j *joiner) join(addr string) error {
	j.rejoins.Add(1)
	_, err := j.serf.Join([]string{addr}, true)
	if err != nil {
		j.failures.Add(1)
	}
	return plain(err)
}

// plain is err without the several lines in which memberlist lists what went
// wrong with the one address that it was given. A seed that hangs up without a
// word does so for a reason, which is nearly always the same.
func plain(err error) error {
	var list interface{ WrappedErrors() []error }
	if errors.As(err, &list) && len(list.WrappedErrors()) == 1 {
		err = list.WrappedErrors()[0]
	}
	if err == nil {
		return nil
	}
	switch text := err.Error(); {
	case strings.HasSuffix(text, ": EOF"):
		return fmt.Errorf("%w: it hung up, as nodes of another cluster label do: is --cluster the same?", err)
	case strings.Contains(text, "invalid msgType"), strings.HasSuffix(text, "connection reset by peer"):
		return fmt.Errorf("%w: is it the --bind address of a member, and no other port of it?", err)
	}
	return err
}

// keyMismatch knows from what memberlist says when keys differ: it has only
// text for it.
func keyMismatch(err error) error {
	text := strings.ToLower(err.Error())
	const hint = "give all nodes of the cluster the same key"
	switch {
	case strings.Contains(text, "no installed keys could decrypt"):
		return fmt.Errorf("%w from that node's: %s", ErrKeyMismatch, hint)
	case strings.Contains(text, "encryption is not configured"):
		return fmt.Errorf("%w: that node has one and this one has none: %s", ErrKeyMismatch, hint)
	case strings.Contains(text, "remote state is not encrypted"):
		return fmt.Errorf("%w: this node has one and that node has none: %s", ErrKeyMismatch, hint)
	}
	return nil
}

func (j *joiner) taken(addr string) error {
	return fmt.Errorf("the name %q is %w by a running node at %s: start this one with another --name", j.cfg.Name, ErrNameTaken, addr)
}

// askAgain asks those that did not answer, as long as the others still take
// them for the owner of our name: they may have been cut off, or paused.
func (j *joiner) askAgain(ctx context.Context) error {
	if !j.isUnsure() {
		return nil
	}
	j.mu.Lock()
	gone, settled := slices.Collect(maps.Keys(j.gone)), j.settled
	j.mu.Unlock()
	for _, addr := range gone {
		if !settled && j.ask(ctx, addr) {
			return j.taken(addr)
		}
	}
	return nil
}

// ask reports whether the node at addr answers to our name; if it does not,
// its name is ours.
func (j *joiner) ask(ctx context.Context, addr string) (alive bool) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return false
	}
	for range claimTries {
		if ctx.Err() != nil {
			return false
		}
		if _, err := j.serf.Memberlist().Ping(j.cfg.Name, net.UDPAddrFromAddrPort(at)); err == nil {
			return true
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.gone[addr] {
		j.gone[addr] = true
		j.cfg.Logger.Info("the name was used by a node that does not answer: taken over", "name", j.cfg.Name, "addr", addr)
	}
	return false
}

// warn logs what is wrong with a seed, once until it changes; without text it
// is right again.
func (j *joiner) warn(seed, text string, err error) {
	j.mu.Lock()
	again := j.warned[seed] == text
	j.warned[seed] = text
	j.mu.Unlock()
	switch {
	case text == "" && !again:
		j.cfg.Logger.Info("seed joined", "seed", seed)
	case text == "":
	case again:
		j.cfg.Logger.Debug(text, "err", err)
	default:
		j.cfg.Logger.Warn(text, "err", err)
	}
}

// NotifyMerge is asked by serf before any node is taken in: whole states on
// both sides of a join, and every node that is heard to be alive, alone. It is
// called under memberlist's lock.
func (j *joiner) NotifyMerge(members []*serf.Member) error {
	others := false
	for _, m := range members {
		if m.Status == serf.StatusLeft {
			continue // it is not let in, it is a memory
		}
		if err := checkTags(&j.cfg, m.Name, m.Tags); err != nil {
			return err
		}
		if m.Name != j.cfg.Name {
			others = true
		}
	}
	return j.admit(members, others)
}

// admit settles what another's claim to our name means.
func (j *joiner) admit(members []*serf.Member, others bool) error {
	self := j.Addr()
	j.mu.Lock()
	defer j.mu.Unlock()
	unsure := false
	for _, m := range members {
		if m.Name != j.cfg.Name || m.Status == serf.StatusLeft {
			continue
		}
		addr := netip.AddrPortFrom(addrOf(m.Addr), m.Port).String()
		switch {
		case addr == self:
		case j.gone[addr]:
			unsure = true
		case j.settled:
			j.cfg.Logger.Warn("another node uses this one's name: one of them needs another", "name", j.cfg.Name, "addr", addr)
		default:
			j.claim = addr
			j.hurry()
			return fmt.Errorf("%w: %s", errClaimed, addr)
		}
	}
	if len(members) > 1 { // another's whole view, this node's place in it included
		j.unsure = unsure
	}
	j.settled = j.settled || others && !j.unsure
	return nil
}

func addrOf(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

func (j *joiner) takeClaim() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	claim := j.claim
	j.claim = ""
	return claim
}

func (j *joiner) isSettled() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.settled
}

func (j *joiner) isUnsure() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.unsure
}
