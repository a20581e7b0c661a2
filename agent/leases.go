package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kecho/agent/api"
	"kecho/agent/metrics"
	"kecho/resmgr"
	"kecho/resmgr/journal"
	"kecho/resmgr/monitor/host"
)

// ResourceChannel is where agents ask each other for resources: resmgr/spec.md.
const ResourceChannel = "resources"

// leasing is the agent's part in the resource group.
type leasing struct {
	manager *resmgr.Manager
	journal *journal.Journal // nil: in memory
	idle    error            // why this node gives nothing; nil: it does
}

// shown is what the metrics have of it; nil before Run.
func (l *leasing) shown() *metrics.Leases {
	if l.manager == nil {
		return nil
	}
	all := &metrics.Leases{Closed: l.idle != nil}
	for _, s := range l.manager.Status() { // one at most: the node's
		all.Live, all.Waiting = all.Live+s.Leases, all.Waiting+s.Waiting
		all.Closed = all.Closed || s.Closed != resmgr.Reason{}
		for i, c := range s.Capacity {
			all.Kinds = append(all.Kinds, metrics.Resource{
				Kind: string(c.Kind), Capacity: c.Kind.Float(c.Quantity), Free: c.Kind.Float(s.Free[i].Quantity),
			})
		}
	}
	return all
}

// noResources is what Config.Resources has for none of the machine's own.
const noResources = "none"

// resources are those that Config declares, and whether the machine's own are
// given too.
func (c Config) resources() (declared resmgr.Amounts, machine bool, err error) {
	var texts []string
	machine = true
	for _, text := range c.Resources {
		if strings.TrimSpace(text) == noResources {
			machine = false
		} else {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil, machine, nil
	}
	declared, err = resmgr.ParseAmounts(strings.Join(texts, ","))
	if err != nil {
		err = fmt.Errorf("--resource %w", err)
	}
	return declared, machine, err
}

// tags are those that Config declares, and node, which is the node's name.
func (c Config) tags() (resmgr.Tags, error) {
	tags := resmgr.Tags{"node": c.Name}
	for _, text := range c.Tags {
		name, value, _ := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "node" && value != c.Name { // else it answers for another node
			return nil, fmt.Errorf("--tag %.200q: the tag node is this node's name, %s; choose another tag", text, c.Name)
		}
		tags[name] = value
	}
	if err := tags.Check(); err != nil {
		return nil, fmt.Errorf("--tag: %w", err)
	}
	return tags, nil
}

func (c Config) validateLeases() error {
	_, _, err := c.resources()
	errs := []error{err}
	if nodeName.MatchString(c.Name) { // else that is said once, of --name
		_, err = c.tags()
		errs = append(errs, err)
	}
	if c.StateDir != "" && c.Ephemeral {
		errs = append(errs, fmt.Errorf("--state-dir %.200s and --ephemeral: leases are kept in the one, or not at all: give one of them", c.StateDir))
	}
	if c.StateDir != "" && !filepath.IsAbs(c.StateDir) {
		errs = append(errs, fmt.Errorf("--state-dir %.200q: want a directory's path from the root, such as /var/lib/kecho", c.StateDir))
	}
	return errors.Join(errs...)
}

// makeLeases makes the resource manager. What is wrong with the journal, or
// with what this node has, keeps it from giving, and from nothing else.
func (a *Agent) makeLeases(ctx context.Context) error {
	channel, err := a.node.Open(ResourceChannel)
	if err != nil {
		return err
	}
	cfg := resmgr.Config{Node: a.node, Channel: channel, Logger: a.log, Changed: a.tellLease}
	share, err := a.share(ctx)
	if err == nil && len(share.Capacity) > 0 {
		err = a.openJournal(&cfg)
		cfg.Shares = []resmgr.Share{share}
	}
	if err == nil {
		if a.leases.manager, err = resmgr.New(cfg); err == nil {
			return nil
		}
	}
	a.log.Error("this node gives no leases until it is started again", "err", err)
	a.leases.idle = err
	a.closeJournal()
	cfg.Shares, cfg.Journal = nil, nil
	a.leases.manager, err = resmgr.New(cfg)
	return err
}

// share is what this node has to give.
func (a *Agent) share(ctx context.Context) (resmgr.Share, error) {
	declared, machine, err := a.cfg.resources()
	if err != nil {
		return resmgr.Share{}, err
	}
	have := map[resmgr.Kind]resmgr.Quantity{}
	if machine {
		maps.Copy(have, a.sized(ctx))
	}
	for _, amount := range declared {
		have[amount.Kind] = amount.Quantity
	}
	tags, err := a.cfg.tags()
	return resmgr.Share{Name: a.cfg.Name, Capacity: resmgr.AmountsOf(have), Tags: tags}, err
}

// sized is what the machine, or the container, has.
func (a *Agent) sized(ctx context.Context) map[resmgr.Kind]resmgr.Quantity {
	have := map[resmgr.Kind]resmgr.Quantity{}
	put := func(kind resmgr.Kind, q resmgr.Quantity) {
		if q > 0 {
			have[kind] = min(q, kind.Max())
		}
	}
	size := a.cfg.Host.Size(ctx)
	put(resmgr.CPU, resmgr.Quantity(size.CPUs*1000))
	put(resmgr.Mem, wholeMi(size.Memory))
	if a.cfg.StateDir != "" {
		// What leases use of it already is taken off twice, which is safe.
		if free, err := host.FreeDisk(ctx, nearestDir(a.cfg.StateDir)); err == nil {
			put(resmgr.Disk, wholeMi(free))
		}
	}
	return have
}

// wholeMi is what can be read at a glance.
func wholeMi(bytes uint64) resmgr.Quantity { return resmgr.Quantity(bytes >> 20 << 20) }

// nearestDir is path, or the next directory above that is there.
func nearestDir(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func (a *Agent) openJournal(cfg *resmgr.Config) error {
	if a.cfg.StateDir == "" {
		cfg.FenceFrom = resmgr.Fence(max(time.Now().UnixMilli(), 0)) // above those of the life before
		return nil
	}
	if err := os.MkdirAll(a.cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("--state-dir: %w", err)
	}
	j, err := journal.Open(journal.Config{Path: filepath.Join(a.cfg.StateDir, "leases.db")})
	if err != nil {
		return err
	}
	a.leases.journal, cfg.Journal = j, j
	return nil
}

func (a *Agent) closeJournal() {
	if a.leases.journal == nil {
		return
	}
	if err := a.leases.journal.Close(); err != nil {
		a.log.Warn("the journal of leases was not closed well", "err", err)
	}
	a.leases.journal = nil
}

// runLeases is the layer.
func (a *Agent) runLeases(ctx context.Context) error {
	defer a.closeJournal()
	return a.leases.manager.Run(ctx)
}

func (a *Agent) tellLease(c resmgr.Change) {
	if told, ok := api.NewLeaseChange(c); ok {
		a.news.Add(api.EventLease, told)
	}
}

// checkLeases says what is to be known of the leases. That there are none to be
// had is no reason to send the web server's clients elsewhere.
func (a *Agent) checkLeases() api.Check {
	check := api.Check{Name: "leases", OK: true}
	status := a.leases.manager.Status()
	switch {
	case a.leases.idle != nil:
		check.Detail = fmt.Sprintf("this node gives none: %v", a.leases.idle)
	case len(status) == 0:
		check.Detail = "this node has nothing to give"
	case status[0].Closed.Code != "":
		check.Detail = fmt.Sprintf("none is given now: %v", status[0].Closed)
	default:
		check.Detail = fmt.Sprintf("%d given; %s free", status[0].Leases, status[0].Free)
		if a.cfg.StateDir == "" && !a.cfg.Ephemeral {
			check.Detail += "; forgotten at a restart: --state-dir keeps them, --ephemeral says that this is meant"
		} else if a.cfg.Ephemeral {
			check.Detail += "; forgotten at a restart (--ephemeral)"
		}
	}
	return check
}
