package events

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"kecho/channel"
	"kecho/channel/link"
	"kecho/channel/link/quic"
	"kecho/channel/registry"
)

// eventType is what the events of a bench are called.
const eventType channel.Type = "bench"

// node is a node of kecho's with its channels, as an agent has it.
type node struct {
	channels map[string]*channel.Channel
}

// openNode joins the cluster of cfg.Seed; stopped is told why it ends.
func openNode(ctx context.Context, cfg Config, stopped func(error)) (bus, string, error) {
	id := channel.NewNodeID()
	listener, dial, err := listen(cfg.Bus)
	if err != nil {
		return nil, "", err
	}
	links, err := link.New(link.Config{ID: id, Name: cfg.Name, Listener: listener, Dial: dial})
	if err != nil {
		return nil, "", err
	}
	join := registry.Config{Name: cfg.Name, ID: id, Bind: "127.0.0.1:0", LinkAddr: listener.Addr().String()}
	if cfg.Seed != "" {
		join.Seeds = []string{cfg.Seed}
	}
	members, err := registry.New(join)
	if err != nil {
		return nil, "", err
	}
	n, err := channel.New(channel.Config{ID: id, Links: links, Registry: members})
	if err != nil {
		return nil, "", err
	}
	for what, run := range map[string]func() error{
		"gossip": func() error { return members.Run(ctx) },
		"node":   func() error { return n.Run(ctx) },
		"peers": func() error {
			return members.WatchPeers(ctx, func(peers []registry.Peer) { links.SetPeers(linked(peers)) })
		},
	} {
		go func() { // they end with ctx, which ends with the process
			if err := run(); err != nil {
				stopped(fmt.Errorf("%s: %w", what, err))
			}
		}()
	}
	select {
	case <-members.Ready():
	case <-ctx.Done():
		return nil, "", context.Cause(ctx)
	}
	b := &node{channels: map[string]*channel.Channel{}}
	for _, subject := range cfg.Subjects {
		if b.channels[subject], err = n.Open(subject); err != nil {
			return nil, "", err
		}
	}
	return b, members.Addr(), nil
}

// listen is where links come in, and how they are dialed.
func listen(over string) (net.Listener, func(context.Context, string) (net.Conn, error), error) {
	if over == OverTCP {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		return l, nil, err
	}
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	t, err := quic.New(quic.Config{Packets: packets})
	if err != nil {
		return nil, nil, err
	}
	return t, t.Dial, nil
}

func linked(peers []registry.Peer) (all []link.Peer) {
	for _, p := range peers {
		if p.Status != registry.Left && p.LinkAddr != "" {
			all = append(all, link.Peer{ID: p.ID, Name: p.Name, Addr: p.LinkAddr})
		}
	}
	return all
}

func (n *node) hear(subject string, handler func([]byte)) error {
	_, err := n.channels[subject].SubscribeWith(channel.SubscriptionConfig{
		Match:   channel.Match{Type: eventType},
		Handler: func(e *channel.Event) { handler(e.Body) },
		Inline:  !strings.HasSuffix(subject, Queued),
	})
	return err
}

func (n *node) ready(subject string, stations int) error {
	c := n.channels[subject]
	if c == nil {
		return fmt.Errorf("the channel %q is not open here", subject)
	}
	if sinks := len(slices.Collect(c.Sinks())); sinks != stations {
		return fmt.Errorf("the channel %q has %d sinks, not %d", subject, sinks, stations)
	}
	return nil
}

func (n *node) publish(ctx context.Context, subject string, body []byte, flood bool) error {
	e := channel.Event{Type: eventType, Body: body}
	if flood {
		e.Priority = channel.Bulk
	}
	_, err := n.channels[subject].Submit(ctx, e)
	return err
}

// flush has nothing to do: what links took they write without being asked.
func (n *node) flush() error { return nil }
