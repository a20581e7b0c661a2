package events

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"kecho/cmd/kecho-lab/alarm"
)

// send publishes events when they are due, or as fast as the bus takes them. The
// last event of a flood carries its time, so that its arrival is the flood's end.
func (s *station) send(ctx context.Context, order Send) (Sent, error) {
	if order.Size < MinSize || order.For <= 0 || order.Rate < 0 {
		return Sent{}, fmt.Errorf("send %+v: want a size of at least %d bytes, a time and no negative rate", order, MinSize)
	}
	body := make([]byte, order.Size)
	sent := Sent{Began: s.clock.now()}
	var err error
	if order.Rate == 0 {
		err = s.flood(ctx, order, body, &sent)
	} else {
		err = s.pace(ctx, order, body, &sent)
	}
	if err == nil {
		err = s.bus.flush()
	}
	sent.Ended = s.clock.now()
	return sent, err
}

// lookAfter is how many events of a flood there are between two looks at the
// clock.
const lookAfter = 64

func (s *station) flood(ctx context.Context, order Send, body []byte, sent *Sent) error {
	for end := sent.Began + int64(order.For); ; {
		last := sent.Events%lookAfter == 0 && s.clock.now() >= end
		if last {
			binary.BigEndian.PutUint64(body, uint64(s.clock.now()))
		}
		if err := s.bus.publish(ctx, order.Subject, body, true); err != nil {
			return fmt.Errorf("event %d: %w", sent.Events+1, err)
		}
		sent.Events++
		if last {
			return nil
		}
	}
}

func (s *station) pace(ctx context.Context, order Send, body []byte, sent *Sent) error {
	a, err := alarm.New()
	if err != nil {
		return err
	}
	defer a.Close()
	apart := float64(time.Second) / order.Rate
	for total := max(1, int(order.For.Seconds()*order.Rate)); sent.Events < total; {
		due := sent.Began + int64(apart*float64(sent.Events))
		if !a.Sleep(ctx, time.Duration(due-s.clock.now())) {
			return context.Cause(ctx)
		}
		now := s.clock.now()
		sent.Late = max(sent.Late, time.Duration(now-due))
		binary.BigEndian.PutUint64(body, uint64(now))
		if err := s.bus.publish(ctx, order.Subject, body, false); err != nil {
			return fmt.Errorf("event %d: %w", sent.Events+1, err)
		}
		sent.Events++
	}
	return nil
}
