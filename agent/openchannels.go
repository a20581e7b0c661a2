package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kecho/agent/channels"
)

// opened is what one text of Config.Channels says.
type opened struct {
	name string
	keep channels.Keep
}

func parseChannel(text string) (o opened, err error) {
	bad := func(format string, args ...any) (opened, error) {
		return opened{}, fmt.Errorf("--channel %.200q: %w", text, fmt.Errorf(format, args...))
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return bad("want the name of a channel")
	}
	o.name = words[0]
	switch {
	case !channels.ValidName(o.name):
		return bad("%w", channels.ErrName)
	case slices.Contains(ownChannels(), o.name):
		return bad("it is the agent's own, and open anyway")
	}
	for _, word := range words[1:] {
		what, value, _ := strings.Cut(word, "=")
		switch {
		case what == "type" && value != "":
			o.keep.Types = append(o.keep.Types, value)
		case what == "idle" && o.keep.Idle == 0:
			if o.keep.Idle, err = time.ParseDuration(value); err != nil || o.keep.Idle == 0 {
				return bad("%.80q: want a time with its unit, such as idle=30s; without it events are always kept", word)
			}
		default:
			return bad("%.80q: want idle=DURATION, once, or type=TYPE", word)
		}
	}
	if err := o.keep.Validate(); err != nil {
		return bad("%w", err)
	}
	return o, nil
}

func ownChannels() []string { return []string{DataChannel, MonitoringChannel, ResourceChannel} }

func (c Config) validateChannels() error {
	var errs []error
	seen := make(map[string]bool)
	for _, text := range c.Channels {
		o, err := parseChannel(text)
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case seen[o.name]:
			errs = append(errs, fmt.Errorf("--channel %q: it is opened already; put all about a channel into one", o.name))
		}
		seen[o.name] = true
	}
	if len(seen) > channels.MaxChannels {
		errs = append(errs, fmt.Errorf("--channel: %d channels, at most %d", len(seen), channels.MaxChannels))
	}
	return errors.Join(errs...)
}

// openChannels opens those that the configuration names.
func (a *Agent) openChannels() error {
	for _, text := range a.cfg.Channels {
		o, err := parseChannel(text)
		if err != nil {
			return err // Validate has read it
		}
		if _, _, err := a.channels.OpenWith(o.name, o.keep); err != nil {
			return fmt.Errorf("--channel %q: %w", o.name, err)
		}
	}
	return nil
}
