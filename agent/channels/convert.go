package channels

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kecho/agent/cloudevents"
	"kecho/channel"
)

// The extensions that are kecho's own.
const (
	ExtID       = "kechoid"
	ExtRe       = "kechore"
	ExtPriority = "kechopriority"
	ExtTTL      = "kechottl"
	// ExtAsks is on what asks: its answer has its kechoid as its kechore.
	ExtAsks = "kechoasks"
	// ExtPath is the clusters that it has passed, with commas between, if it comes
	// from another one; only on what comes out.
	ExtPath = "kechopath"
	// ExtCursor is where in its node's log an event stands, for who reads on;
	// only on what comes out.
	ExtCursor = "kechocursor"
)

// toChannel is a CloudEvent as channels have it.
func toChannel(c cloudevents.Event) (channel.Event, error) {
	e := channel.Event{Type: channel.Type(c.Text(cloudevents.Type)), Body: c.Data}
	if len(e.Body) > channel.MaxBody {
		return e, fmt.Errorf("%w: %d bytes of data, %d at most", ErrLarge, len(e.Body), channel.MaxBody)
	}
	if len(e.Type) > channel.MaxName {
		return e, fmt.Errorf("%w: the attribute type has %d bytes, %d at most", ErrEvent, len(e.Type), channel.MaxName)
	}
	for name, v := range c.Attributes {
		switch name {
		case cloudevents.Type, ExtID, ExtPath, ExtCursor, ExtAsks:
			continue
		case ExtRe, ExtPriority, ExtTTL:
			if err := extend(&e, name, fmt.Sprint(v)); err != nil {
				return e, fmt.Errorf("%w: the attribute %s: %w", ErrEvent, name, err)
			}
			continue
		}
		if s, ok := v.(string); ok && len(s) > channel.MaxText {
			return e, fmt.Errorf("%w: the attribute %s has %d bytes, %d at most", ErrEvent, name, len(s), channel.MaxText)
		}
		e.Attrs = append(e.Attrs, attr(name, v))
	}
	if len(e.Attrs) > channel.MaxAttrs {
		return e, fmt.Errorf("%w: %d attributes besides type, %d at most", ErrEvent, len(e.Attrs), channel.MaxAttrs)
	}
	return e, nil
}

// extend takes one of kecho's own extensions.
func extend(e *channel.Event, name, text string) (err error) {
	switch name {
	case ExtRe:
		e.Re, err = channel.ParseID(text)
	case ExtPriority:
		for _, p := range []channel.Priority{channel.Urgent, channel.Normal, channel.Bulk} {
			if p.String() == text {
				e.Priority = p
				return nil
			}
		}
		err = fmt.Errorf("%.40q: want urgent, normal or bulk", text)
	case ExtTTL:
		ttl, bad := time.ParseDuration(text)
		if bad != nil || ttl <= 0 {
			return fmt.Errorf("%.40q is not a duration above 0, such as 1.5s", text)
		}
		e.Deadline = time.Now().Add(ttl)
	}
	return err
}

func attr(name string, v any) channel.Attr {
	switch v := v.(type) {
	case bool:
		return channel.Key[bool](name).Of(v)
	case int64:
		return channel.Key[int64](name).Of(v)
	}
	return channel.Key[string](name).Of(fmt.Sprint(v))
}

// fromChannel is an event of a channel as a CloudEvent. It shares e's body.
func fromChannel(e *channel.Event) cloudevents.Event {
	c := cloudevents.Event{Attributes: make(map[string]any, len(e.Attrs)+4), Data: e.Body}
	for _, a := range e.Attrs {
		value := a.Value()
		switch v := value.(type) {
		case float64:
			value = strconv.FormatFloat(v, 'g', -1, 64)
		case int64:
			if v > math.MaxInt32 || v < math.MinInt32 { // CloudEvents' integers have 32 bits
				value = strconv.FormatInt(v, 10)
			}
		}
		if cloudevents.ValidAttribute(a.Name, value) {
			c.Attributes[a.Name] = value
		}
	}
	c.Attributes[cloudevents.Type] = string(e.Type)
	c.Attributes[ExtID] = e.ID.String()
	if c.Text(cloudevents.ID) == "" {
		c.Attributes[cloudevents.ID] = e.ID.String()
	}
	if c.Text(cloudevents.Source) == "" {
		c.Attributes[cloudevents.Source] = "urn:kecho:node:" + e.ID.Source.String()
	}
	if e.Asks() {
		c.Attributes[ExtAsks] = true
	}
	if left := time.Until(e.Deadline).Truncate(time.Microsecond); left > 0 {
		c.Attributes[ExtTTL] = left.String()
	}
	if !e.Re.IsZero() {
		c.Attributes[ExtRe] = e.Re.String()
	}
	if len(e.Path) > 0 {
		c.Attributes[ExtPath] = strings.Join(e.Path, ",")
	}
	if e.Priority != channel.Normal {
		c.Attributes[ExtPriority] = e.Priority.String()
	}
	return c
}
