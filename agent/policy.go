package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kecho/balancer/policy"
	"kecho/channel"
	"kecho/filters"
)

// policies are the names that Config.Policy can have, in the order in which
// they are shown.
var policies = []string{"auto", "offers", "push", "none", "paper", "race", "hedge", "speculative"}

// Who heeds Config.Copies and Config.Cancel, and who Config.ForwardAfter.
var (
	copying  = []string{"paper", "race", "hedge"}
	delaying = []string{"paper", "hedge"}
)

// describeStanding says of the node what its operator says of it.
func (a *Agent) describeStanding() error {
	attrs := []channel.Attr{filters.Name.Of(a.cfg.Name)}
	if w := a.cfg.Weight; w != nil {
		attrs = append(attrs, filters.Weight.Of(*w))
	}
	if a.cfg.Zone != "" {
		attrs = append(attrs, filters.Zone.Of(a.cfg.Zone))
	}
	return a.node.Describe(attrs...)
}

// core is how the balancer's core is to decide.
func (c Config) core() policy.Config {
	mode, _ := policy.ModeNamed(c.Policy) // Validate knows both
	ends, _ := policy.EndingNamed(c.Cancel)
	return policy.Config{
		Places: c.SoftLimit, MaxPlaces: c.SoftLimitMax, Hard: c.HardLimit, Queue: c.Queue, QueueBytes: c.QueueBytes, ShedAge: c.QueueAge,
		Failures: c.Failures, Mode: mode, Copies: policy.Copies{Most: c.Copies, After: c.ForwardAfter, Cancel: ends},
	}
}

func (c Config) validatePolicy() error {
	if !slices.Contains(policies, c.Policy) {
		return fmt.Errorf("--policy %.80q: want one of %s", c.Policy, strings.Join(policies, ", "))
	}
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Copies >= 0 && c.Copies <= 3, "--copies %d: want 1, 2 or 3", c.Copies)
	check(c.Copies != 1 || c.Policy == "paper", "--copies 1 is no %s: want 2 or 3", c.Policy)
	check(c.Copies == 0 || slices.Contains(copying, c.Policy),
		"--copies %d goes with --policy %s: %s sends a request to one server", c.Copies, strings.Join(copying, " or "), c.Policy)
	_, known := policy.EndingNamed(c.Cancel)
	check(c.Cancel == "" || known, "--cancel %.80q: want complete, start or none", c.Cancel)
	check(c.Cancel == "" || slices.Contains(copying, c.Policy),
		"--cancel %.80s goes with --policy %s: %s has no copies that lose", c.Cancel, strings.Join(copying, " or "), c.Policy)
	check(c.Cancel != "start" || c.Policy != "hedge", "--cancel start is no hedge: a backup is for what was begun; want complete or none")
	check(c.ForwardAfter >= 0, "--forward-after %v: want 0 or more", c.ForwardAfter)
	check(c.ForwardAfter == 0 || slices.Contains(delaying, c.Policy),
		"--forward-after %v goes with --policy %s: %s has requests move when they must", c.ForwardAfter, strings.Join(delaying, " or "), c.Policy)
	check(c.Timeout <= 0 || max(c.ForwardAfter, c.usualAfter()) < c.Timeout,
		"--forward-after %v is not below --timeout %v: no request would ever be forwarded", max(c.ForwardAfter, c.usualAfter()), c.Timeout)
	if w := c.Weight; w != nil {
		check(*w == 0 || *w >= filters.MinWeight && *w <= filters.MaxWeight, "--weight %v: want 0.1 to 10, or 0 to take nothing of peers", *w)
	}
	check(len(c.Zone) <= channel.MaxName, "--zone %.80q: want at most %d bytes", c.Zone, channel.MaxName)
	return errors.Join(errs...)
}

// usualAfter is how long requests wait before they move where that is not said.
func (c Config) usualAfter() time.Duration {
	if c.Policy == "paper" && c.ForwardAfter == 0 {
		return 2500 * time.Millisecond
	}
	return 0
}
