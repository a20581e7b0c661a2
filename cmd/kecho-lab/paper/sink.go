package paper

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"kecho/channel"
	"kecho/channel/link"
)

// outName is the channel on which submitting is measured.
const outName = "out"

// Sink is a node of that name that is a sink of another's. It writes who it is as a line of JSON
// (link.Peer), reads who the other is as another, and answers with true when it knows.
// It returns when in ends.
func Sink(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	t, err := newTown(ctx, 1, link.Config{Name: name})
	if err != nil {
		return err
	}
	defer t.stop()
	c, err := t.nodes[0].Open(outName)
	if err != nil {
		return err
	}
	if _, err := c.SubscribeInline(channel.Match{Type: probe}, func(*channel.Event) {}); err != nil {
		return err
	}
	answer, orders := json.NewEncoder(out), json.NewDecoder(in)
	if err := answer.Encode(t.peers[0]); err != nil {
		return err
	}
	for {
		var source link.Peer
		switch err := orders.Decode(&source); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read who the source is: %w", err)
		}
		t.pools[0].SetPeers([]link.Peer{source})
		if err := answer.Encode(true); err != nil {
			return err
		}
	}
}

// startSinks starts n sinks of the first node of t, each a process, and waits until
// c, its channel, has them.
func startSinks(ctx context.Context, argv []string, t *town, c *channel.Channel, n int) (all []*child, err error) {
	defer func() {
		if err != nil {
			stopAll(all)
		}
	}()
	var peers []link.Peer
	for i := range n {
		var who link.Peer
		p, err := startChild(ctx, argv, &who, "sink", "--name", fmt.Sprint("sink", i))
		if err != nil {
			return all, err
		}
		all = append(all, p)
		peers = append(peers, who)
		var known bool
		if err := p.ask(t.peers[0], &known); err != nil {
			return all, err
		}
	}
	t.pools[0].SetPeers(peers)
	return all, sinks(ctx, c, n)
}
