package gauges

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"kecho/agent/api"
	"kecho/channel"
	"kecho/resmgr/monitor"
)

// Rules are which gauges there may be.
type Rules struct {
	// Machine are the gauges that only the agent itself sets. The names of all
	// others have a dot in them, so that a slip in one of these is found.
	Machine []string
	// Shares are those of Machine that go from 0 to 1.
	Shares []string
}

// Check says what is wrong with a threshold; nil when a table with these rules
// would take it. Errors are of type *api.Error.
func (r Rules) Check(c monitor.Condition, actions api.Actions) error {
	key := c.Of.Of
	if err := r.checkKey(key); err != nil {
		return invalid("%q: %v", c, err)
	}
	// A per cent figure would never be reached, or always.
	isShare := func(b monitor.Bound) bool { return b == (monitor.Bound{}) || b.Value >= 0 && b.Value <= 1 }
	if slices.Contains(r.Shares, key.String()) && c.Of.Kind == monitor.Absolute && !(isShare(c.Raise) && isShare(c.Cancel)) {
		return invalid("%q: %v is a share from 0 to 1: write 0.85 for 85 %%", c, key)
	}
	if actions.Overflow {
		if err := checkOverflow(c); err != nil {
			return err
		}
	}
	if e := actions.Event; e != nil && (e.Channel == "" || e.Type == "" || len(e.Channel) > channel.MaxName || len(e.Type) > channel.MaxName) {
		return invalid("%q: an event needs a channel and a type of 1 to %d bytes", c, channel.MaxName)
	}
	_, err := parseHook(c, actions.Webhook)
	return err
}

// checkKey holds that a name is the machine's or has a dot.
func (r Rules) checkKey(key monitor.Key) error {
	if r.isMachine(key) || strings.Contains(key.Name, ".") {
		return nil
	}
	return &api.Error{Code: api.NotFound, Detail: fmt.Sprintf("there is no gauge %.200v: the machine has %s, and the names of all others have a dot in them, such as app.%s",
		key, strings.Join(r.Machine, ", "), key.Name)}
}

func (r Rules) isMachine(key monitor.Key) bool {
	return key.Item == "" && slices.Contains(r.Machine, key.Name)
}

// checkOverflow holds that overflow ends again.
func checkOverflow(c monitor.Condition) error {
	if kind := c.Of.Kind; kind == monitor.High || kind == monitor.Low {
		return invalid("%q: a watermark does not come back, so overflow would be for ever, or never again; watch %v itself", c, c.Of.Of)
	}
	if !c.HasCancel() {
		return invalid("%q needs a value at which overflow ends, as in %q", c, "cpu > 0.85 cancel < 0.7")
	}
	return nil
}

// parseHook is the address of a webhook, nil for none.
func parseHook(c monitor.Condition, text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	hook, err := url.Parse(text)
	if err != nil || hook.Hostname() == "" || hook.Scheme != "http" && hook.Scheme != "https" {
		return nil, invalid("%q: its webhook is no URL: want http://host/path or https://host/path", c) // it may hold a secret
	}
	return hook, nil
}

// redacted is what may be shown of a webhook: its path and query may be the
// key to it.
func redacted(hook *url.URL) string {
	switch {
	case hook == nil:
		return ""
	case hook.User == nil && hook.RawQuery == "" && (hook.Path == "" || hook.Path == "/"):
		return hook.Scheme + "://" + hook.Host + hook.Path
	}
	return hook.Scheme + "://" + hook.Host + "/..."
}
